/** Pruning: what goes, what stays and for whom, and that nothing is in neither log nor archive. */
import assert from "node:assert/strict";
import { keepRetention } from "../../src/upkeep.ts";
import { type ArchivingBus, archivingBus, DAY_MS } from "../helpers/archive.ts";
import { LOCAL, testBus } from "../helpers/bus.ts";

async function publish(bus: ArchivingBus, more: Record<string, unknown> = {}): Promise<number> {
  const event = { event_type: "note", payload: `at ${bus.clock()} ${bus.live().length}`, ...more };
  return (await bus.call("publish_event", event)).event_id;
}

const days = (bus: ArchivingBus, n: number) => bus.pass(n * DAY_MS);

const heldBy = async (bus: ArchivingBus, older: number) =>
  (await bus.call("prune", { older_than_seconds: older * DAY_MS / 1000 })).held_by;

Deno.test("prune moves what is older to the archive, and leaves the rest of the log as it was", async () => {
  using bus = archivingBus();
  const old = [
    await publish(bus, { title: "t", tags: ["a", "b"], correlation_id: "c", channel: "repo:x" }),
    await publish(bus, { payload: "two\nlines, “quoted”, \u001b[31m" }),
  ];
  const before = (await bus.call("get_events", { order: "asc" })).events;
  days(bus, 91);
  const young = await publish(bus);
  assert.equal(await bus.prune(90), 2);
  assert.deepEqual(bus.live(), [young]);
  const { events, next_cursor, damaged } = await bus.call("get_archived_events");
  assert.deepEqual(events, before, "every field as it was");
  assert.deepEqual([next_cursor, damaged], [null, []]);
  assert.deepEqual(old, [1, 2]);
  assert.equal(await bus.prune(90), 0, "again is nothing more");
  const files = [...Deno.readDirSync(bus.folder)].map(({ name }) => name);
  assert.deepEqual(files, ["2026-01.jsonl.gz"], "named after when they were published");
  assert.equal(Deno.statSync(`${bus.folder}/2026-01.jsonl.gz`).mode! & 0o777, 0o600);
  assert.equal(Deno.statSync(bus.folder).mode! & 0o777, 0o700);
});

Deno.test("prune: ids go on, the tip stays, and old cursors read what is left", async () => {
  using bus = archivingBus();
  await publish(bus);
  await publish(bus);
  days(bus, 91);
  await bus.prune(90);
  assert.deepEqual(bus.live(), []);
  const empty = await bus.call("get_events", { cursor: "1" });
  assert.deepEqual([empty.events, empty.next_cursor], [[], "2"]);
  assert.equal(await publish(bus), 3);
  for (const cursor of ["0", "1", "2"]) {
    const { events } = await bus.call("get_events", { cursor, order: "asc" });
    assert.deepEqual(events.map(({ id }: { id: number }) => id), [3]);
  }
  assert.equal((await bus.refusal("get_events", { cursor: "4" })).details.tip, "3");
});

Deno.test("prune: what a living session has not read stays, and all after it", async () => {
  using bus = archivingBus();
  const reader = { session_id: "me", resume: true, order: "asc", limit: 2 };
  await bus.call("register_session", { name: "me", client_id: "me" });
  const ids = [await publish(bus), await publish(bus), await publish(bus)];
  await publish(bus, { session_id: "me" });
  await bus.call("get_events", reader);
  // Somebody who listens is there, however quiet.
  const leave = bus.readers.attend("me", "stream");
  days(bus, 91);
  const [display] = (await bus.call("list_sessions")).map((s: { display_id: string }) =>
    s.display_id
  );
  assert.deepEqual(await heldBy(bus, 90), [`session ${display}`]);
  assert.deepEqual(bus.live(), [ids[2], 5], "the registration and the two that it has read went");
  const { events, unread } = await bus.call("get_events", reader);
  assert.deepEqual([events.map(({ id }: { id: number }) => id), unread], [[ids[2]], 0]);
  assert.deepEqual(await heldBy(bus, 90), [], "its own is nothing that it waits for");
  assert.deepEqual(bus.live(), []);
  leave();
});

Deno.test("prune: a session that ended before goes with its positions, and is new when it comes back", async () => {
  using bus = archivingBus();
  await bus.call("register_session", { name: "me", client_id: "me" });
  await bus.call("register_session", { name: "asked", client_id: "asked" });
  await bus.call("get_events", { session_id: "me", resume: true });
  await bus.call("get_events", { session_id: "me", resume: true, consumer: "ci" });
  await bus.call("unregister_session", { session_id: "me" });
  await bus.call("unregister_session", { session_id: "asked" });
  days(bus, 60);
  const waiting = await publish(bus, { channel: "session:asked" });
  days(bus, 60);
  await publish(bus);
  assert.equal(await bus.prune(90), 4);
  const rows = (table: string) =>
    bus.store.db.prepare(`SELECT * FROM ${table}`).all().map((row) => row.session_id ?? row.id);
  assert.deepEqual(rows("session"), ["asked"], "a message waits for that one");
  assert.deepEqual(rows("position"), ["asked"]);
  assert.deepEqual(rows("delivery"), []);
  const again = await bus.call("register_session", { name: "me", client_id: "me" });
  assert.deepEqual([again.session_id, again.resumed], ["me", false]);
  const back = await bus.call("register_session", { name: "asked", client_id: "asked" });
  assert.equal(back.resumed, true);
  const unread = await bus.call("get_events", { session_id: "asked", resume: true, order: "asc" });
  assert.equal(unread.events[0].id, waiting);
});

Deno.test("prune: who has an event in the log is not forgotten, so nobody is given its id and its answers", async () => {
  using bus = archivingBus();
  await bus.call("register_session", { name: "a", client_id: "a" });
  await bus.call("unregister_session", { session_id: "a" });
  days(bus, 100);
  const { event_id } = await bus.call("publish_event", {
    event_type: "question",
    payload: "",
    session_id: "a",
  });
  days(bus, 1);
  await publish(bus);
  assert.equal(await bus.prune(90), 2);
  const mallory = { principal: "mallory", local: false };
  const other = await bus.call("register_session", { name: "m", client_id: "a" }, mallory);
  assert.notEqual(other.session_id, "a");
  assert.equal(
    (await bus.call("publish_event", {
      event_type: "answer",
      payload: "",
      reply_to: event_id,
    })).channel,
    "session:a",
  );
});

Deno.test("prune: a session of which nobody noted the last event stays as long as it may have one", async () => {
  using bus = archivingBus();
  await bus.call("register_session", { name: "a", client_id: "a" });
  await bus.call("unregister_session", { session_id: "a" });
  bus.store.db.exec("UPDATE session SET last_event_id = NULL");
  days(bus, 91);
  const last = await publish(bus);
  assert.equal(await bus.prune(90), 2);
  assert.ok(await bus.call("get_session", { session_id: "a" }));
  days(bus, 91);
  await publish(bus);
  assert.deepEqual([bus.live()[0], await bus.prune(90)], [last, 1]);
  assert.equal((await bus.refusal("get_session", { session_id: "a" })).code, "not_found");
});

Deno.test("prune: a webhook's events stay until they were sent, also while it is paused", async () => {
  using bus = archivingBus();
  const { webhook_id } = await bus.call("register_webhook", {
    url: "http://127.0.0.1:9/",
    channel: "repo:x",
  });
  await publish(bus);
  const due = await publish(bus, { channel: "repo:x" });
  const after = await publish(bus);
  days(bus, 91);
  assert.deepEqual(await heldBy(bus, 90), [`webhook ${webhook_id}`]);
  assert.deepEqual(bus.live(), [due, after], "what is not for it is no reason");
  await bus.call("set_webhook_active", { webhook_id, active: false });
  assert.deepEqual(await heldBy(bus, 90), [`webhook ${webhook_id} (paused)`]);
  await bus.call("unregister_webhook", { webhook_id });
  assert.deepEqual(await heldBy(bus, 90), []);
  assert.deepEqual(bus.live(), []);
});

Deno.test("prune: a named consumer in use keeps what it has yet to read, one that was given up does not", async () => {
  using bus = archivingBus();
  const ci = { consumer: "ci", resume: true, order: "asc", limit: 1 };
  await bus.call("get_events", { ...ci, limit: 0 });
  const ids = [await publish(bus), await publish(bus), await publish(bus)];
  days(bus, 91);
  await bus.call("get_events", ci);
  assert.deepEqual(await heldBy(bus, 90), ['consumer "ci"']);
  assert.deepEqual(bus.live(), ids.slice(1));
  days(bus, 91);
  const young = await publish(bus);
  assert.deepEqual(await heldBy(bus, 90), [], "not moved since");
  assert.deepEqual(bus.live(), [young]);
  const { events, unread } = await bus.call("get_events", ci);
  assert.deepEqual([events[0].id, unread], [young, 0], "it goes on with what is left");
});

Deno.test("prune: who comes late is told through which id events are in the archive, and who asks for what there is, is not", async () => {
  using bus = archivingBus();
  const late = { consumer: "nightly", resume: true };
  await bus.call("get_events", late);
  for (let i = 0; i < 3; i++) await publish(bus);
  assert.equal((await bus.call("get_events", { cursor: "1" })).archived_through, undefined);
  days(bus, 91);
  const young = await publish(bus);
  await bus.prune(90);
  const said = async (args: Record<string, unknown>) =>
    (await bus.call("get_events", args)).archived_through;
  for (const cursor of ["0", "2"]) {
    assert.equal(await said({ cursor, order: "asc" }), "3", cursor);
    assert.equal(await said({ cursor, channel: "repo:x" }), "3", "also with an empty page");
  }
  assert.equal(await said({ cursor: "3" }), undefined);
  assert.equal(await said({}), undefined);
  const page = await bus.call("get_events", late);
  assert.deepEqual([page.events[0].id, page.archived_through], [young, "3"]);
  assert.equal(await said(late), undefined, "once: then it has passed them");
});

Deno.test("prune: rows of the record go with their events, those over events that are left stay", async () => {
  using bus = archivingBus();
  await bus.call("register_session", { name: "me", client_id: "me" });
  const leave = bus.readers.attend("me", "stream");
  const read = () => bus.call("get_events", { session_id: "me", resume: true });
  await publish(bus);
  await read();
  days(bus, 50);
  const kept = await publish(bus);
  await read();
  days(bus, 50);
  const spans = () =>
    bus.store.db.prepare("SELECT through_id FROM delivery ORDER BY id").all().map((row) =>
      row.through_id
    );
  const late = { consumer: "late", resume: true, cursor: "1", limit: 1, order: "asc" };
  await bus.call("get_events", late);
  assert.deepEqual(spans(), [2, kept, 2]);
  await publish(bus);
  assert.equal(await bus.prune(90), 2);
  assert.deepEqual(spans(), [kept, 2], "what was written lately goes with later events");
  const report = await bus.call("get_delivery", { event_id: kept });
  assert.equal(report.audience[0].state, "has");
  await read();
  days(bus, 91);
  assert.equal(await bus.prune(90), 2);
  assert.deepEqual(spans(), []);
  assert.match((await bus.refusal("get_delivery", { event_id: kept })).message, /archive/);
  leave();
});

Deno.test("prune: a wrong clock neither holds it up nor tears a hole into the log", async () => {
  using bus = archivingBus();
  const first = await publish(bus);
  days(bus, 10_000);
  const future = await publish(bus);
  days(bus, -10_000);
  const next = await publish(bus);
  days(bus, 91);
  const young = await publish(bus);
  days(bus, -400);
  const backdated = await publish(bus);
  days(bus, 400);
  assert.equal(await bus.prune(90), 3);
  assert.deepEqual(await bus.archived(), [first, next, future], "by month");
  assert.deepEqual(bus.live(), [young, backdated], "what comes after a young one is younger");
});

Deno.test("prune: an event whose dedupe key still counts stays", async () => {
  using bus = archivingBus();
  const key = { dedupe_key: "k", payload: "once" };
  await publish(bus);
  const first = await publish(bus, key);
  bus.pass(3_600_000);
  await bus.call("prune", { older_than_seconds: 60 });
  assert.deepEqual(bus.live(), [first]);
  assert.equal((await bus.call("publish_event", { event_type: "note", ...key })).event_id, first);
  days(bus, 1);
  await bus.call("prune", { older_than_seconds: 60 });
  assert.deepEqual(bus.live(), []);
});

Deno.test("prune --dry-run says what prune does, and does nothing", async () => {
  using bus = archivingBus();
  for (let i = 0; i < 5; i++) await publish(bus);
  days(bus, 91);
  await publish(bus);
  const args = { older_than_seconds: 90 * DAY_MS / 1000 };
  const said = await bus.call("prune", { ...args, dry_run: true });
  assert.equal(bus.live().length, 6);
  assert.deepEqual(await bus.archived(), []);
  assert.deepEqual(await bus.call("prune", args), said);
  assert.deepEqual([said.events, said.through, said.held_by], [5, "5", []]);
});

Deno.test("prune: a log of many steps goes in order, to the last", async () => {
  using bus = archivingBus();
  bus.store.db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
    INSERT INTO event (event_type, payload, channel, session_id, at, signal_level)
    SELECT 'noise', 'word' || i, 'all', 's', i * 60000, 1 FROM n`,
  );
  assert.equal((await bus.call("search_events", { query: "word77" })).events.length, 1);
  assert.equal(await bus.prune(1), 2500);
  assert.deepEqual(await bus.archived(999), Array.from({ length: 2500 }, (_, i) => i + 1));
  assert.equal((await bus.call("search_events", { query: "word77" })).events.length, 0);
  const { integrity_check } = bus.store.db.prepare("PRAGMA integrity_check").get() as never;
  assert.equal(integrity_check, "ok");
  const { freelist_count } = bus.store.db.prepare("PRAGMA freelist_count").get() as never;
  assert.ok(
    freelist_count < 20,
    `the file has given back what was free, but ${freelist_count} pages`,
  );
});

Deno.test("prune: words that the index never learned are no reason to keep events", async () => {
  using bus = archivingBus();
  await publish(bus, { payload: "short" });
  await bus.call("search_events", { query: "short" });
  bus.store.db.exec("UPDATE event SET payload = 'so very much longer than it was before'");
  days(bus, 91);
  const young = await publish(bus, { payload: "needle" });
  assert.equal(await bus.prune(90), 1);
  const { events } = await bus.call("search_events", { query: "needle" });
  assert.deepEqual(events.map(({ id }: { id: number }) => id), [young]);
  assert.equal((await bus.call("search_events", { query: "short" })).events.length, 0);
});

Deno.test("prune: what dies between archive and delete leaves events in both, shown once", async () => {
  using bus = archivingBus();
  for (let i = 0; i < 5; i++) await publish(bus);
  days(bus, 91);
  const { inBatch } = bus.store;
  Object.assign(bus.store, { inBatch: () => Promise.reject(new Error("killed")) });
  assert.equal((await bus.refusal("prune", { older_than_seconds: 60 })).code, "internal");
  Object.assign(bus.store, { inBatch });
  assert.deepEqual(bus.live(), [1, 2, 3, 4, 5]);
  assert.deepEqual(await bus.archived(), [1, 2, 3, 4, 5]);
  assert.equal(await bus.prune(90), 5);
  for (const limit of [1, 2, 100]) assert.deepEqual(await bus.archived(limit), [1, 2, 3, 4, 5]);
});

Deno.test("prune: nothing leaves the log when the archive cannot be written", async () => {
  using bus = archivingBus();
  await publish(bus);
  days(bus, 91);
  Deno.writeTextFileSync(bus.folder, "in the way");
  const refusal = await bus.refusal("prune", { older_than_seconds: 60 });
  assert.equal(refusal.code, "unavailable");
  assert.match(refusal.message, /archive.*the events stay where they are/);
  assert.deepEqual(bus.live(), [1]);
});

/** Lets something happen between archive and delete. */
function meanwhile(bus: ArchivingBus, happens: () => unknown): void {
  const { archive } = bus;
  Object.assign(bus, {
    archive: {
      ...archive,
      async append(events: never) {
        await archive?.append(events);
        await happens();
      },
    },
  });
}

Deno.test("prune: who goes back while it archives keeps what it went back for", async () => {
  using bus = archivingBus();
  await bus.call("register_session", { name: "me", client_id: "me" });
  const leave = bus.readers.attend("me", "stream");
  for (let i = 0; i < 4; i++) await publish(bus);
  await bus.call("get_events", { session_id: "me", resume: true });
  days(bus, 91);
  const back = { session_id: "me", cursor: "3", allow_rewind: true };
  meanwhile(bus, () => bus.call("ack_events", back));
  assert.equal((await bus.call("prune", { older_than_seconds: 60 })).events, 3);
  assert.deepEqual(bus.live(), [4, 5]);
  const { events } = await bus.call("get_events", { session_id: "me", resume: true, order: "asc" });
  assert.deepEqual(events.map(({ id }: { id: number }) => id), [4, 5]);
  leave();
});

Deno.test("prune deletes nothing that it has not archived", async () => {
  using bus = archivingBus();
  for (let i = 0; i < 3; i++) await publish(bus);
  const { db } = bus.store;
  db.exec("DELETE FROM event WHERE id = 2");
  days(bus, 91);
  meanwhile(bus, () =>
    db.exec(
      `INSERT INTO event (id, event_type, payload, channel, session_id, at, signal_level)
       VALUES (2, 'note', '', 'all', 'anonymous', 0, 1)`,
    ));
  assert.equal((await bus.refusal("prune", { older_than_seconds: 60 })).code, "conflict");
  assert.deepEqual(bus.live(), [1, 2, 3]);
});

Deno.test("prune is for operators, one at a time, and not for a bus in memory", async () => {
  using memory = testBus();
  const args = { older_than_seconds: 60 };
  assert.match((await memory.refusal("prune", args)).message, /no archive/);
  using bus = archivingBus();
  await publish(bus);
  days(bus, 91);
  const weak = await bus.refusal("prune", args, { scopes: new Set(["read", "publish"] as const) });
  assert.equal(weak.code, "forbidden");
  const both = await Promise.allSettled([bus.call("prune", args), bus.call("prune", args)]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.deepEqual(await bus.archived(), [1]);
});

Deno.test("keepRetention ends the silent and moves what is older, as often as it is asked", async () => {
  using bus = archivingBus();
  await bus.call("register_session", { name: "me", client_id: "me" });
  await publish(bus);
  days(bus, 91);
  await keepRetention(bus, 90 * DAY_MS, LOCAL);
  assert.deepEqual(
    bus.live(),
    [3],
    "the session that was silent holds nothing, and its end is new",
  );
  const byHand = bus.call("prune", { older_than_seconds: 60 });
  await keepRetention(bus, 90 * DAY_MS, LOCAL);
  await byHand;
  assert.deepEqual(await bus.archived(), [1, 2]);
  using memory = testBus();
  await assert.rejects(keepRetention(memory, 90 * DAY_MS, LOCAL), /no archive/);
});
