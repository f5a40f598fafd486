/** Compressed bodies: a few bytes that would be gigabytes. They are never unpacked. */
import assert from "node:assert/strict";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { MAX_BODY_BYTES } from "../../src/http/limits.ts";
import { testApp, testServer } from "../helpers/server.ts";
import { doorsOf, everythingIn } from "./doors.ts";

const PLAIN = new TextEncoder().encode(
  `{"event_type":"t","payload":"${"x".repeat(16 * MAX_BODY_BYTES)}"}`,
);
const PACKED: readonly [encoding: string, bytes: Uint8Array<ArrayBuffer>][] = [
  ["gzip", Uint8Array.from(gzipSync(PLAIN))],
  ["x-gzip", Uint8Array.from(gzipSync(PLAIN))],
  ["deflate", Uint8Array.from(deflateSync(PLAIN))],
  ["br", Uint8Array.from(brotliCompressSync(PLAIN))],
  ["gzip, gzip", Uint8Array.from(gzipSync(gzipSync(PLAIN)))],
  ["identity, gzip", Uint8Array.from(gzipSync(PLAIN))],
];
const JSON_TYPE = { "content-type": "application/json" };

Deno.test("every POST: a compressed body is refused before it is looked at, whatever it says that it is", async () => {
  await using app = testApp();
  const before = everythingIn(app);
  for (const { path } of doorsOf(app).filter(({ method }) => method === "POST")) {
    for (const [encoding, body] of PACKED) {
      const headers = { ...JSON_TYPE, "content-encoding": encoding };
      const answer = await app.fetch(path, { method: "POST", headers, body });
      assert.equal(answer.status, 415, `${path} ${encoding}`);
      assert.match(await answer.text(), /Cannot read a compressed body/, path);
      // One that does not say so is no text.
      const silent = await app.fetch(path, { method: "POST", headers: JSON_TYPE, body });
      assert.equal(silent.status, 400, `${path} ${encoding}, not told`);
      await silent.body?.cancel();
    }
  }
  assert.equal(everythingIn(app), before);
  const headers = { "content-encoding": "identity" };
  const plain = await app.fetch("/publish/all", { method: "POST", headers, body: "as it is" });
  assert.equal(plain.status, 200);
  await plain.body?.cancel();
});

Deno.test("server: a compressed body over the wire is not unpacked by the runtime either", async () => {
  await using server = testServer();
  for (const [encoding, body] of PACKED) {
    const answer = await fetch(`${server.url}/publish/all`, {
      method: "POST",
      headers: { "content-encoding": encoding },
      body,
    });
    assert.equal(answer.status, 415, encoding);
    await answer.body?.cancel();
  }
  assert.deepEqual((await server.call("get_events")).events, []);
});
