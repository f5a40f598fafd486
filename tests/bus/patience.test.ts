import assert from "node:assert/strict";
import { testBus } from "../helpers/bus.ts";

const WAIT = { wait_seconds: 60, order: "asc" };

/** Lets a call that was made get as far as its wait. */
async function untilItWaits(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

Deno.test("get_events wait_seconds: a new consumer that only peeks waits from where it began", async () => {
  using bus = testBus();
  await bus.call("publish_event", { event_type: "t", payload: "before" });
  const args = { ...WAIT, consumer: "ci", resume: true, peek: true };
  const waiting = bus.call("get_events", args);
  await untilItWaits();
  await bus.call("publish_event", { event_type: "t", payload: "meanwhile" });
  const page = await waiting;
  assert.deepEqual(page.events.map(({ payload }: { payload: string }) => payload), ["meanwhile"]);
  const again = await bus.call("get_events", args);
  assert.equal(again.next_cursor, "2", "what was not marked is shown again");
  assert.equal(again.events.length, 1);
});

Deno.test("get_events wait_seconds: those who wait alike share one look, and a reader with a position has its own", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "c1" });
  await bus.call("publish_event", { event_type: "t", payload: "p" });
  const mine = { session_id: "c1", resume: true, peek: true, ...WAIT };
  assert.equal((await bus.call("get_events", mine)).unread, 1);
  // A position moves without a ring: what was found before it must not be told again.
  await bus.call("ack_events", { session_id: "c1", cursor: "2" });
  const waiting = bus.call("get_events", mine);
  const alike = [1, 2, 3].map(() => bus.call("get_events", { ...WAIT, cursor: "2" }));
  await untilItWaits();
  await bus.call("publish_event", { event_type: "t", payload: "next" });
  for (const page of await Promise.all([waiting, ...alike])) {
    assert.deepEqual(page.events.map(({ id }: { id: number }) => id), [3]);
  }
});
