/** What a session has not seen, and what passes when some of it was shown. */
import assert from "node:assert/strict";
import {
  handOver,
  isCalled,
  isNothing,
  leftBy,
  passedBy,
  unseenBy,
} from "../../src/bus/handing.ts";
import { callBy } from "../../src/operations/perform.ts";
import { MAX_SCAN } from "../../src/store/events.ts";
import { findSession } from "../../src/store/sessions.ts";
import type { Session } from "../../src/session.ts";
import { addNoise, LOCAL, type TestBus, testBus } from "../helpers/bus.ts";

async function register(bus: TestBus, id: string): Promise<Session> {
  await bus.call("register_session", { name: id, client_id: id, machine: "m" });
  return findSession(bus.store, id) as Session;
}

async function say(bus: TestBus, channel: string, event_type = "note"): Promise<number> {
  const args = { event_type, payload: "p", channel, session_id: "other" };
  return (await bus.call("publish_event", args)).event_id;
}

const ids = (part: { events: readonly { id: number }[] } | null) =>
  part?.events.map(({ id }) => id) ?? null;

/** Hands over as a hook does. */
const hand = (bus: TestBus, passed: ReturnType<typeof passedBy>): Promise<boolean> =>
  bus.store.inBatch(({ afterCommit }) =>
    handOver(bus, passed, callBy(bus, { ...LOCAL, path: "batch hook" }, afterCommit))
  );

Deno.test("unseenBy: urgent and the rest apart, the oldest first, and looking moves nothing", async () => {
  using bus = testBus();
  const me = await register(bus, "me");
  const note = await say(bus, "all");
  const direct = await say(bus, "session:me");
  const help = await say(bus, "all", "help_needed");
  await say(bus, "all", "task_started");
  for (let i = 0; i < 2; i++) {
    const all = unseenBy(bus, me, "all");
    assert.deepEqual([ids(all.urgent), ids(all.main)], [[direct, help], [note]]);
    const urgent = unseenBy(bus, me, "urgent");
    assert.deepEqual([ids(urgent.urgent), urgent.main], [[direct, help], null]);
  }
});

Deno.test("passedBy: nothing shown passes nothing, a part passes through its last, all passes what was looked at", async () => {
  using bus = testBus();
  const me = await register(bus, "me");
  const first = await say(bus, "session:me");
  await say(bus, "session:me");
  const last = await say(bus, "all", "task_started");
  const unseen = unseenBy(bus, me, "urgent");
  assert.deepEqual(passedBy(unseen, { urgent: 0, main: 0 }), []);
  const through = (shown: number) => passedBy(unseen, { urgent: shown, main: 0 })[0]?.through;
  assert.equal(through(1), first);
  assert.equal(through(2), last);
});

Deno.test("leftBy: what is unread, and the noise among what was passed", async () => {
  using bus = testBus();
  const me = await register(bus, "me");
  await say(bus, "all", "task_started");
  await say(bus, "session:me");
  await say(bus, "all");
  await say(bus, "all", "ci_watching");
  await say(bus, "all");
  const all = unseenBy(bus, me, "all");
  assert.deepEqual(leftBy(bus, all, { urgent: 0, main: 0 }), { left: 3, noise: 0 });
  assert.deepEqual(leftBy(bus, all, { urgent: 1, main: 0 }), { left: 2, noise: 0 });
  assert.deepEqual(leftBy(bus, all, { urgent: 1, main: 1 }), { left: 1, noise: 1 });
  assert.deepEqual(leftBy(bus, all, { urgent: 1, main: 2 }), { left: 0, noise: 2 });
  const urgent = unseenBy(bus, me, "urgent");
  assert.deepEqual(leftBy(bus, urgent, { urgent: 0, main: 0 }), { left: 1, noise: 0 });
});

Deno.test("handOver: moves forward only, and what somebody else passed meanwhile is not told twice", async () => {
  using bus = testBus();
  const me = await register(bus, "me");
  const first = await say(bus, "session:me");
  const second = await say(bus, "session:me");
  const both = passedBy(unseenBy(bus, me, "urgent"), { urgent: 2, main: 0 });
  const one = passedBy(unseenBy(bus, me, "urgent"), { urgent: 1, main: 0 });
  assert.equal(await hand(bus, both), true);
  assert.equal(await hand(bus, one), false);
  assert.equal(await hand(bus, both), false);
  assert.ok(isNothing(unseenBy(bus, me, "all")));
  for (const event_id of [first, second]) {
    const { audience: [mine] } = await bus.call("get_delivery", { event_id });
    assert.deepEqual([mine.state, mine.path], ["has", "batch hook"]);
  }
});

Deno.test("isCalled: by what is addressed to it, by no more", async () => {
  using bus = testBus();
  await register(bus, "me");
  await bus.call("set_status", { session_id: "me", wake_on: ["repo:shop", "incidents"] });
  const me = findSession(bus.store, "me") as Session;
  await say(bus, "all", "help_needed");
  await bus.call("publish_event", {
    event_type: "note",
    payload: "its own",
    channel: "incidents",
    session_id: "me",
  });
  assert.equal(isCalled(bus, me), false);
  for (const channel of ["incidents", "repo:shop", "session:me"]) {
    await say(bus, channel);
    assert.equal(isCalled(bus, me), true, channel);
    const unseen = unseenBy(bus, me, "urgent");
    await hand(bus, passedBy(unseen, { urgent: unseen.urgent.events.length, main: 0 }));
    assert.equal(isCalled(bus, me), false);
  }
});

Deno.test("a session is called, and shown its message, however much that concerns nobody lies before", async () => {
  using bus = testBus();
  const me = await register(bus, "me");
  await addNoise(bus, MAX_SCAN + 50);
  const direct = await say(bus, "session:me");
  assert.equal(isCalled(bus, me), true);
  for (const scope of ["urgent", "all"] as const) {
    // A look goes no further than it may, and the next goes on behind it.
    const unseen = unseenBy(bus, me, scope);
    assert.deepEqual(ids(unseen.urgent), scope === "urgent" ? [] : [direct]);
    assert.equal(isNothing(unseen), false);
    if (scope === "urgent") await hand(bus, passedBy(unseen, { urgent: 0, main: 0 }));
  }
});
