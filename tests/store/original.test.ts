import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { BusError } from "../../src/errors.ts";
import { APPLICATION_ID, openStore, SCHEMA_VERSION, type Store } from "../../src/store/open.ts";
import { carryOver } from "../../src/store/original.ts";
import { originalTime } from "../../src/store/original/source.ts";
import {
  addEvent,
  addSession,
  addWebhook,
  createOriginal,
  fillOriginal,
  type OriginalVersion,
} from "../helpers/original_database.ts";

const VERSIONS: readonly OriginalVersion[] = [1, 2, 3, 4, 5];
const UUID = "0f8b6f6e-9d2c-4a54-8f39-3f1f2d1e0c11";

function inFolder(work: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    work(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Upgrades a database that `fill` filled, and looks at it. */
function upgraded(
  version: OriginalVersion,
  fill: (db: DatabaseSync) => void,
  look: (store: Store) => void,
): void {
  inFolder((folder) => {
    const path = `${folder}/data.db`;
    const old = createOriginal(path, version);
    fill(old);
    old.close();
    const store = openStore(path);
    try {
      look(store);
    } finally {
      store.close();
    }
  });
}

const all = (db: DatabaseSync, sql: string) => db.prepare(sql).all().map((row) => ({ ...row }));
const local = (text: string) => new Date(text).getTime();
const hash = (path: string) => createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
const names = (folder: string) =>
  [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name !== "data.db-lock")
    .sort();

function refuses(path: string, message: RegExp): void {
  assert.throws(() => openStore(path), (thrown) => {
    assert.ok(thrown instanceof BusError);
    assert.equal(thrown.code, "unavailable");
    assert.match(thrown.message, message);
    assert.ok(thrown.message.includes(path));
    return true;
  });
}

for (const version of VERSIONS) {
  Deno.test(`openStore carries over every row of the original's schema ${version}`, () => {
    upgraded(version, (db) => fillOriginal(db, version), (store) => {
      const first = "c-1";
      const second = version === 1 ? "calm-newt" : UUID;
      const common = {
        machine: "mac",
        cwd: "/src/project",
        repo: "project",
        state: null,
        status: null,
      };
      const sessions = all(
        store.db,
        `SELECT id, display_id, name, machine, cwd, repo, client_id, registered_at, last_seen,
           ended_at, end_reason, start_id, state, status FROM session ORDER BY display_id`,
      );
      assert.deepEqual(sessions, [{
        ...common,
        id: first,
        display_id: "brave-otter",
        name: "feature",
        client_id: "c-1",
        registered_at: local("2026-01-09T10:00:00.000"),
        last_seen: local("2026-01-09T12:30:00"),
        ended_at: null,
        end_reason: null,
        start_id: 1,
      }, {
        ...common,
        id: second,
        display_id: "calm-newt",
        name: "überarbeitung 🦦",
        client_id: null,
        registered_at: local("2026-01-09T10:05:00.123"),
        last_seen: local("2026-01-09T10:06:00.500"),
        ended_at: version === 1 ? null : local("2026-01-09T11:00:00.999"),
        end_reason: version === 1 ? null : "unregistered",
        start_id: 40,
      }]);

      const plain = {
        channel: "all",
        correlation_id: null,
        title: null,
        tags: null,
        principal: null,
        reply_to: null,
        dedupe_key: null,
      };
      const [lifecycle, info, actionable] = [0, 1, 2];
      const direct = version === 1
        ? { channel: "all", signal_level: info }
        : { channel: "session:brave-otter", signal_level: actionable };
      const events = all(
        store.db,
        `SELECT id, event_type, payload, channel, session_id, at, signal_level, correlation_id,
           title, tags, principal, reply_to, dedupe_key FROM event ORDER BY id`,
      );
      assert.deepEqual(events, [{
        ...plain,
        id: 1,
        event_type: "session_registered",
        payload: "said",
        session_id: "brave-otter",
        at: local("2026-01-09T10:00:00.000"),
        signal_level: lifecycle,
      }, {
        ...plain,
        id: 2,
        event_type: "note",
        payload: 'line\n"quoted" ünï 🦦',
        session_id: "anonymous",
        at: local("2026-01-09T10:01:02.345"),
        signal_level: info,
      }, {
        ...plain,
        ...(version >= 2 ? { channel: "repo:project" } : {}),
        ...(version >= 4 ? { correlation_id: "thread-1", title: "Help", tags: '["a","b,c"]' } : {}),
        id: 3,
        event_type: "help_needed",
        payload: "",
        session_id: second,
        at: local("2026-07-09T10:02:00"),
        signal_level: version >= 4 ? info : actionable,
      }, {
        ...plain,
        ...direct,
        id: 40,
        event_type: "note",
        payload: "said",
        session_id: "anonymous",
        at: local("2026-01-09T12:00:00"),
      }]);

      const moved = (at: string) => ({
        principal: "",
        consumer: "main",
        moved_at: local(at),
        path: null,
      });
      assert.deepEqual(
        all(
          store.db,
          `SELECT session_id, principal, consumer, event_id, moved_at, path FROM position
           ORDER BY session_id DESC`,
        ),
        [
          // Schema 1 had no cursors: its sessions start at their registration, else at the tip.
          {
            ...moved("2026-01-09T12:30:00"),
            session_id: first,
            event_id: version === 1 ? 1 : 3,
          },
          { ...moved("2026-01-09T10:06:00.500"), session_id: second, event_id: 40 },
        ].sort((a, b) => a.session_id < b.session_id ? 1 : -1),
      );

      const created_at = local("2026-01-09T12:00:00");
      const sound = { attempts: 0, paused_reason: null };
      assert.deepEqual(
        all(
          store.db,
          `SELECT id, url, channel, event_types, secret, active, created_at, attempts, paused_reason
           FROM webhook ORDER BY id`,
        ),
        version < 3 ? [] : [{
          ...sound,
          id: 1,
          url: "http://a/",
          channel: "repo:*",
          event_types: '["x","y"]',
          secret: null,
          active: 1,
          created_at,
        }, {
          ...sound,
          id: 2,
          url: "http://b/",
          channel: "repo:foo",
          event_types: null,
          secret: "s3cret",
          active: 0,
          created_at,
        }],
      );
      assert.deepEqual(
        { ...store.carriedOver, backup: "" },
        {
          from: store.path,
          version,
          backup: "",
          others: [],
          events: 4,
          sessions: 2,
          webhooks: version < 3 ? 0 : 2,
        },
      );
    });
  });
}

Deno.test("openStore leaves nothing of the original's tables and what a new database has", () => {
  upgraded(5, (db) => fillOriginal(db, 5), (store) => {
    const fresh = openStore(":memory:");
    const schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name";
    assert.deepEqual(all(store.db, schema), all(fresh.db, schema));
    fresh.close();
    const marks = "SELECT * FROM pragma_application_id, pragma_user_version";
    assert.deepEqual(all(store.db, marks), [
      { application_id: APPLICATION_ID, user_version: SCHEMA_VERSION },
    ]);
    assert.deepEqual(all(store.db, "PRAGMA integrity_check"), [{ integrity_check: "ok" }]);
    assert.deepEqual(
      all(store.db, "SELECT name FROM sqlite_sequence ORDER BY name"),
      [{ name: "event" }, { name: "webhook" }],
    );
  });
});

Deno.test("openStore upgrades once: the second time nothing changes and nothing is reported", () => {
  inFolder((folder) => {
    const path = `${folder}/data.db`;
    const old = createOriginal(path, 5);
    fillOriginal(old, 5);
    old.close();
    openStore(path).close();
    const rows = () => {
      const db = new DatabaseSync(path);
      const tables = ["event", "session", "position", "delivery", "webhook", "sqlite_sequence"];
      const found = tables.map((table) => all(db, `SELECT * FROM ${table}`));
      db.close();
      return found;
    };
    const before = rows();
    const files = names(folder);
    const again = openStore(path);
    assert.equal(again.carriedOver, null);
    again.close();
    assert.deepEqual(rows(), before);
    assert.deepEqual(names(folder), files);
  });
});

Deno.test("openStore keeps an exact copy of the original beside it, the user's alone", () => {
  inFolder((folder) => {
    const path = `${folder}/data.db`;
    const old = createOriginal(path, 3);
    fillOriginal(old, 3);
    old.close();
    Deno.chmodSync(path, 0o644);
    const before = hash(path);
    const store = openStore(path);
    const backup = store.carriedOver?.backup ?? "";
    store.close();
    assert.match(backup, /\/data\.db\.original-v3-\d{8}T\d{6}Z$/);
    assert.equal(hash(backup), before);
    assert.equal((Deno.statSync(backup).mode ?? 0) & 0o777, 0o600);
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    assert.deepEqual(names(folder), ["data.db", backup.slice(folder.length + 1)]);
  });
});

Deno.test("openStore goes on with the original's ids, also after those of deleted rows", () => {
  upgraded(5, (db) => {
    addEvent(db, { id: 7 });
    addEvent(db, { id: 90 });
    db.exec("DELETE FROM events WHERE id = 90");
    addWebhook(db, { url: "http://a/" });
    db.exec("DELETE FROM webhooks");
  }, ({ db }) => {
    const insert = "INSERT INTO event (event_type, payload, channel, session_id, at, signal_level)";
    assert.equal(
      db.prepare(`${insert} VALUES ('t', '', 'all', 'x', 0, 1)`).run().lastInsertRowid,
      91,
    );
    const hook = db.prepare("INSERT INTO webhook (url, created_at) VALUES ('http://b/', 0)").run();
    assert.equal(hook.lastInsertRowid, 2);
  });
});

Deno.test("openStore starts a session without a usable cursor at its last registration, else at the tip", () => {
  const cursors: [id: string, cursor: string | null, position: number][] = [
    ["kept", "2", 2],
    ["from-zero", "0", 0],
    ["none", null, 5],
    ["text", "abc", 4],
    ["future", "100", 6],
    ["negative", "-1", 6],
    ["huge", "99999999999999999999", 6],
  ];
  upgraded(5, (db) => {
    for (const [id, last_cursor] of cursors) {
      addSession(db, { id, display_id: `name-${id}`, last_cursor });
    }
    for (const session_id of ["x", "none", "kept", "text", "none"]) {
      addEvent(db, { event_type: "session_registered", session_id });
    }
    addEvent(db, { session_id: "none" });
  }, ({ db }) => {
    const found = all(db, "SELECT session_id, event_id FROM position WHERE consumer = 'main'");
    assert.deepEqual(
      new Map(found.map(({ session_id, event_id }) => [session_id, event_id])),
      new Map(cursors.map(([id, , position]) => [id, position])),
    );
  });
});

Deno.test("openStore makes display ids unique: the living, then the latest heard keep theirs", () => {
  const heard = (minute: number) => `2026-01-09T10:${minute}:00.000001`;
  upgraded(2, (db) => {
    const twin = { display_id: "bold-cat" };
    addSession(db, { ...twin, id: "ended", deleted_at: heard(50), last_heartbeat: heard(49) });
    addSession(db, { ...twin, id: "early", last_heartbeat: heard(10) });
    addSession(db, { ...twin, id: "late", last_heartbeat: heard(20) });
    addSession(db, { id: "own", display_id: "bold-cat-2", last_heartbeat: heard(11) });
    // A direct message may name either id, so a display id may not be somebody else's id.
    addSession(db, { id: "odd-one", display_id: "even-one" });
    addSession(db, { id: "shadow", display_id: "odd-one" });
    addSession(db, { id: "warm-bee", display_id: null });
    addSession(db, { id: "nameless", display_id: null });
    addSession(db, { id: null, display_id: "lost-id" });
  }, ({ db }) => {
    const found = all(db, "SELECT id, display_id FROM session");
    const names = new Map(found.map(({ id, display_id }) => [id, String(display_id)]));
    assert.equal(names.size, 9);
    assert.equal(names.get("late"), "bold-cat");
    assert.equal(names.get("own"), "bold-cat-2");
    assert.equal(names.get("early"), "bold-cat-3");
    assert.equal(names.get("ended"), "bold-cat-4");
    assert.equal(names.get("odd-one"), "even-one");
    assert.equal(names.get("shadow"), "odd-one-2");
    assert.equal(names.get("warm-bee"), "warm-bee");
    assert.match(names.get("nameless") ?? "", /^[a-z]+-[a-z]+$/);
    assert.ok([...names.values()].includes("lost-id"));
  });
});

Deno.test("openStore keeps twins of one client, poison client ids, and frees the anonymous name", () => {
  upgraded(5, (db) => {
    const twin = { machine: "mac", client_id: "same" };
    addSession(db, { ...twin, id: "same", display_id: "a-a" });
    addSession(db, { ...twin, id: UUID, display_id: "b-b" });
    for (const client_id of ["0", "-1", " 7 ", "1_0", "12345678901234567890", "a\nb"]) {
      addSession(db, { id: client_id, client_id, display_id: `d${client_id}` });
    }
    addSession(db, { id: "anonymous", client_id: "anonymous", display_id: "z-z" });
  }, ({ db }) => {
    const found = all(db, "SELECT id, client_id FROM session ORDER BY display_id");
    assert.equal(found.length, 9);
    assert.deepEqual(found.slice(0, 2), [
      { id: "same", client_id: "same" },
      { id: UUID, client_id: "same" },
    ]);
    for (const { id, client_id } of found.slice(2, 8)) assert.equal(id, client_id);
    assert.deepEqual(found[8], { id: "anonymous@mac", client_id: "anonymous" });
    assert.deepEqual(
      all(db, "SELECT count(*) AS n FROM position JOIN session ON id = session_id"),
      [{ n: 9 }],
    );
  });
});

Deno.test("openStore calls sessions of schema 1 by their client ids, unless those are taken", () => {
  upgraded(1, (db) => {
    addSession(db, { id: "bold-cat", client_id: "123", last_heartbeat: "2026-01-09T13:00:00" });
    addSession(db, { id: "calm-newt", client_id: "123", machine: "other" });
    addSession(db, { id: "warm-bee" });
    addSession(db, { id: "wry-fox", client_id: "warm-bee" });
    addEvent(db, { session_id: "bold-cat" });
  }, ({ db }) => {
    assert.deepEqual(all(db, "SELECT id, display_id FROM session ORDER BY display_id"), [
      { id: "123", display_id: "bold-cat" },
      { id: "calm-newt", display_id: "calm-newt" },
      { id: "warm-bee", display_id: "warm-bee" },
      { id: "wry-fox", display_id: "wry-fox" },
    ]);
    assert.deepEqual(all(db, "SELECT session_id FROM event"), [{ session_id: "bold-cat" }]);
  });
});

Deno.test("openStore takes what an event's extra fields say, and nothing from broken ones", () => {
  const metas: [meta: string | null, level: number, title: string | null, tags: string | null][] = [
    ['{"signal_level": "actionable"}', 2, null, null],
    ['{"signal_level": "shouting", "title": "", "tags": []}', 1, null, null],
    ['{"title": 5, "tags": ["a", 6, "b"]}', 1, null, '["a","b"]'],
    ['{"title": "cut of', 1, null, null],
    ["null", 1, null, null],
    ["[1]", 1, null, null],
    ["", 1, null, null],
    [null, 1, null, null],
  ];
  upgraded(5, (db) => {
    for (const [payload_meta] of metas) addEvent(db, { payload_meta, correlation_id: "" });
  }, ({ db }) => {
    assert.deepEqual(
      all(db, "SELECT signal_level, title, tags, correlation_id FROM event ORDER BY id"),
      metas.map(([, signal_level, title, tags]) => ({
        signal_level,
        title,
        tags,
        correlation_id: null,
      })),
    );
  });
});

Deno.test("openStore gives a time that cannot be read its neighbour's", () => {
  const [one, two] = ["2026-01-09T10:00:00.250000", "2026-01-09T11:00:00"];
  upgraded(5, (db) => {
    for (const timestamp of ["garbage", one, "", "2026-02-31T10:00:00", two, "17"]) {
      addEvent(db, { timestamp });
    }
    addSession(db, { id: "a", display_id: "a", registered_at: "?", last_heartbeat: one });
    addSession(db, { id: "b", display_id: "b", registered_at: one, last_heartbeat: "?" });
    addSession(db, { id: "c", display_id: "c", last_heartbeat: two, deleted_at: "?" });
  }, ({ db }) => {
    const [first, second] = [local(one), local(two)];
    assert.deepEqual(
      all(db, "SELECT at FROM event ORDER BY id").map(({ at }) => at),
      [first, first, first, first, second, second],
    );
    const times = "SELECT registered_at, last_seen, ended_at FROM session WHERE id";
    assert.deepEqual(all(db, `${times} = 'a'`)[0], {
      registered_at: first,
      last_seen: first,
      ended_at: null,
    });
    assert.equal(all(db, `${times} = 'b'`)[0]?.last_seen, first);
    assert.equal(all(db, `${times} = 'c'`)[0]?.ended_at, second);
  });
});

Deno.test("openStore upgrades an empty original, one with several version rows, and an older number on newer tables", () => {
  upgraded(5, () => {}, (store) => assert.equal(store.carriedOver?.events, 0));
  upgraded(5, (db) => {
    db.exec("INSERT INTO schema_version VALUES (1), (3)");
    fillOriginal(db, 5);
  }, (store) => assert.equal(store.carriedOver?.version, 5));
  upgraded(5, (db) => {
    db.exec("UPDATE schema_version SET version = 2");
    fillOriginal(db, 5);
  }, (store) => {
    assert.equal(store.carriedOver?.version, 2);
    assert.equal(store.carriedOver?.webhooks, 2);
    assert.equal(all(store.db, "SELECT title FROM event WHERE id = 3")[0]?.title, "Help");
  });
});

Deno.test("openStore carries over what is still in the write-ahead log", () => {
  inFolder((folder) => {
    const path = `${folder}/data.db`;
    const old = createOriginal(`${folder}/running.db`, 5);
    old.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    fillOriginal(old, 5);
    // What a killed server leaves behind: files as they are in the middle of its life.
    for (const companion of ["", "-wal", "-shm"]) {
      Deno.copyFileSync(`${folder}/running.db${companion}`, path + companion);
    }
    old.close();
    const store = openStore(path);
    assert.equal(store.carriedOver?.events, 4);
    assert.equal(store.carriedOver?.sessions, 2);
    const backup = new DatabaseSync(store.carriedOver?.backup ?? "", { readOnly: true });
    assert.deepEqual(all(backup, "SELECT count(*) AS n FROM events"), [{ n: 4 }]);
    backup.close();
    store.close();
  });
});

Deno.test("carryOver that fails leaves the old database as it was, and no backup of it", () => {
  inFolder((folder) => {
    const path = `${folder}/data.db`;
    const old = createOriginal(path, 5);
    fillOriginal(old, 5);
    old.close();
    const before = hash(path);
    assert.throws(
      () =>
        carryOver(path, (db) => {
          db.exec("CREATE TABLE event (x)");
          throw new Error("the disk is full");
        }),
      /^Error: the disk is full$/,
    );
    assert.equal(hash(path), before);
    assert.deepEqual(names(folder), ["data.db"]);
    // And a table of somebody else's that is in our way is never dropped.
    const extended = new DatabaseSync(path);
    extended.exec("CREATE TABLE position (theirs)");
    extended.close();
    refuses(path, /position already exists/);
    assert.deepEqual(names(folder), ["data.db"]);
  });
});

Deno.test("openStore upgrades after a crash in the middle of an earlier upgrade", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/data.db`;
    const old = createOriginal(path, 5);
    fillOriginal(old, 5);
    old.close();
    const before = hash(path);
    const { signal } = await inProcess([path, "die"]);
    assert.equal(signal, "SIGKILL");
    assert.notEqual(hash(path), before, "the crash must come after the file has been changed");
    assert.ok(names(folder).includes("data.db-journal"));
    const store = openStore(path);
    assert.equal(store.carriedOver?.events, 4);
    assert.equal(all(store.db, "SELECT payload FROM event WHERE id = 40")[0]?.payload, "said");
    store.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("openStore refuses an original that somebody else has open, and changes nothing", () => {
  for (const [mode, hold] of [["DELETE", "BEGIN IMMEDIATE"], ["WAL", "SELECT * FROM events"]]) {
    inFolder((folder) => {
      const path = `${folder}/data.db`;
      const old = createOriginal(path, 5);
      old.exec(`PRAGMA journal_mode = ${mode}`);
      fillOriginal(old, 5);
      old.close();
      const other = new DatabaseSync(path);
      other.exec(hold ?? "");
      const before = hash(path);
      refuses(path, /in use; stop the other program/);
      assert.equal(hash(path), before);
      assert.ok(names(folder).every((name) => !name.includes("original")));
      other.close();
      const store = openStore(path);
      assert.equal(store.carriedOver?.events, 4);
      store.close();
    });
  }
});

Deno.test("openStore refuses an original that another process merely has open in WAL mode", async () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/data.db`;
  const old = createOriginal(path, 5);
  old.exec("PRAGMA journal_mode = WAL");
  fillOriginal(old, 5);
  old.close();
  const other = processOf([path, "hold"]).spawn();
  try {
    const output = other.stdout.getReader();
    const said = await output.read();
    assert.equal(new TextDecoder().decode(said.value), "open");
    output.releaseLock();
    refuses(path, /in use; stop the other program/);
  } finally {
    await other.stdin.close();
    await other.output();
  }
  const store = openStore(path);
  assert.equal(store.carriedOver?.events, 4);
  store.close();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("carryOver keeps other processes out, also after it has copied the file", () => {
  inFolder((folder) => {
    const path = `${folder}/data.db`;
    const old = createOriginal(path, 5);
    fillOriginal(old, 5);
    old.close();
    let came: string | undefined;
    assert.throws(() =>
      carryOver(path, () => {
        assert.equal(names(folder).length, 3, "database, journal and backup");
        const { stdout } = processOf([path, "write"], {}, "null").outputSync();
        came = new TextDecoder().decode(stdout);
        throw new Error("enough seen");
      }), /enough seen/);
    assert.equal(came, "database is locked");
  });
});

Deno.test("openStore refuses what is newer, older, damaged or foreign, and leaves every byte", () => {
  const cases: [what: string, spoil: (db: DatabaseSync) => void, message: RegExp][] = [
    ["newer", (db) => db.exec("INSERT INTO schema_version VALUES (6)"), /schema 6 .* knows 1 to 5/],
    [
      "before client ids",
      (db) =>
        db.exec(`DROP INDEX idx_sessions_dedup; ALTER TABLE sessions DROP COLUMN client_id;
          ALTER TABLE sessions ADD COLUMN pid INTEGER`),
      /before the original's schema 1 and have no client ids/,
    ],
    ["incomplete", (db) => db.exec("ALTER TABLE events DROP COLUMN timestamp"), /no timestamp/],
    ["marked by another", (db) => db.exec("PRAGMA application_id = 7"), /not an event bus/],
    ["numbered by another", (db) => db.exec("PRAGMA user_version = 7"), /not an event bus/],
    ["foreign", (db) => db.exec("ALTER TABLE events RENAME TO notes"), /not an event bus/],
  ];
  for (const [what, spoil, message] of cases) {
    inFolder((folder) => {
      const path = `${folder}/data.db`;
      const db = createOriginal(path, 5);
      fillOriginal(db, 5);
      spoil(db);
      db.close();
      Deno.chmodSync(path, 0o640);
      const before = hash(path);
      refuses(path, message);
      assert.equal(hash(path), before, what);
      assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o640, what);
      assert.deepEqual(names(folder), ["data.db"], what);
    });
  }
  inFolder((folder) => {
    const path = `${folder}/data.db`;
    const db = createOriginal(path, 5);
    for (let n = 0; n < 200; n++) addEvent(db, { payload: "x".repeat(500) });
    db.close();
    const bytes = Deno.readFileSync(path);
    Deno.writeFileSync(path, bytes.fill(0xab, 8192, 40960));
    const before = hash(path);
    refuses(path, /damaged|malformed/);
    assert.equal(hash(path), before);
    Deno.writeTextFileSync(path, "not a database at all, but a text\n".repeat(100));
    refuses(path, /not a database/);
    assert.deepEqual(names(folder), ["data.db"]);
  });
});

Deno.test("an upgraded database stops the original's server at every statement that writes", () => {
  upgraded(5, (db) => fillOriginal(db, 5), ({ db }) => {
    const statements = [
      "INSERT INTO schema_version (version) VALUES (5)",
      "DELETE FROM schema_version",
      "ALTER TABLE sessions ADD COLUMN deleted_at TIMESTAMP",
      "CREATE INDEX IF NOT EXISTS idx_events_id ON events(id)",
      "INSERT INTO events (event_type, payload, session_id, timestamp) VALUES ('a', 'b', 'c', 'd')",
      "INSERT OR REPLACE INTO sessions (id) VALUES ('x')",
      "UPDATE sessions SET id = 'x'",
    ];
    const before = all(db, "SELECT * FROM sqlite_schema");
    for (const table of ["schema_version", "sessions", "events"]) {
      db.exec(`CREATE TABLE IF NOT EXISTS ${table} (id INTEGER PRIMARY KEY)`);
    }
    for (const statement of statements) {
      assert.throws(() => db.exec(statement), /view|no column/, statement);
    }
    assert.deepEqual(all(db, "SELECT * FROM sqlite_schema"), before);
    assert.deepEqual(all(db, "PRAGMA foreign_key_list(position)"), []);
  });
});

Deno.test("openStore reads the original's times in the zone of its own process", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    for (
      const [zone, winter, summer] of [["America/New_York", 5, 4], ["Asia/Kolkata", -5.5, -5.5]]
    ) {
      const path = `${folder}/${String(zone).replace("/", "-")}.db`;
      const old = createOriginal(path, 5);
      fillOriginal(old, 5);
      old.close();
      const { stdout } = await inProcess([path, "upgrade"], { TZ: String(zone) });
      const events = JSON.parse(stdout) as { at: number }[];
      const hour = 3_600_000;
      assert.deepEqual(events.map(({ at }) => at), [
        Date.UTC(2026, 0, 9, 10, 0, 0, 0) + Number(winter) * hour,
        Date.UTC(2026, 0, 9, 10, 1, 2, 345) + Number(winter) * hour,
        Date.UTC(2026, 6, 9, 10, 2) + Number(summer) * hour,
        Date.UTC(2026, 0, 9, 12) + Number(winter) * hour,
      ]);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("originalTime reads every form the original wrote, honours zones, and refuses the rest", () => {
  assert.equal(originalTime("2026-01-09T10:00:00Z"), Date.UTC(2026, 0, 9, 10));
  assert.equal(originalTime("2026-01-09T10:00:00.5+02:00"), Date.UTC(2026, 0, 9, 8, 0, 0, 500));
  assert.equal(originalTime("2026-01-09T10:00:00-0530"), Date.UTC(2026, 0, 9, 15, 30));
  assert.equal(originalTime(" 2026-01-09 10:00 "), local("2026-01-09T10:00:00"));
  assert.equal(originalTime("2024-02-29T23:59:59.999999"), local("2024-02-29T23:59:59.999"));
  const garbage = [
    "",
    "now",
    "2026-02-29T10:00:00",
    "2026-13-01T10:00:00",
    "2026-01-01",
    "1767952800",
  ];
  for (const text of [...garbage, "2026-01-01T25:00:00", "2026-01-01T10:61:00", null]) {
    assert.equal(originalTime(text), null, String(text));
  }
});

function processOf(
  args: string[],
  env: Record<string, string> = {},
  stdin: "piped" | "null" = "piped",
): Deno.Command {
  const helper = new URL("../helpers/carry_over.ts", import.meta.url).pathname;
  const run = ["run", "-A", helper, ...args];
  return new Deno.Command(Deno.execPath(), { args: run, env, stdin, stdout: "piped" });
}

async function inProcess(args: string[], env: Record<string, string> = {}) {
  const child = processOf(args, env).spawn();
  await child.stdin.close();
  const { signal, stdout } = await child.output();
  return { signal, stdout: new TextDecoder().decode(stdout) };
}
