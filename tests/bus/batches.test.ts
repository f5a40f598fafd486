/** Calls that share a transaction, and what is left when it fails: nothing. */
import { deepStrictEqual as equal, match } from "node:assert";
import { type TestBus, testBus } from "../helpers/bus.ts";

const note = (args: Record<string, unknown> = {}) => ({ event_type: "t", payload: "", ...args });
const mine = { session_id: "me", resume: true, order: "asc" };

async function withMe(): Promise<TestBus> {
  const bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me" });
  return bus;
}

const idsOf = (page: { events: { id: number }[] }) => page.events.map(({ id }) => id);

/** Lets the COMMIT of the batch that is being gathered fail. */
function failCommit({ store }: TestBus): Promise<unknown> {
  store.db.exec(`PRAGMA foreign_keys = ON;
    CREATE TEMP TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY);
    CREATE TEMP TABLE IF NOT EXISTS child (
      parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)`);
  return store.inBatch(() => store.db.exec("INSERT INTO child VALUES (1)"));
}

/** Everything that a call could change. */
function everything({ store, peeks, readers, bell, notices }: TestBus) {
  const tables = ["event", "session", "position", "delivery", "webhook", "sqlite_sequence"];
  return structuredClone({
    tables: tables.map((table) => store.db.prepare(`SELECT * FROM ${table}`).all()),
    heartbeats: [...store.heartbeats],
    peeks: [...peeks],
    paths: readers.pathsTo("me"),
    rings: bell.rings,
    notices,
  });
}

Deno.test("a publish and a resume in one batch: the reader sees what came before it, and no more", async () => {
  using bus = await withMe();
  const [first, page, second, rest, none] = await Promise.all([
    bus.call("publish_event", note()),
    bus.call("get_events", mine),
    bus.call("publish_event", note()),
    bus.call("get_events", mine),
    bus.call("get_events", mine),
  ]);
  equal(idsOf(page), [first.event_id]);
  equal(idsOf(rest), [second.event_id]);
  equal([none.events, none.unread], [[], 0]);
});

Deno.test("resumes of one consumer in one batch share the events out, each to one", async () => {
  using bus = await withMe();
  for (let i = 0; i < 10; i++) await bus.call("publish_event", note());
  const pages = await Promise.all(
    Array.from({ length: 4 }, () => bus.call("get_events", { ...mine, limit: 3 })),
  );
  equal(pages.map(idsOf), [[2, 3, 4], [5, 6, 7], [8, 9, 10], [11]]);
});

Deno.test("an urgent and a main read in one batch show an urgent event once", async () => {
  using bus = await withMe();
  await bus.call("publish_event", note({ channel: "session:me" }));
  await bus.call("publish_event", note());
  const urgent = { ...mine, consumer: "urgent" };
  const pages = await Promise.all([
    bus.call("get_events", urgent),
    bus.call("get_events", mine),
    bus.call("get_events", urgent),
  ]);
  equal(pages.map(idsOf), [[2], [3], []]);
});

Deno.test("a look in the turn of a resume sees the log as it was before the batch", async () => {
  using bus = await withMe();
  await bus.call("publish_event", note());
  const [page, look] = await Promise.all([
    bus.call("get_events", mine),
    bus.call("get_events", { ...mine, peek: true }),
  ]);
  equal([idsOf(page), idsOf(look)], [[2], [2]]);
});

Deno.test("a caller that left takes nothing from others in its batch", async () => {
  using bus = await withMe();
  await bus.call("publish_event", note());
  const gone = new AbortController();
  const left = bus.refusal("get_events", mine, { signal: gone.signal });
  const stays = bus.call("get_events", mine);
  gone.abort();
  equal((await left).code, "caller_left");
  equal(idsOf(await stays), [2]);
});

Deno.test("a COMMIT that fails leaves positions, pages shown, heartbeats and readers as they were", async () => {
  using bus = await withMe();
  await bus.call("register_session", { name: "you", client_id: "you" });
  await bus.call("publish_event", note({ channel: "session:me" }));
  await bus.call("get_events", { ...mine, peek: true, limit: 1 });
  await bus.call("get_events", { consumer: "ci", resume: true });
  await bus.store.inBatch(() => {});
  bus.pass(1000);
  const before = everything(bus);
  const calls = [
    bus.refusal("publish_event", note({ session_id: "me", channel: "session:you" })),
    bus.refusal("publish_event", note({ dedupe_key: "k" })),
    bus.refusal("get_events", mine),
    bus.refusal("get_events", { ...mine, wait_seconds: 300 }),
    bus.refusal("get_events", { ...mine, consumer: "urgent" }),
    bus.refusal("get_events", { consumer: "new", resume: true, peek: true, cursor: "0" }),
    bus.refusal("ack_events", { session_id: "me", cursor: "2" }),
    bus.refusal("ack_events", { consumer: "ci", cursor: "1", allow_rewind: true }),
    bus.refusal("register_session", { name: "new", client_id: "new" }),
    bus.refusal("unregister_session", { session_id: "you" }),
    bus.refusal("set_status", { session_id: "me", status: "busy" }),
  ];
  const failure = failCommit(bus).then(() => "committed", (thrown) => thrown.code);
  equal(await failure, "unavailable");
  for (const { code, message } of await Promise.all(calls)) {
    equal(code, "unavailable");
    match(message, /^Cannot write to the database: /);
  }
  equal(everything(bus), before);
  equal(idsOf(await bus.call("get_events", mine)), [2, 3], "and everything is still to be read");
  equal((await bus.call("publish_event", note({ dedupe_key: "k" }))).duplicate, undefined);
});

Deno.test("a refused call in a batch changes nothing, and nobody else's call", async () => {
  using bus = await withMe();
  const before = everything(bus);
  await Promise.all([
    bus.refusal("publish_event", note({ session_id: "me", reply_to: 99 })),
    bus.refusal("ack_events", { session_id: "me", cursor: "99" }),
    bus.refusal("get_events", { session_id: "you", resume: true }),
    bus.refusal("set_status", { session_id: "you", status: "busy" }),
  ]);
  equal(everything(bus), before);
  const [refusal, { event_id }] = await Promise.all([
    bus.refusal("publish_event", note({ reply_to: 99 })),
    bus.call("publish_event", note()),
  ]);
  equal([refusal.code, event_id], ["not_found", 2]);
});
