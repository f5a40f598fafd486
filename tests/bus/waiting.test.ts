import assert from "node:assert/strict";
import { insertEvent, MAX_SCAN } from "../../src/store/events.ts";
import { testBus } from "../helpers/bus.ts";

const WAIT = { wait_seconds: 60, order: "asc" };

/** Lets a call that was made get as far as its wait. */
async function untilItWaits(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

Deno.test("get_events wait_seconds: the end of the server is told, and is no empty page", async () => {
  using bus = testBus();
  const waiting = bus.refusal("get_events", { ...WAIT, channel: "none" });
  await untilItWaits();
  bus.bell.stop();
  const { code, message } = await waiting;
  assert.equal(code, "unavailable");
  assert.match(message, /^Cannot wait any longer: the server is stopping$/);
  const late = await bus.refusal("get_events", { ...WAIT, channel: "none" });
  assert.equal(late.code, "unavailable", "and so it is when the wait begins too late");
});

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

Deno.test("get_events wait_seconds: rows still to be looked at are no reason to wait", async () => {
  using bus = testBus();
  const { store } = bus;
  await store.inBatch(() => {
    for (let n = 0; n <= MAX_SCAN; n++) {
      insertEvent(store, {
        event_type: "t",
        payload: "p",
        channel: "all",
        session_id: "anonymous",
        at: 0,
        signal_level: "info",
        correlation_id: null,
        title: null,
        tags: [],
        principal: null,
        reply_to: null,
        dedupe_key: null,
      });
    }
  });
  const args = { ...WAIT, min_level: "actionable" };
  const page = await bus.call("get_events", args);
  assert.deepEqual([page.events, page.has_more, page.next_cursor], [[], true, String(MAX_SCAN)]);
  const waiting = bus.call("get_events", { ...args, cursor: page.next_cursor });
  await untilItWaits();
  await bus.call("publish_event", { event_type: "help_needed", payload: "p" });
  assert.equal((await waiting).events.length, 1);
});
