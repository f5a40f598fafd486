/** Databases that an earlier version of this program made. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { APPLICATION_ID, openStore, SCHEMA_VERSION, schemaVersion } from "../../src/store/open.ts";
import log_0001 from "../../src/store/migrations/0001_log.sql" with { type: "text" };
import delivery_0002 from "../../src/store/migrations/0002_delivery.sql" with { type: "text" };
import { fileURLToPath } from "node:url";
import { testBus } from "../helpers/bus.ts";

/** A database as the first version left it: a session under way, one without an announcement, one ended. */
function firstVersion(path: string): void {
  const db = new DatabaseSync(path);
  db.exec(log_0001);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1;
    INSERT INTO event (event_type, payload, channel, session_id, at, signal_level) VALUES
      ('session_registered', '', 'all', 'me', 1, 0),
      ('session_registered', '', 'all', 'gone', 2, 0),
      ('note', 'old', 'all', 'gone', 3, 1),
      ('session_unregistered', '', 'all', 'gone', 4, 0),
      ('note', 'new', 'session:me', 'anonymous', 5, 2);
    INSERT INTO session (id, display_id, name, machine, cwd, repo, client_id, registered_at, last_seen, ended_at, end_reason) VALUES
      ('me', 'bold-cat', 'me', 'home', '/w/r', 'r', 'me', 1, 1, NULL, NULL),
      ('quiet', 'calm-cat', 'quiet', 'home', '/w/r', 'r', 'quiet', 1, 1, NULL, NULL),
      ('gone', 'late-cat', 'gone', 'home', '/w/r', 'r', 'gone', 2, 2, 4, 'unregistered');
    INSERT INTO position (session_id, consumer, event_id, moved_at) VALUES
      ('me', 'main', 3, 9), ('quiet', 'main', 4, 9), ('gone', 'main', 2, 9);
    INSERT INTO webhook (url, channel, created_at) VALUES ('http://127.0.0.1/', 'repo:*', 7)`);
  db.close();
}

function inFolder(work: (path: string) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const folder = Deno.makeTempDirSync();
    try {
      await work(`${folder}/data.db`);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  };
}

Deno.test(
  "openStore brings a database of the first version up to date and keeps what is in it",
  inFolder((path) => {
    firstVersion(path);
    const store = openStore(path);
    const all = (sql: string) => store.db.prepare(sql).all().map((row) => ({ ...row }));
    assert.equal(schemaVersion(store.db), SCHEMA_VERSION);
    assert.deepEqual(
      all(
        "SELECT session_id, principal, consumer, event_id, moved_at FROM position ORDER BY event_id",
      ),
      [
        { session_id: "gone", principal: "", consumer: "main", event_id: 2, moved_at: 9 },
        { session_id: "me", principal: "", consumer: "main", event_id: 3, moved_at: 9 },
        { session_id: "quiet", principal: "", consumer: "main", event_id: 4, moved_at: 9 },
      ],
    );
    assert.deepEqual(all("SELECT id, start_id FROM session ORDER BY id"), [
      { id: "gone", start_id: 2 },
      { id: "me", start_id: 1 },
      { id: "quiet", start_id: 4 },
    ]);
    assert.deepEqual(all("SELECT url, channel, active, attempts FROM webhook"), [
      { url: "http://127.0.0.1/", channel: "repo:*", active: 1, attempts: 0 },
    ]);
    assert.deepEqual(all("SELECT * FROM delivery"), [], "what reached whom before is not known");
    const fresh = openStore(":memory:");
    const schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name";
    assert.deepEqual(all(schema), fresh.db.prepare(schema).all().map((row) => ({ ...row })));
    fresh.close();
    store.close();
  }),
);

Deno.test(
  "a session of the first version reads on where it stood, as main, as urgent and under any name",
  inFolder(async (path) => {
    firstVersion(path);
    using bus = testBus(path);
    const read = async (session_id: string, consumer: string) =>
      (await bus.call("get_events", { session_id, consumer, resume: true, order: "asc" })).events
        .map(({ id }: { id: number }) => id);
    assert.deepEqual(await read("me", "ci"), [2, 3, 4, 5], "from its registration on");
    assert.deepEqual(await read("me", "urgent"), [5]);
    assert.deepEqual(await read("me", "main"), [4]);
    assert.deepEqual(await read("quiet", "main"), [5]);
  }),
);

Deno.test(
  "a consumer of a session that nobody announced begins where that stood, also when main reads on",
  inFolder(async (path) => {
    firstVersion(path);
    using bus = testBus(path);
    const look = { session_id: "quiet", consumer: "ci", resume: true, peek: true };
    assert.equal((await bus.call("get_events", look)).events.length, 1);
    await bus.call("get_events", { session_id: "quiet", resume: true });
    const again = await bus.call("get_events", look);
    assert.deepEqual(
      [again.events.length, again.unread],
      [1, 1],
      "main's reading on is not its own",
    );
  }),
);

Deno.test(
  "a session belongs to whoever registered it, as far as the log knows; the others are nobody's yet",
  inFolder((path) => {
    firstVersion(path);
    const old = new DatabaseSync(path);
    old.exec(delivery_0002);
    old.exec(`PRAGMA user_version = 2;
      UPDATE event SET principal = 'token' WHERE id = 1;
      UPDATE event SET principal = 'loopback' WHERE id IN (3, 4)`);
    old.close();
    const store = openStore(path);
    assert.deepEqual(
      store.db.prepare("SELECT id, principal FROM session ORDER BY id").all()
        .map((row) => ({ ...row })),
      [
        { id: "gone", principal: null },
        { id: "me", principal: "token" },
        { id: "quiet", principal: null },
      ],
    );
    store.close();
  }),
);

/** The migrations as they stand in their folder, in order. */
function migrations(): string[] {
  const folder = fileURLToPath(new URL("../../src/store/migrations", import.meta.url));
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort()
    .map((name) => Deno.readTextFileSync(`${folder}/${name}`));
}

/** A database as each version of this program left it. */
function versionOf(path: string, version: number): void {
  firstVersion(path);
  const db = new DatabaseSync(path);
  for (const sql of migrations().slice(1, version)) db.exec(sql);
  db.exec(`PRAGMA user_version = ${version}`);
  db.close();
}

for (let version = 1; version <= SCHEMA_VERSION; version++) {
  Deno.test(
    `openStore brings schema ${version} up to date in place, once, and keeps it the second time`,
    inFolder(async (path) => {
      versionOf(path, version);
      const facts: unknown[] = [];
      for (let time = 0; time < 2; time++) {
        using bus = testBus(path);
        assert.equal(schemaVersion(bus.store.db), SCHEMA_VERSION);
        const { events } = await bus.call("get_events", { order: "asc" });
        const sessions = bus.store.db.prepare("SELECT id FROM session ORDER BY id").all();
        const look = { session_id: "me", resume: true, peek: true };
        const { unread } = await bus.call("get_events", look);
        facts.push({
          events: events.map(({ id, payload }: { id: number; payload: string }) => [id, payload]),
          sessions: sessions.map(({ id }) => id),
          unread,
          webhooks: (await bus.call("list_webhooks")).length,
        });
        const check = bus.store.db.prepare("PRAGMA integrity_check").get();
        assert.deepEqual({ ...check }, { integrity_check: "ok" });
      }
      assert.deepEqual(facts[0], {
        events: [[1, ""], [2, ""], [3, "old"], [4, ""], [5, "new"]],
        sessions: ["gone", "me", "quiet"],
        unread: 2,
        webhooks: 1,
      });
      assert.deepEqual(facts[1], facts[0]);
    }),
  );
}
