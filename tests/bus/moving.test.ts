/** The rules of moving: exports and imports of a log, and what living sessions see of them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MAX_EVENT_ID } from "../../src/event.ts";
import { tip } from "../../src/store/events.ts";
import log_0001 from "../../src/store/migrations/0001_log.sql" with { type: "text" };
import delivery_0002 from "../../src/store/migrations/0002_delivery.sql" with { type: "text" };
import hooks_0003 from "../../src/store/migrations/0003_hooks.sql" with { type: "text" };
import archive_0004 from "../../src/store/migrations/0004_archive.sql" with { type: "text" };
import tokens_0005 from "../../src/store/migrations/0005_tokens.sql" with { type: "text" };
import { APPLICATION_ID } from "../../src/store/open.ts";
import { REMOTE, START, type TestBus, testBus } from "../helpers/bus.ts";
import { tempHome } from "../helpers/home.ts";
import {
  addEvent,
  createOriginal,
  fillOriginal,
  type OriginalVersion,
} from "../helpers/original_database.ts";

type Json = Record<string, unknown>;

interface Exported {
  version: number;
  log: string;
  events: Json[];
  sessions: Json[];
}

/** Everything that an export of a bus says. */
async function exported(bus: TestBus, args: Json = {}): Promise<Exported> {
  const pages = async (kind: string) => {
    const lines: Json[] = [];
    for (let after: string | null = ""; after !== null;) {
      const page: { lines: Json[]; next: string | null } = await bus.call("export_events", {
        kind,
        after,
        ...args,
      });
      lines.push(...page.lines);
      after = page.next;
    }
    return lines;
  };
  const { version, log } = await bus.call("export_events", {});
  return { version, log, events: await pages("event"), sessions: await pages("session") };
}

/** Imports an export in pages of a few lines. */
async function importInto(bus: TestBus, { version, log, events, sessions }: Exported) {
  const sum = { imported: 0, known: 0, sessions_imported: 0, sessions_known: 0 };
  const lines = [...events, ...sessions];
  for (let n = 0; n < lines.length; n += 3) {
    const page = lines.slice(n, n + 3);
    const done = await bus.call("import_events", { version, log, first_line: n + 2, lines: page });
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += done[key];
  }
  return sum;
}

/** A bus on which something has happened, with every field in use. */
async function lived(): Promise<TestBus> {
  const bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "a", machine: "far", cwd: "/w/r" });
  await bus.call("register_session", { name: "b", client_id: "b", machine: "far", cwd: "/w/r" });
  const asked = await bus.call("publish_event", {
    event_type: "help_needed",
    payload: 'naïve "✓"\n\u001b[31m日本語 🦦',
    session_id: "a",
    channel: "repo:r",
    title: "Help",
    tags: ["x", "y,z"],
    dedupe_key: "k",
  });
  bus.pass(1234);
  await bus.call("publish_event", {
    event_type: "answer",
    payload: "",
    session_id: "b",
    reply_to: asked.event_id,
  });
  await bus.call("get_events", { session_id: "a", resume: true, limit: 1 });
  await bus.call("unregister_session", { session_id: "b" });
  return bus;
}

const without = (lines: Json[], ...names: string[]) =>
  lines.map((line) => Object.fromEntries(Object.entries(line).filter(([k]) => !names.includes(k))));

Deno.test("import into an empty bus: the log is equal event by event, with its ids", async () => {
  using from = await lived();
  using to = testBus();
  const whole = await exported(from);
  const sum = await importInto(to, whole);
  assert.deepEqual(sum, {
    imported: whole.events.length,
    known: 0,
    sessions_imported: 2,
    sessions_known: 0,
  });
  const again = await exported(to);
  assert.notEqual(again.log, whole.log);
  assert.deepEqual(
    without(again.events, "origin", "origin_id"),
    without(whole.events, "origin", "origin_id"),
  );
  assert.deepEqual(
    again.events.map(({ origin, origin_id }) => [origin, origin_id]),
    whole.events.map(({ id }) => [whole.log, id]),
  );
  assert.deepEqual(
    (await to.call("get_events", { order: "asc" })).events,
    (await from.call("get_events", { order: "asc" })).events,
  );
});

Deno.test("import into an empty bus: a session that registers again reads on where it stood", async () => {
  using from = await lived();
  using to = testBus();
  await importInto(to, await exported(from));
  assert.deepEqual(await to.call("list_sessions"), [], "sessions come as ended, and tell nobody");
  const back = { name: "a", client_id: "a", machine: "far", cwd: "/w/r" };
  const { resumed, display_id } = await to.call("register_session", back);
  const [there] = await from.call("list_sessions");
  assert.deepEqual([resumed, display_id], [true, there.display_id]);
  const read = async (bus: TestBus) =>
    (await bus.call("get_events", { session_id: "a", resume: true, order: "asc" })).events
      .map(({ id }: { id: number }) => id);
  const unread = await read(to);
  assert.ok(unread.length > 1);
  assert.deepEqual(unread, await read(from));
});

Deno.test("import into an empty bus that is followed already: it is history there, too", async () => {
  using from = await lived();
  const whole = await exported(from);
  const read = { consumer: "ci", resume: true };
  for (const before of ["consumer", "webhook", "in between"]) {
    using to = testBus();
    if (before === "consumer") await to.call("get_events", read);
    if (before === "webhook") await to.call("register_webhook", { url: "http://127.0.0.1:9/" });
    const { version, log, events } = whole;
    await to.call("import_events", { version, log, lines: events.slice(0, 1) });
    if (before === "in between") await to.call("get_events", read);
    await importInto(to, whole);
    assert.equal((await exported(to)).events.length, events.length);
    if (before === "webhook") {
      assert.equal((await to.call("list_webhooks"))[0].unread, 0);
    } else {
      assert.deepEqual((await to.call("get_events", read)).events, [], before);
    }
  }
});

Deno.test("import: twice adds nothing, also back into the log that it came from", async () => {
  using from = await lived();
  using moved = testBus();
  using other = testBus();
  await other.call("publish_event", { event_type: "own", payload: "" });
  const whole = await exported(from);
  for (const bus of [moved, other]) {
    await importInto(bus, whole);
    const before = (await exported(bus)).events;
    const { imported, known, sessions_imported } = await importInto(bus, whole);
    assert.deepEqual([imported, known, sessions_imported], [0, whole.events.length, 0]);
    assert.deepEqual((await exported(bus)).events, before);
  }
  // Round the corner: what came from here is known here, by whichever way it comes back.
  const { imported, known } = await importInto(from, await exported(other));
  assert.deepEqual([imported, known], [1, whole.events.length], "only what the other had itself");
});

Deno.test("import: logs that went on apart after a restore lose nothing to equal ids", async () => {
  using from = await lived();
  using to = testBus();
  await to.call("publish_event", { event_type: "own", payload: "" });
  const first = await exported(from);
  await importInto(to, first);
  const other = { ...first.events.at(-1), payload: "what came after the restore instead" };
  const { imported } = await importInto(to, { ...first, events: [other] });
  assert.equal(imported, 1);
});

Deno.test("import into a bus in use: history keeps time, sender and channel under new ids, and threads hold", async () => {
  using from = await lived();
  using to = testBus();
  for (let n = 0; n < 10; n++) {
    await to.call("publish_event", { event_type: "own", payload: String(n) });
  }
  to.pass(5000);
  const whole = await exported(from);
  await importInto(to, whole);
  const moved = (await exported(to)).events.slice(10);
  const aside = ["id", "reply_to", "origin", "origin_id", "imported_at"];
  assert.deepEqual(without(moved, ...aside), without(whole.events, ...aside));
  assert.deepEqual(moved.map(({ id }) => id), whole.events.map((_, n) => 11 + n));
  assert.ok(moved.every(({ imported_at }) => imported_at === new Date(START + 5000).toISOString()));
  const asked = moved.find(({ event_type }) => event_type === "help_needed");
  const answer = moved.find(({ event_type }) => event_type === "answer");
  assert.equal(answer?.reply_to, asked?.id);
});

Deno.test("imported history is nobody's unread: not of a session, a consumer, a webhook or one who waits", async () => {
  using from = await lived();
  using to = testBus();
  await to.call("register_session", { name: "me", client_id: "me", machine: "m", cwd: "/w/r" });
  await to.call("get_events", { consumer: "ci", resume: true });
  await to.call("register_webhook", { url: "http://127.0.0.1:9/" });
  await to.call("publish_event", { event_type: "before", payload: "", channel: "repo:r" });
  const { rings } = to.bell;
  const start = String(tip(to.store));
  await importInto(to, await exported(from));
  assert.equal(to.bell.rings, rings, "nobody is woken");
  assert.deepEqual(to.notices, []);
  const imported = tip(to.store);
  await to.call("publish_event", { event_type: "after", payload: "", channel: "repo:r" });

  const [me] = await to.call("list_sessions");
  assert.equal(me.unread, 2);
  const [webhook] = await to.call("list_webhooks");
  assert.equal(webhook.unread, 2);
  const wait = { cursor: start, order: "asc", wait_seconds: 1 };
  for (
    const reader of [{ session_id: "me", consumer: "urgent" }, { session_id: "me" }, {
      consumer: "ci",
    }]
  ) {
    const page = await to.call("get_events", { ...reader, resume: true, order: "asc" });
    assert.deepEqual(
      page.events.map(({ event_type }: Json) => event_type),
      "consumer" in reader && reader.consumer === "urgent" ? [] : ["before", "after"],
    );
    assert.equal(page.next_cursor, String(tip(to.store)), "and the position is past them");
  }
  const waited = (await to.call("get_events", wait)).events;
  assert.deepEqual(waited.map(({ event_type }: Json) => event_type), ["after"]);
  const looked = (await to.call("get_events", { cursor: start, order: "asc" })).events;
  assert.ok(looked.length > 2, "who looks it up finds it");
  const { audience, others } = await to.call("get_delivery", { event_id: imported });
  assert.ok(
    [...audience, ...others].every(({ session_id, state }: Json) =>
      session_id !== "me" || state !== "has"
    ),
    "and the record does not say that it was handed over",
  );
});

Deno.test("imported history is not counted as dealt with when a position is set past it", async () => {
  using from = await lived();
  using to = testBus();
  await to.call("register_session", { name: "me", client_id: "me", machine: "m", cwd: "/w/r" });
  await importInto(to, await exported(from));
  await to.call("ack_events", { session_id: "me", cursor: String(tip(to.store)) });
  const moves = to.store.db.prepare("SELECT count, filter FROM delivery").all();
  assert.deepEqual(moves.map((move) => ({ ...move })), [
    { count: 0, filter: '{"not_imported":true}' },
  ]);
});

Deno.test("import: what an ended session of here said elsewhere counts as its own", async () => {
  using from = await lived();
  using to = testBus();
  await to.call("register_session", { name: "x", client_id: "a" });
  await to.call("unregister_session", { session_id: "a" });
  const whole = await exported(from);
  await importInto(to, { ...whole, sessions: [] });
  const theirs = (await exported(to)).events.filter(({ session_id }) => session_id === "a");
  const { last_event_id } = to.store.db.prepare("SELECT last_event_id FROM session").get() as Json;
  assert.equal(last_event_id, theirs.at(-1)?.id);
});

Deno.test("import: a session whose id is taken here stays who it is; a taken display id is replaced", async () => {
  using from = await lived();
  using to = testBus();
  const { display_id } = await to.call("register_session", {
    name: "x",
    client_id: "a",
    machine: "m",
  });
  const whole = await exported(from);
  const sessions = whole.sessions.map((line) => ({ ...line, display_id }));
  const sum = await importInto(to, { ...whole, sessions });
  assert.deepEqual([sum.sessions_imported, sum.sessions_known], [1, 1]);
  const kept = (await exported(to)).sessions;
  assert.deepEqual(kept.map(({ session_id, name }) => [session_id, name]), [["a", "x"], [
    "b",
    "b",
  ]]);
  assert.notEqual(kept[1]?.display_id, display_id);
});

Deno.test("import_events: a damaged line is refused by number, and nothing of its page is kept", async () => {
  using from = await lived();
  const { version, log, events, sessions } = await exported(from);
  const [good] = events;
  const [who] = sessions;
  const bad: [line: unknown, said: RegExp][] = [
    [null, /an object is expected/],
    [{ ...good, kind: "other" }, /a line of the kind event or session is expected/],
    [{ ...good, payload: 7 }, /payload: a text is expected/],
    [{ ...good, payload: "a\0b" }, /payload: contains a NUL/],
    [{ ...good, timestamp: "yesterday" }, /timestamp: an ISO 8601 time/],
    [{ ...good, id: 0 }, /id: /],
    ...["id", "origin_id", "reply_to"].map((name): [unknown, RegExp] => [
      { ...good, [name]: Number.MAX_SAFE_INTEGER },
      new RegExp(`${name}: at most ${MAX_EVENT_ID}$`),
    ]),
    [{ ...who, start_id: MAX_EVENT_ID + 1 }, /start_id: at most/],
    [{ ...who, positions: { main: MAX_EVENT_ID + 1 } }, /positions.main: at most/],
    [{ ...good, surprise: 1 }, /there is no "surprise"/],
    [{ kind: "event" }, /is missing/],
  ];
  for (const [line, said] of bad) {
    using to = testBus();
    const page = { version, log, first_line: 41, lines: [good, line] };
    const { code, message, details } = await to.refusal("import_events", page);
    assert.equal(code, "invalid_argument");
    assert.match(message, /^Cannot import line 42: /);
    assert.match(message, said);
    assert.equal(details.line, 42);
    assert.equal(tip(to.store), 0);
  }
  using to = testBus();
  const newer = await to.refusal("import_events", { version: version + 1, log, lines: [good] });
  assert.match(newer.message, /^Cannot import version 2: this bus knows 1/);
});

Deno.test("import: the highest id that there may be is followed by others, and the gap before it costs nothing", async () => {
  using from = await lived();
  using to = testBus();
  const { version, log, events } = await exported(from);
  const first = { ...events[0], id: 7 };
  const last = { ...events[0], id: MAX_EVENT_ID };
  await to.call("import_events", { version, log, lines: [first, last] });
  const next = { event_type: "t", payload: "" };
  for (const n of [1, 2]) {
    assert.equal((await to.call("publish_event", next)).event_id, MAX_EVENT_ID + n);
  }
  const page = await to.call("export_events", {});
  assert.deepEqual(page.lines.map(({ id }: Json) => id), [7]);
  const rest = await to.call("export_events", { after: page.next });
  assert.deepEqual(rest.lines.map(({ id }: Json) => id), [0, 1, 2].map((n) => MAX_EVENT_ID + n));
  assert.equal(rest.next, null);
});

Deno.test("export: what is no place in the log is refused, and not the end of it", async () => {
  using bus = await lived();
  for (const after of ["abc", "1e9", "-1", String(tip(bus.store) + 1)]) {
    assert.equal((await bus.refusal("export_events", { after })).code, "invalid_argument", after);
  }
});

Deno.test("export: since leaves out what is older, and an import of the rest adds it", async () => {
  using from = await lived();
  using to = testBus();
  await to.call("publish_event", { event_type: "own", payload: "" });
  const late = await exported(from, { since: new Date(START + 1000).toISOString() });
  assert.deepEqual(late.events.map(({ event_type }) => event_type), [
    "answer",
    "session_unregistered",
  ]);
  assert.equal((await importInto(to, late)).imported, 2);
  const all = await exported(from);
  assert.deepEqual((await importInto(to, all)).imported, all.events.length - 2);
});

Deno.test("export: every column of an event and of who a session is, is in its line", async () => {
  using bus = await lived();
  const { events, sessions } = await exported(bus);
  const columns = (table: string) =>
    (bus.store.db.prepare(`SELECT name FROM pragma_table_info('${table}')`).all() as {
      name: string;
    }[])
      .map(({ name }) => name);
  const called: Record<string, string> = { at: "timestamp" };
  assert.deepEqual(
    columns("event").map((name) => called[name] ?? name).sort(),
    Object.keys(events[0] ?? {}).filter((name) => name !== "kind").sort(),
  );
  // What it is doing, and as which process, is over when its log has moved.
  const passing = [
    "state",
    "state_at",
    "status",
    "status_at",
    "pid",
    "pid_start",
    "prompted_at",
    "last_event_id",
  ];
  assert.deepEqual(
    columns("session").filter((name) => !passing.includes(name))
      .map((name) => name === "id" ? "session_id" : name).sort(),
    Object.keys(sessions[0] ?? {}).filter((name) => name !== "kind" && name !== "positions").sort(),
  );
});

Deno.test("who operates the bus is on its machine: everybody else is refused", async () => {
  using bus = await lived();
  const calls: [name: string, args: Json][] = [
    ["backup", { path: "/tmp/never" }],
    ["export_events", {}],
    ["import_events", { version: 1, log: "0".repeat(16), lines: [] }],
    ["import_database", { path: "/tmp/never" }],
  ];
  for (const [name, args] of calls) {
    const { code, message } = await bus.refusal(name, args, REMOTE);
    assert.equal(code, "forbidden", name);
    assert.match(message, /only on the machine of the bus itself$/);
  }
});

for (const version of [1, 2, 3, 4, 5] as const satisfies OriginalVersion[]) {
  Deno.test(`import_database: a database of the original, schema ${version}, twice, and grown in between`, async () => {
    using home = tempHome();
    const path = join(home.path, "old.db");
    const db = createOriginal(path, version);
    fillOriginal(db, version);
    const events = (db.prepare("SELECT count(*) AS n FROM events").get() as { n: number }).n;
    const sessions = (db.prepare("SELECT count(*) AS n FROM sessions").get() as { n: number }).n;
    db.close();
    const bytes = Deno.readFileSync(path);
    using bus = testBus();
    await bus.call("publish_event", { event_type: "own", payload: "" });
    assert.deepEqual(await bus.call("import_database", { path }), {
      imported: events,
      known: 0,
      sessions_imported: sessions,
      sessions_known: 0,
    });
    assert.deepEqual(Deno.readFileSync(path), bytes, "it is only read");
    assert.deepEqual([...Deno.readDirSync(home.path)].map(({ name }) => name), ["old.db"]);
    assert.deepEqual(await bus.call("import_database", { path }), {
      imported: 0,
      known: events,
      sessions_imported: 0,
      sessions_known: sessions,
    });
    grow(path);
    const { imported } = await bus.call("import_database", { path });
    assert.equal(imported, 1, "what it got since is added");

    using upgraded = testBus(path);
    const there = without(
      (await exported(upgraded)).events,
      "id",
      "origin",
      "origin_id",
      "imported_at",
    );
    const here = without((await exported(bus)).events, "id", "origin", "origin_id", "imported_at");
    assert.deepEqual(here.slice(1), there, "the same as when it is carried over");
  });
}

/** What each schema of ours added to the one before. */
const SCHEMAS = [log_0001, delivery_0002, hooks_0003, archive_0004, tokens_0005];

for (const [before, _] of SCHEMAS.entries()) {
  const version = before + 1;
  Deno.test(`import_database: a database of ours, schema ${version}, twice`, async () => {
    using home = tempHome();
    const path = join(home.path, "old.db");
    const db = new DatabaseSync(path);
    for (const sql of SCHEMAS.slice(0, version)) db.exec(sql);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version};
      INSERT INTO event (event_type, payload, channel, session_id, at, signal_level, tags) VALUES
        ('note', 'one', 'all', 'me', 5, 1, '["a"]'), ('note', 'two', 'all', 'me', 6, 2, NULL);
      INSERT INTO session (id, display_id, name, machine, cwd, repo, registered_at, last_seen)
        VALUES ('me', 'bold-cat', 'me', 'home', '/w/r', 'r', 1, 1)`);
    db.close();
    using bus = testBus();
    await bus.call("publish_event", { event_type: "own", payload: "" });
    const sum = { imported: 2, known: 0, sessions_imported: 1, sessions_known: 0 };
    assert.deepEqual(await bus.call("import_database", { path }), sum);
    const again = { imported: 0, known: 2, sessions_imported: 0, sessions_known: 1 };
    assert.deepEqual(await bus.call("import_database", { path }), again);
    const { events } = await bus.call("get_events", { order: "asc", cursor: "1" });
    assert.deepEqual(
      events.map((
        { payload, timestamp, signal_level, tags }: Json,
      ) => [payload, timestamp, signal_level, tags]),
      [
        ["one", "1970-01-01T00:00:00.005Z", "info", ["a"]],
        ["two", "1970-01-01T00:00:00.006Z", "actionable", undefined],
      ],
    );
  });
}

Deno.test("import_database: a backup and an export of the same log are the same", async () => {
  using home = tempHome();
  using from = testBus(join(home.path, "data.db"));
  await from.call("register_session", { name: "a", client_id: "a", machine: "far" });
  const path = join(home.path, "copy.db");
  await from.call("backup", { path });
  using to = testBus();
  assert.equal((await importInto(to, await exported(from))).imported, 1);
  const { imported, known } = await to.call("import_database", { path });
  assert.deepEqual([imported, known], [0, 1]);
});

/** The original's server goes on. */
function grow(path: string): void {
  const db = new DatabaseSync(path);
  addEvent(db, { payload: "later" });
  db.close();
}

Deno.test("import_database: what was carried over at the start is known when its backup is imported", async () => {
  using home = tempHome();
  const path = join(home.path, "data.db");
  const db = createOriginal(path, 5);
  fillOriginal(db, 5);
  db.close();
  using bus = testBus(path);
  const { imported, known, sessions_imported } = await bus.call("import_database", {
    path: bus.store.carriedOver?.backup,
  });
  assert.deepEqual([imported, sessions_imported], [0, 0]);
  assert.ok(known > 0);
});

Deno.test("import_database: an event with an id beyond the bound is refused", async () => {
  using home = tempHome();
  const path = join(home.path, "old.db");
  const db = createOriginal(path, 5);
  addEvent(db, { event_type: "note", timestamp: "2026-01-08T12:00:00" });
  db.exec(`UPDATE events SET id = ${MAX_EVENT_ID + 1}`);
  db.close();
  using bus = testBus();
  const { code, message } = await bus.refusal("import_database", { path });
  assert.deepEqual([code, tip(bus.store)], ["conflict", 0]);
  assert.match(message, /ids are at most/);
});

Deno.test("import_database: refuses what is no database of a bus, is not there, or is its own", async () => {
  using home = tempHome();
  using bus = testBus(join(home.path, "data.db"));
  const refused = async (path: string) => (await bus.refusal("import_database", { path })).message;
  assert.match(await refused(join(home.path, "data.db")), /it is the database of this bus$/);
  assert.match(await refused(home.write("text.db", "hello")), /^Cannot import the database /);
  assert.match(await refused(join(home.path, "none.db")), /No such file/);
  assert.match(await refused("data.db"), /name the whole path$/);
  const foreign = new DatabaseSync(join(home.path, "foreign.db"));
  foreign.exec("CREATE TABLE t (x)");
  foreign.close();
  assert.match(await refused(join(home.path, "foreign.db")), /it is not an event bus database$/);
  assert.deepEqual(
    [...Deno.readDirSync(home.path)].filter(({ isDirectory }) => isDirectory),
    [],
    "nothing is left over",
  );
});
