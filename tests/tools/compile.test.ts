import assert from "node:assert/strict";
import { BuildError, FAILED, WRONG_USAGE } from "../../tools/binary.ts";
import { readArguments } from "../../tools/compile.ts";
import { cacheFolder, isGenuine } from "../../tools/compile_offline.ts";

const failsWith = (exitCode: number) => (failure: unknown) =>
  failure instanceof BuildError && failure.exitCode === exitCode;

Deno.test("compile: target and output come from the arguments, the output else from the target", () => {
  assert.deepEqual(readArguments([]), { target: undefined, output: "dist/event-bus" });
  assert.deepEqual(readArguments(["--target", "aarch64-unknown-linux-gnu"]), {
    target: "aarch64-unknown-linux-gnu",
    output: "dist/event-bus-aarch64-unknown-linux-gnu",
  });
  assert.deepEqual(readArguments(["--target=x86_64-apple-darwin", "--output=/opt/bus"]), {
    target: "x86_64-apple-darwin",
    output: "/opt/bus",
  });
});

Deno.test("compile: an unknown flag, a stray word and a target that is a path are wrong usage", () => {
  for (const args of [["--frob"], ["x"], ["--target", "../../x"], ["--target"], ["--output="]]) {
    assert.throws(() => readArguments(args), failsWith(WRONG_USAGE), args.join(" "));
  }
});

Deno.test("compile:offline: bytes are genuine only with the pinned SHA-256", () => {
  const abc = new TextEncoder().encode("abc");
  const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(isGenuine(abc, sha256), true);
  assert.equal(isGenuine(abc.subarray(1), sha256), false);
  assert.equal(isGenuine(abc), false);
});

Deno.test("compile:offline: the runtime is kept in the user's cache folder, never in the project", () => {
  const folder = (env: Record<string, string>) => cacheFolder((name) => env[name]);
  assert.equal(folder({ XDG_CACHE_HOME: "/c", HOME: "/h" }), "/c/event-bus-build");
  assert.equal(folder({ HOME: "/h" }), "/h/.cache/event-bus-build");
  assert.equal(folder({ XDG_CACHE_HOME: "relative", HOME: "/h" }), "/h/.cache/event-bus-build");
  assert.throws(() => folder({}), failsWith(FAILED));
});
