/** A read that waits: woken by what it asked for, and by nothing else. */
import { deepStrictEqual as equal, ok } from "node:assert";
import { type TestBus, testBus } from "../helpers/bus.ts";

const note = (args: Record<string, unknown> = {}) => ({ event_type: "t", payload: "", ...args });
const wait = { session_id: "me", resume: true, wait_seconds: 300, order: "asc" };

async function withMe(): Promise<TestBus> {
  const bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me" });
  return bus;
}

/** Lets everything run that needs no further event: the batch, the bell, and what they wake. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Whether a call has been answered by now. */
async function watched<T>(call: Promise<T>): Promise<{ done: boolean }> {
  const state = { done: false };
  call.then(() => state.done = true, () => state.done = true);
  await settle();
  return state;
}

/** Timers that end only when a test says so. */
function heldTimers() {
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const held = new Map<number, { run: () => void; ms: number }>();
  let ids = 0;
  globalThis.setTimeout = ((run: () => void, ms: number) => {
    held.set(++ids, { run, ms });
    return ids;
  }) as never;
  globalThis.clearTimeout = ((id: number) => void held.delete(id)) as never;
  return {
    held,
    expire() {
      for (const { run } of held.values()) run();
    },
    [Symbol.dispose]() {
      globalThis.setTimeout = set;
      globalThis.clearTimeout = clear;
    },
  };
}

Deno.test("get_events wait_seconds answers at once when there is something", async () => {
  using bus = await withMe();
  await bus.call("publish_event", note());
  equal((await bus.call("get_events", wait)).events.length, 1);
});

Deno.test("get_events wait_seconds is woken by what it asked for, and sleeps through the rest", async () => {
  using bus = await withMe();
  const waiting = bus.call("get_events", { ...wait, consumer: "ci", event_types: ["done"] });
  const state = await watched(waiting);
  await bus.call("publish_event", note({ event_type: "started" }));
  await bus.call("publish_event", note({ event_type: "done", session_id: "me" }));
  await settle();
  equal(state.done, false, "another type, and its own, are not what it waits for");
  const { event_id } = await bus.call("publish_event", note({ event_type: "done" }));
  const page = await waiting;
  equal(page.events.map(({ id }: { id: number }) => id), [event_id]);
  equal([page.next_cursor, page.unread], [String(event_id), 0]);
});

Deno.test("get_events wait_seconds without a position is woken just so", async () => {
  using bus = await withMe();
  const waits = [
    { cursor: "1", wait_seconds: 300 },
    { cursor: "1", wait_seconds: 300, order: "asc", channel: "repo:x" },
    { resume: true, consumer: "new", wait_seconds: 300 },
    { resume: true, consumer: "looks", peek: true, wait_seconds: 300 },
    { session_id: "me", resume: true, peek: true, wait_seconds: 300 },
  ].map((args) => bus.call("get_events", args));
  await settle();
  await bus.call("publish_event", note({ channel: "repo:x" }));
  for (const { events } of await Promise.all(waits)) equal(events.length, 1);
});

Deno.test("get_events wait_seconds ends with an empty page when nothing came, and leaves no timer", async () => {
  using bus = await withMe();
  using timers = heldTimers();
  const waiting = bus.call("get_events", { ...wait, wait_seconds: 7 });
  const state = await watched(waiting);
  equal([...timers.held.values()].map(({ ms }) => ms), [7000]);
  equal(state.done, false);
  timers.expire();
  const page = await waiting;
  equal([page.events, page.has_more, page.unread], [[], false, 0]);
  equal([timers.held.size, bus.readers.pathsTo("me")], [0, []]);
});

Deno.test("get_events wait_seconds leaves no timer when it is woken, refused or left", async () => {
  using bus = await withMe();
  using timers = heldTimers();
  const woken = bus.call("get_events", wait);
  await bus.call("publish_event", note());
  await woken;
  await bus.refusal("get_events", { ...wait, session_id: "nobody" });
  await bus.refusal("get_events", { ...wait, cursor: "99" });
  const gone = new AbortController();
  const left = bus.call("get_events", wait, { signal: gone.signal });
  await settle();
  gone.abort();
  await left;
  equal(timers.held.size, 0);
  equal([bus.readers.pathsTo("me"), bus.readers.pathsTo("nobody")], [[], []]);
});

Deno.test("get_events wait_seconds ends when its caller leaves, who takes nothing", async () => {
  using bus = await withMe();
  const gone = new AbortController();
  const left = bus.call("get_events", wait, { signal: gone.signal });
  await settle();
  gone.abort();
  equal((await left).events, []);
  // Left in the very turn in which the event comes.
  const late = new AbortController();
  const refused = bus.refusal("get_events", wait, { signal: late.signal });
  await settle();
  const published = bus.call("publish_event", note());
  bus.bell.ring();
  late.abort();
  equal((await refused).code, "caller_left");
  const { event_id } = await published;
  const page = await bus.call("get_events", { ...wait, wait_seconds: 0 });
  equal(page.events.map(({ id }: { id: number }) => id), [event_id]);
});

Deno.test("whoever waits can be reached meanwhile, and not afterwards", async () => {
  using bus = await withMe();
  const waiting = [bus.call("get_events", wait), bus.call("get_events", wait)];
  await settle();
  equal(bus.readers.pathsTo("me"), ["wait"]);
  const { recipients } = await bus.call("publish_event", note({ channel: "session:me" }));
  equal(recipients[0].reachable_by, ["wait"]);
  await Promise.race(waiting);
  await bus.call("publish_event", note());
  const pages = await Promise.all(waiting);
  equal(pages.map(({ events }) => events.length), [1, 1], "each event wakes one of the two");
  equal(bus.readers.pathsTo("me"), []);
});

Deno.test("what is published in the batch of the read that found nothing is not missed", async () => {
  using bus = await withMe();
  const read = bus.call("get_events", wait);
  const published = bus.call("publish_event", note());
  const [page, { event_id }] = await Promise.all([read, published]);
  equal(page.events.map(({ id }: { id: number }) => id), [event_id]);
});

Deno.test("whoever waits is told when its session ends", async () => {
  using bus = await withMe();
  const waiting = bus.refusal("get_events", wait);
  await settle();
  await bus.call("unregister_session", { session_id: "me" });
  equal((await waiting).code, "session_ended");
});

Deno.test("whoever waits is told when the bus stops, and is not told that there is nothing", async () => {
  using bus = await withMe();
  const waiting = bus.refusal("get_events", wait);
  await settle();
  bus.bell.stop();
  equal((await waiting).code, "unavailable");
  equal((await bus.refusal("get_events", wait)).code, "unavailable");
});

Deno.test("a wait tells its caller that it lasts, as long as it does", async () => {
  using bus = await withMe();
  const { setInterval: set, clearInterval: clear } = globalThis;
  const ticks = new Set<() => void>();
  globalThis.setInterval = ((tick: () => void) => (ticks.add(tick), tick)) as never;
  globalThis.clearInterval = ((tick: () => void) => ticks.delete(tick)) as never;
  try {
    let told = 0;
    const waiting = bus.call("get_events", wait, { progress: () => told++ });
    await settle();
    const before = told;
    for (const tick of ticks) tick();
    equal([ticks.size, told], [1, before + 1]);
    await bus.call("publish_event", note());
    await waiting;
    equal(ticks.size, 0);
  } finally {
    Object.assign(globalThis, { setInterval: set, clearInterval: clear });
  }
});

Deno.test("get_events wait_seconds does not sleep while there is more of the log to look at", async () => {
  using bus = await withMe();
  const insert = bus.store.db.prepare(
    `INSERT INTO event (event_type, payload, channel, session_id, at, signal_level)
     VALUES (?, '', 'all', 'anonymous', 0, 1)`,
  );
  bus.store.db.exec("BEGIN");
  for (let i = 0; i < 10_500; i++) insert.run("noise");
  insert.run("wanted");
  bus.store.db.exec("COMMIT");
  const hide = { ...wait, exclude_types: ["noise"] };
  const first = await bus.call("get_events", hide);
  equal([first.events, first.has_more], [[], true]);
  equal((await bus.call("get_events", hide)).events.length, 1);
});

Deno.test("1,000 waits are all woken by one publish, and nothing of them is left", async () => {
  using bus = testBus();
  const names = Array.from({ length: 1000 }, (_, i) => `s${i}`);
  await Promise.all(
    names.map((name) => bus.call("register_session", { name, client_id: name, machine: "far" })),
  );
  const { next_cursor } = await bus.call("get_events", { limit: 1 });
  await Promise.all(
    names.map((session_id) => bus.call("ack_events", { session_id, cursor: next_cursor })),
  );
  const waiting = names.map((session_id) => bus.call("get_events", { ...wait, session_id }));
  await settle();
  ok(names.every((name) => bus.readers.pathsTo(name).length === 1));
  const { event_id } = await bus.call("publish_event", note());
  for (const { events } of await Promise.all(waiting)) {
    equal(events.map(({ id }: { id: number }) => id), [event_id]);
  }
  ok(names.every((name) => bus.readers.pathsTo(name).length === 0));
  const rows = bus.store.db.prepare("SELECT count(*) AS n FROM delivery WHERE through_id = ?");
  equal(rows.get(event_id)?.n, 1000);
});
