import assert from "node:assert/strict";
import { isTracing, traced } from "../../src/operations/tracing.ts";

Deno.test("traced() adds nothing, not even a promise, where nobody asked for spans", async () => {
  assert.equal(isTracing, false, "the tests run without OTEL_DENO");
  const work = Promise.resolve(1);
  assert.equal(traced("publish_event", () => work), work);
  const failing = Promise.reject(new Error("as it is"));
  assert.equal(traced("publish_event", () => failing), failing);
  await assert.rejects(failing, /as it is/);
});
