import assert from "node:assert/strict";
import { BUILD, VERSION, versionText } from "../../src/build.ts";

Deno.test("versionText: a release is only its version; other builds say what they run on", () => {
  assert.match(VERSION, /^\d+\.\d+\.\d+/);
  assert.equal(versionText("release", "2.9.6"), `event-bus ${VERSION}`);
  assert.equal(
    versionText("test", "2.7.11"),
    `event-bus ${VERSION} (test build on Deno 2.7.11)`,
  );
  assert.equal(
    versionText("source", "2.9.6"),
    `event-bus ${VERSION} (from source, Deno 2.9.6)`,
  );
});

Deno.test("BUILD: what was never compiled is a source build", () => {
  assert.equal(BUILD, "source");
});
