import { deepStrictEqual as equal, throws } from "node:assert";
import { addressee, addressesNobody, channelsOf, checkChannel } from "../src/channel.ts";

Deno.test("addressee() is the session of a direct message, and nobody elsewhere", () => {
  equal(addressee("session:abc"), "abc");
  equal(addressee("session:a:b"), "a:b");
  for (const channel of ["all", "repo:session:x", "sessions:x"]) equal(addressee(channel), null);
});

Deno.test("channelsOf() lists what a session hears, in the original's order", () => {
  equal(channelsOf({ id: "i", repo: "r", machine: "m" }), [
    "all",
    "session:i",
    "repo:r",
    "machine:m",
  ]);
});

Deno.test("checkChannel() makes empty the default and refuses what breaks a line", () => {
  equal([checkChannel(""), checkChannel("my channel")], ["all", "my channel"]);
  for (const channel of ["a\u0007", "a\nb", "x".repeat(513)]) {
    throws(() => checkChannel(channel), /Cannot use channel/);
  }
});

Deno.test("addressesNobody() notices a name that is missing", () => {
  equal(["session:", "repo:", "machine:"].map(addressesNobody), [true, true, true]);
  equal(["all", "repo:x", "other:"].map(addressesNobody), [false, false, false]);
});
