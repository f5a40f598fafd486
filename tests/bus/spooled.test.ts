/** The rules for events that waited for the bus. */
import assert from "node:assert/strict";
import { prune } from "../../src/operations/pruning.ts";
import { LOCAL, REMOTE, START, testBus } from "../helpers/bus.ts";
import { tempHome } from "../helpers/home.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const iso = (at: number) => new Date(at).toISOString();
const event = (sent: number, more = {}) => ({
  event_type: "t",
  payload: "p",
  dedupe_key: "key",
  sent_at: iso(sent),
  ...more,
});

Deno.test("publish_event: an event that waited shows when it was sent; one that came at once does not", async () => {
  using bus = testBus();
  await bus.call("publish_event", event(START - 3 * DAY_MS, { dedupe_key: "a" }));
  await bus.call("publish_event", event(START - 500, { dedupe_key: "b" }));
  await bus.call("publish_event", event(START + DAY_MS, { dedupe_key: "c" }));
  await bus.call("publish_event", { event_type: "t", payload: "p" });
  const { events } = await bus.call("get_events", { order: "asc" });
  assert.deepEqual(
    events.map((one: { sent_at?: string }) => one.sent_at),
    [iso(START - 3 * DAY_MS), undefined, undefined, undefined],
  );
  assert.ok(events.every((one: { timestamp: string }) => one.timestamp === iso(START)));
});

Deno.test("publish_event: a spooled event comes once, months later and by another principal, too", async () => {
  using bus = testBus();
  const spooled = event(START - 3 * DAY_MS);
  const { event_id } = await bus.call("publish_event", spooled, REMOTE);
  for (const days of [0, 2, 200]) {
    bus.pass(days * DAY_MS);
    const again = await bus.call("publish_event", spooled, LOCAL);
    assert.deepEqual([again.event_id, again.duplicate], [event_id, true]);
  }
  assert.equal((await bus.call("get_events")).events.length, 1);
});

Deno.test("publish_event: a spooled event that has left the log since is still known", async () => {
  using home = tempHome();
  Deno.mkdirSync(home.dataDir, { recursive: true });
  using bus = testBus(`${home.dataDir}/data.db`);
  const { event_id } = await bus.call("publish_event", event(START));
  bus.pass(100 * DAY_MS);
  assert.equal((await prune(bus, LOCAL, START + 90 * DAY_MS, Infinity)).events, 1);
  const again = await bus.call("publish_event", event(START));
  assert.deepEqual(
    [again.event_id, again.payload, again.duplicate],
    [event_id, "p", true],
  );
  assert.deepEqual((await bus.call("get_events")).events, []);
});

Deno.test("publish_event: what is too old to be known is refused", async () => {
  using bus = testBus();
  const refusal = await bus.refusal("publish_event", event(START - 366 * DAY_MS));
  assert.equal(refusal.code, "invalid_argument");
  assert.match(refusal.message, /a year is the limit/);
});

Deno.test("publish_event: a key means the same event within a day of when it was sent, not of when it came", async () => {
  using bus = testBus();
  const ids = [];
  for (const days of [3, 2.5, 1, 0.5]) {
    const { event_id } = await bus.call("publish_event", event(START - days * DAY_MS));
    ids.push(event_id);
  }
  assert.deepEqual(ids, [1, 1, 2, 2]);
  // Sent now: the second of them is a day old, however lately it came.
  const { event_id } = await bus.call("publish_event", {
    event_type: "t",
    payload: "p",
    dedupe_key: "key",
  });
  assert.equal(event_id, 3);
});

Deno.test("publish_event: the same said ten times over days is no repetition because it comes at once", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "a", cwd: "/a" });
  for (let n = 0; n < 15; n++) {
    const sent = event(START - n * 60_000, { dedupe_key: `key ${n}`, session_id: "a" });
    assert.equal((await bus.call("publish_event", sent)).repeats, undefined);
  }
});

Deno.test("publish_event: what was sent long ago is no sign that its sender is there", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "a", cwd: "/a" });
  bus.pass(60_000);
  await bus.call("publish_event", event(START, { session_id: "a" }));
  assert.equal(bus.store.heartbeats.size, 0);
  await bus.call("publish_event", event(START + 60_000, { session_id: "a", dedupe_key: "b" }));
  const [session] = await bus.call("list_sessions");
  assert.equal(Date.parse(session.last_heartbeat), START + 60_000);
});
