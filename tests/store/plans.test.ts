/**
 * How SQLite runs what the bus asks of it: every statement that runs per poll, per wake-up of a
 * stream or webhook, and per publish goes by an index, however long the log is.
 */
import assert from "node:assert/strict";
import { beginningOf, followerOf, noteShown, pageAfter } from "../../src/bus/following.ts";
import { partToPrune, remove } from "../../src/bus/pruning.ts";
import { next, noteFailed, noteMoved, takeUp } from "../../src/bus/sending.ts";
import type { Call } from "../../src/bus.ts";
import { OPERATIONS } from "../../src/operations/all.ts";
import { MAX_SCAN } from "../../src/store/events.ts";
import { openStore } from "../../src/store/open.ts";
import { LOCAL, type TestBus, testBus } from "../helpers/bus.ts";

const LONG = 100_000;

/** A log that is long before anybody reads, mostly of what nobody asks for. */
function fill(bus: TestBus, events: number): void {
  bus.store.db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${events})
    INSERT INTO event (event_type, payload, channel, session_id, at, signal_level, correlation_id)
    SELECT 'noise', 'x', 'all', 's' || (i % 30), i, i % 3, iif(i % 2, 't' || (i % 50), NULL) FROM n`,
  );
}

type Statements = Map<string, Set<string>>;

/** Notes every statement that is run, and by which operation. */
function recorded(bus: TestBus): { statements: Statements; by(operation: string): void } {
  const statements: Statements = new Map();
  const prepare = bus.store.sql;
  let operation = "";
  const sql: typeof prepare = (text) => {
    statements.set(text, (statements.get(text) ?? new Set()).add(operation));
    return prepare(text);
  };
  Object.assign(bus.store, { sql });
  return { statements, by: (name) => void (operation = name) };
}

/** All ways to combine the entries of some fields. */
function subsets(fields: Record<string, unknown>): Record<string, unknown>[] {
  return Object.entries(fields).reduce<Record<string, unknown>[]>(
    (all, [key, value]) => all.flatMap((one) => [one, { ...one, [key]: value }]),
    [{}],
  );
}

const NARROW = { channel: "repo:x", correlation_id: "t1", event_types: ["a", "b"] };
const HIDE = { min_level: "info", exclude_types: ["noise"], include_own: true };

/** Every operation in every way that makes another statement, and what streams and webhooks run. */
async function exercise(bus: TestBus): Promise<Statements> {
  const { statements, by } = recorded(bus);
  const done = new Set<string>();
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    by(name);
    done.add(name);
    return await bus.call(name, args);
  };
  await call("register_session", { name: "me", client_id: "me" });
  await call("register_session", { name: "you", client_id: "you" });
  await call("register_session", { name: "me", client_id: "me" });
  const note = { event_type: "help_needed", payload: "", session_id: "me" };
  const { event_id } = await call("publish_event", { ...note, dedupe_key: "k" });
  await call("publish_event", { ...note, dedupe_key: "k" });
  await call("publish_event", { ...note, session_id: undefined, dedupe_key: "k" });
  await call("publish_event", { ...note, session_id: "you", reply_to: event_id });
  const { webhook_id } = await call("register_webhook", {
    url: "http://127.0.0.1:9/",
    channel: "repo:*",
  });
  await call("publish_event", { ...note, channel: "session:you" });

  for (const filter of subsets({ ...NARROW, ...HIDE })) {
    for (const order of ["asc", "desc"]) {
      await call("get_events", { ...filter, order, cursor: "1" });
    }
    // Back to the start, and urgent ahead of main.
    for (const consumer of ["main", "urgent", "ci"]) {
      const cursor = String(LONG + 1);
      await call("ack_events", { session_id: "me", consumer, cursor, allow_rewind: true });
    }
    for (const consumer of ["urgent", "main", "ci"]) {
      const resume = { ...filter, session_id: "me", consumer, resume: true };
      await call("get_events", { ...resume, peek: true });
      await call("get_events", resume);
    }
    await call("get_events", { ...filter, consumer: "ci", resume: true, cursor: "1" });
  }
  await call("get_events", { event_types: ["a"], resume: true, consumer: "one", cursor: "1" });
  await call("ack_events", { session_id: "you", cursor: String(event_id) });
  await stream(bus, by);
  await send(bus, by, webhook_id);

  for (
    const filter of subsets({ ...NARROW, min_level: "info", sender: "me", since: "2026-01-01" })
  ) {
    const { correlation_id: _, ...rest } = filter;
    await call("search_events", { query: "noise", ...rest });
    await call("search_events", { query: "noise", ...rest, event_types: ["a"] });
  }
  await call("get_archived_events", { channel: "session:you" });

  await call("list_sessions", { include_ended: true });
  await call("list_channels");
  await call("set_status", { session_id: "me", status: "busy", state: "working" });
  await call("get_delivery", { event_id });
  await call("get_delivery_times");
  await call("get_session", { session_id: "me" });
  await assert.rejects(call("get_session", { session_id: "nobody" }));
  await call("get_diagnosis");
  await call("list_webhooks");
  await call("set_webhook_active", { webhook_id, active: false });
  await call("unregister_webhook", { webhook_id });
  await call("notify", { title: "t", message: "m" });
  await call("create_token", { name: "laptop" });
  await call("list_tokens");
  await call("rotate_token", { name: "laptop" });
  await call("revoke_token", { name: "laptop" });
  await call("unregister_session", { client_id: "you" });
  await takeOut(bus, by);
  const { version, log, lines } = await call("export_events", { since: "2026-01-01T00:00:00Z" });
  const sessions = await call("export_events", { kind: "session", after: "m" });
  const other = lines.slice(0, 3).map((line: object) => ({
    ...line,
    reply_to: 1,
    payload: "other",
  }));
  await call("import_events", { version, log, lines: [...other, ...sessions.lines] });
  const renamed = sessions.lines.map((line: object) => ({ ...line, session_id: "elsewhere" }));
  await call("import_events", { version, log, lines: renamed });

  // They go out into the world; `send`, `takeOut` and `import_events` run what they do in the database.
  const left = OPERATIONS.filter(({ name }) => !done.has(name)).map(({ name }) => name);
  const outside = ["test_webhook", "prune", "backup", "import_database"];
  assert.deepEqual(left, outside, "every operation is exercised");
  return statements;
}

function inBatch<T>(bus: TestBus, work: (call: Call) => T): Promise<T> {
  const { random, uuid } = bus;
  return bus.store.inBatch(({ afterCommit }) =>
    work({ caller: LOCAL, now: bus.clock(), uuid, random, afterCommit })
  );
}

async function stream(bus: TestBus, by: (name: string) => void): Promise<void> {
  by("stream");
  await inBatch(bus, (call) => {
    for (const filter of subsets({ ...NARROW, ...HIDE })) {
      for (const consumer of ["main", "urgent", "ci"]) {
        const wanted = { include_own: false, session_id: "me", consumer, ...filter } as never;
        const start = beginningOf(bus, wanted, call);
        const follower = followerOf(bus, wanted, call);
        noteShown(bus, follower, pageAfter(bus, start, follower.filter).through);
      }
    }
  });
}

async function send(bus: TestBus, by: (name: string) => void, id: number): Promise<void> {
  by("webhook");
  await inBatch(bus, (call) => {
    const outlook = takeUp(bus, id, call);
    assert.ok(outlook);
    const { through } = next(bus, { ...outlook, scanned: 0 });
    noteMoved(bus, outlook, { through, count: 1 }, call);
    noteFailed(bus, id, { error: "no", hopeless: false, began: bus.clock() }, 1000, call);
  });
}

async function takeOut(bus: TestBus, by: (name: string) => void): Promise<void> {
  by("prune");
  await inBatch(bus, (call) => {
    const { events } = partToPrune(bus, 0, LONG, call.now);
    assert.ok(remove(bus, events, LONG, call) > 0);
    const future = partToPrune(bus, 0, 0, -1);
    assert.deepEqual(future.events, [], "and asks what follows what is dated in the future");
  });
}

/** Parts of a step that searches: the lists that it compares with, and the counted rows. */
const PARTS =
  /^(LIST|SCALAR) SUBQUERY|^CREATE BLOOM FILTER$|^CO-ROUTINE|^SCAN (\(subquery|json_each)/;

/** One line for each step that looks at a table or sorts. */
function planOf(db: TestBus["store"]["db"], sql: string): string[] {
  return db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()
    .map(({ detail }) => String(detail))
    .filter((step) => !PARTS.test(step));
}

/** Steps that go through a whole table, and why they may. */
const ALLOWED: readonly [step: RegExp, why: string][] = [
  [/^SCAN sqlite_sequence$/, "one row for each of two tables"],
  [/^SCAN webhook( USING .*)?$/, "at most 100 webhooks"],
  [/^SCAN session USING (COVERING )?INDEX session_live$/, "the living are few"],
  [/^SCAN event_words VIRTUAL TABLE INDEX [0-9]+:M[0-9]+$/, "by a word, the newest few thousand"],
];

/** Statements that only people run, about sessions; their tables grow by a row a session. */
const SELDOM: readonly [operations: readonly string[], step: RegExp, why: string][] = [
  [
    ["register_session", "unregister_session", "get_session"],
    /^USE TEMP B-TREE FOR ORDER BY$/,
    "the sessions of one client, mostly one",
  ],
  [["search_events"], /^USE TEMP B-TREE FOR ORDER BY$/, "ranks the newest few thousand matches"],
  [["prune"], /^SCAN session$/, "who ended long ago"],
  [["prune"], /^CORRELATED SCALAR SUBQUERY/, "for each of those, by the channel's index"],
  [["prune"], /^SCAN position$/, "whose consumers have moved lately"],
  [["get_delivery"], /^SCAN session$/, "who lived when an event came"],
  [["get_delivery"], /^USE TEMP B-TREE FOR ORDER BY$/, "the moves over one event"],
  [["get_diagnosis"], /^SCAN event USING COVERING INDEX/, "counts, when somebody asks"],
  [["get_diagnosis"], /^USE TEMP B-TREE FOR GROUP BY$/, "the moves of one session"],
  [
    ["create_token", "list_tokens", "rotate_token", "revoke_token"],
    /^SCAN token$/,
    "all of them, held in memory and read when one changes",
  ],
  [
    ["list_sessions"],
    /^(SCAN session|USE TEMP B-TREE FOR ORDER BY)$/,
    "the latest ended, if asked",
  ],
  [
    ["list_sessions", "list_channels", "get_delivery", "get_diagnosis", "prune"],
    /^USE TEMP B-TREE FOR LAST TERM OF ORDER BY$/,
    "sorts the living",
  ],
];

function complaints(db: TestBus["store"]["db"], statements: Statements): string[] {
  const found = [...statements].flatMap(([sql, operations]) =>
    planOf(db, sql)
      .filter((step) => !step.startsWith("SEARCH "))
      .filter((step) => !ALLOWED.some(([allowed]) => allowed.test(step)))
      .filter((step) => ![...operations].every((name) => isSeldom(name, step)))
      .map((step) => `${[...operations]}: ${step}: ${sql}`)
  );
  return found.slice(0, 10);
}

const isSeldom = (operation: string, step: string): boolean =>
  SELDOM.some(([operations, allowed]) => operations.includes(operation) && allowed.test(step));

Deno.test("every statement that runs per poll, wake-up and publish searches by an index", async () => {
  using bus = testBus();
  fill(bus, LONG);
  const statements = await exercise(bus);
  assert.deepEqual(complaints(bus.store.db, statements), []);

  // What this rests on: it has seen the statements that matter, and sees a bad one.
  const about = (part: string) => [...statements.keys()].filter((sql) => sql.includes(part));
  for (const table of ["event", "session", "position", "delivery", "webhook"]) {
    const uses = new RegExp(`\\b${table}\\b`);
    assert.ok([...statements.keys()].filter((sql) => uses.test(sql)).length >= 2, table);
  }
  assert.ok(about("LIMIT 1 OFFSET").length >= 5, "the log is longer than any scan");
  assert.ok(about("NOT (id > ?").length >= 10, "urgent was ahead of main");
  const bad: Statements = new Map([
    ["SELECT * FROM event WHERE payload = ?", new Set(["get_events"])],
    ["SELECT * FROM event WHERE channel > ? ORDER BY id", new Set(["get_events"])],
    ["SELECT * FROM delivery WHERE through_id > ?", new Set(["get_events"])],
    ["SELECT * FROM session ORDER BY name", new Set(["publish_event", "get_delivery"])],
  ]);
  assert.equal(new Set(complaints(bus.store.db, bad).map((c) => c.split(": ")[2])).size, 4);
});

Deno.test("no statement is run differently on a long log than on an empty one", async () => {
  using bus = testBus();
  fill(bus, LONG);
  const statements = await exercise(bus);
  const empty = openStore(":memory:");
  try {
    assert.ok(statements.size > 100);
    for (const sql of statements.keys()) {
      assert.deepEqual(planOf(bus.store.db, sql), planOf(empty.db, sql), sql);
    }
  } finally {
    empty.close();
  }
});

/** The ids of the rows that conditions are checked on, from now on. */
function lookedAt(bus: TestBus): number[] {
  const looked: number[] = [];
  bus.store.db.function("looked_at", (id) => Number(looked.push(Number(id)) > 0));
  const prepare = bus.store.sql;
  // Each row that a condition is checked on is noted before it.
  const sql: typeof prepare = (text) =>
    prepare(text.replace(/(id > \? AND id <= \?)(?= AND \+?[a-zN])/, "$1 AND looked_at(id)"));
  Object.assign(bus.store, { sql });
  return looked;
}

Deno.test("a poll looks at no more of a long log than of a short one", async () => {
  using bus = testBus();
  fill(bus, LONG);
  await bus.call("register_session", { name: "me", client_id: "me" });
  const looked = lookedAt(bus);
  await bus.call("publish_event", { event_type: "t", payload: "", channel: "repo:x" });
  const poll = { session_id: "me", resume: true };
  equalSize(await bus.call("get_events", poll), 1);
  assert.deepEqual([...new Set(looked)], [LONG + 2]);
  looked.length = 0;
  equalSize(await bus.call("get_events", poll), 0);
  assert.deepEqual(looked, [], "and when nothing came, at nothing");
  equalSize(await bus.call("get_events", { channel: "repo:x", min_level: "info" }), 1);
  assert.deepEqual([...new Set(looked)], [LONG + 2], "a channel's index knows its own events");
  looked.length = 0;
  equalSize(await bus.call("get_events", { exclude_types: ["noise", "t"], order: "asc" }), 0);
  const bound = 2 * MAX_SCAN;
  assert.equal(new Set(looked).size, bound, "what no index knows is bounded, once for the count");
});

function equalSize({ events }: { events: unknown[] }, size: number): void {
  assert.equal(events.length, size);
}

Deno.test("delivery times look at what was handed over, not at what came after it", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me" });
  const message = { event_type: "t", payload: "", channel: "session:me" };
  const { event_id } = await bus.call("publish_event", message);
  equalSize(
    await bus.call("get_events", { session_id: "me", consumer: "urgent", resume: true }),
    1,
  );
  fill(bus, LONG);
  const looked = lookedAt(bus);
  assert.equal((await bus.call("get_delivery_times")).count, 1);
  assert.deepEqual(looked, [event_id]);
});
