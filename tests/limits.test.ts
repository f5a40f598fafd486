/** Limits stop what runs away, and say when to come back. */
import assert from "node:assert/strict";
import { BusError } from "../src/errors.ts";
import { createLimits, DEFAULT_LIMITS, type LimitName } from "../src/limits.ts";
import { testBus } from "./helpers/bus.ts";
import { testApp } from "./helpers/server.ts";

function limited(values: Partial<Record<LimitName, number>>) {
  let now = 0;
  const limits = createLimits({ ...DEFAULT_LIMITS, ...values }, () => now);
  return { limits, pass: (ms: number) => void (now += ms) };
}

const A = { session: "a", principal: "p" };

function refused(act: () => void): BusError["details"] {
  try {
    act();
  } catch (refusal) {
    assert.ok(refusal instanceof BusError);
    assert.equal(refusal.code, "too_many");
    return refusal.details;
  }
  throw new Error("it was let through");
}

Deno.test("limits.publish(): a minute's worth at once, then as fast as it refills; each session its own", () => {
  const { limits, pass } = limited({ session_publishes_per_minute: 60 });
  for (let i = 0; i < 60; i++) limits.publish(A, 1);
  const details = refused(() => limits.publish(A, 1));
  assert.deepEqual(details, {
    limit_name: "session_publishes_per_minute",
    limit: 60,
    retry_after_seconds: 1,
  });
  limits.publish({ ...A, session: "b" }, 1);
  limits.publish({ ...A, session: undefined }, 1);
  pass(1000);
  limits.publish(A, 1);
  refused(() => limits.publish(A, 1));
});

Deno.test("limits.publish(): all sessions of a principal share its limit, in events and in bytes", () => {
  const events = limited({ principal_publishes_per_minute: 2 });
  events.limits.publish(A, 1);
  events.limits.publish({ ...A, session: "b" }, 1);
  assert.equal(refused(() => events.limits.publish({ ...A, session: "c" }, 1)).limit, 2);
  const bytes = limited({ principal_bytes_per_minute: 1000 });
  bytes.limits.publish(A, 900);
  assert.equal(refused(() => bytes.limits.publish(A, 200)).retry_after_seconds, 6);
  bytes.pass(60_000);
  bytes.limits.publish(A, 5000);
});

Deno.test("limits.enter(): counts who is there, and forgets who left, once", () => {
  const { limits } = limited({ session_waits: 2, principal_waits: 3 });
  const leave = limits.enter("waits", A);
  limits.enter("waits", A);
  assert.equal(refused(() => limits.enter("waits", A)).limit_name, "session_waits");
  limits.enter("waits", { ...A, session: "b" });
  assert.equal(
    refused(() => limits.enter("waits", { ...A, session: "c" })).limit_name,
    "principal_waits",
  );
  leave();
  leave();
  limits.enter("waits", { ...A, session: "c" });
  refused(() => limits.enter("waits", { ...A, session: "c" }));
  limits.enter("streams", A);
});

Deno.test("publish_event beyond its limit is refused with 429 and the time to wait, and nothing is stored", async () => {
  const limits = { ...DEFAULT_LIMITS, session_publishes_per_minute: 1 };
  await using app = testApp({}, testBus(":memory:", { limits }));
  const args = { event_type: "t", payload: "p", session_id: "a" };
  assert.equal((await app.post("/v1/publish_event", args)).status, 200);
  const answer = await app.post("/v1/publish_event", args);
  assert.equal(answer.status, 429);
  assert.equal(answer.headers.get("retry-after"), "60");
  const body = await answer.json();
  assert.deepEqual([body.code, body.retry_after_seconds], ["too_many", 60]);
  const { events } = await (await app.post("/v1/get_events", {})).json();
  assert.equal(events.length, 1);
});

Deno.test("get_events wait_seconds beyond its limit is refused at once", async () => {
  using bus = testBus(":memory:", { limits: { ...DEFAULT_LIMITS, principal_waits: 1 } });
  const leaves = new AbortController();
  const waits = bus.call("get_events", { cursor: "0", wait_seconds: 60 }, {
    signal: leaves.signal,
  });
  const refusal = await bus.refusal("get_events", { cursor: "0", wait_seconds: 60 });
  assert.equal(refusal.code, "too_many");
  leaves.abort();
  await waits;
});

Deno.test("register_webhook: each principal has its own limit, and one that is removed frees a place", async () => {
  using bus = testBus(":memory:", { limits: { ...DEFAULT_LIMITS, principal_webhooks: 1 } });
  const wanted = { url: "http://127.0.0.1:9/hook", channel: "none" };
  const { webhook_id } = await bus.call("register_webhook", wanted);
  const refusal = await bus.refusal("register_webhook", wanted);
  assert.deepEqual([refusal.code, refusal.details.limit_name], ["conflict", "principal_webhooks"]);
  await bus.call("register_webhook", wanted, { principal: "other" });
  await bus.call("unregister_webhook", { webhook_id });
  await bus.call("register_webhook", wanted);
});
