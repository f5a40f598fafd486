import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { BusError } from "../../src/errors.ts";
import { openStore } from "../../src/store/open.ts";
import { adoptOriginal, ORIGINAL_PLACES } from "../../src/store/original/places.ts";
import {
  addEvent,
  addSession,
  createOriginal,
  fillOriginal,
} from "../helpers/original_database.ts";

/** A home folder with the original's other places in it, and where ours will be. */
interface Home {
  target: string;
  renamed: string;
  oldest: string;
}

function inHome(work: (home: Home) => void): void {
  const home = Deno.makeTempDirSync();
  try {
    const [renamed = "", oldest = ""] = ORIGINAL_PLACES.map((place) => `${home}/${place}`);
    Deno.mkdirSync(folderOf(renamed), { recursive: true });
    work({ target: `${home}/.claude/contrib/event-bus/data.db`, renamed, oldest });
  } finally {
    Deno.removeSync(home, { recursive: true });
  }
}

const folderOf = (path: string) => path.slice(0, path.lastIndexOf("/"));
const names = (folder: string) =>
  [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => name).sort();

/** Every byte of a database and of what lies beside it; shared memory is no data. */
const bytes = (path: string) =>
  names(folderOf(path)).filter((name) => !name.endsWith("-shm")).map((name) => [
    name,
    createHash("sha256").update(Deno.readFileSync(`${folderOf(path)}/${name}`)).digest("hex"),
  ]);

function make(path: string, fill: (db: DatabaseSync) => void): void {
  const db = createOriginal(path, 5);
  fill(db);
  db.close();
}

/** Opens our store, says what it carried over and what the events say, and closes it. */
function open({ target, renamed, oldest }: Home) {
  const store = openStore(target, [renamed, oldest]);
  const payloads = store.db.prepare("SELECT payload FROM event ORDER BY id").all();
  store.close();
  return { carried: store.carriedOver, payloads: payloads.map(({ payload }) => payload) };
}

function refuses(home: Home, message: RegExp): void {
  assert.throws(() => open(home), (thrown) => {
    assert.ok(thrown instanceof BusError);
    assert.equal(thrown.code, "unavailable");
    assert.match(thrown.message, message);
    return true;
  });
  assert.deepEqual([...Deno.readDirSync(folderOf(home.target))], [], "nothing may be made");
}

Deno.test("openStore makes an empty database where the original has left none", () => {
  inHome((home) => {
    Deno.writeTextFileSync(home.oldest, "");
    assert.deepEqual(open(home), { carried: null, payloads: [] });
    assert.equal(Deno.statSync(home.oldest).size, 0);
  });
});

for (const place of ["renamed", "oldest"] as const) {
  Deno.test(`openStore carries over a copy of the original's ${place} database and leaves it alone`, () => {
    inHome((home) => {
      make(home[place], (db) => fillOriginal(db, 5));
      const before = bytes(home[place]);
      const { carried, payloads } = open(home);
      assert.deepEqual(carried, {
        from: home[place],
        version: 5,
        backup: null,
        others: [],
        events: 4,
        sessions: 2,
        webhooks: 2,
      });
      assert.deepEqual(payloads, ["said", 'line\n"quoted" ünï 🦦', "", "said"]);
      assert.deepEqual(bytes(home[place]), before);
      assert.deepEqual(names(folderOf(home.target)), ["data.db", "data.db-lock"]);
      assert.equal((Deno.statSync(home.target).mode ?? 0) & 0o777, 0o600);
      // From then on ours is what counts.
      assert.deepEqual(open(home), { carried: null, payloads });
    });
  });
}

Deno.test("openStore carries over what a running original has in its write-ahead log only", () => {
  inHome((home) => {
    const running = createOriginal(home.renamed, 5);
    running.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    addEvent(running, { payload: "in the log" });
    const before = bytes(home.renamed);
    assert.ok(before.some(([name]) => name === "data.db-wal"));
    assert.deepEqual(open(home).payloads, ["in the log"]);
    assert.deepEqual(bytes(home.renamed), before);
    addEvent(running, { payload: "and it still works" });
    running.close();
  });
});

Deno.test("openStore leaves no files beside an original that was stopped or killed in WAL mode", () => {
  inHome((home) => {
    const running = createOriginal(home.oldest, 5);
    running.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    addEvent(running, { payload: "in the log" });
    for (const companion of ["", "-wal"]) {
      Deno.copyFileSync(home.oldest + companion, home.renamed + companion);
    }
    running.close();
    for (const place of [home.renamed, home.oldest]) {
      const before = names(folderOf(place));
      const hashes = bytes(place);
      assert.deepEqual(open({ ...home, renamed: place, oldest: place }).payloads, ["in the log"]);
      assert.deepEqual(names(folderOf(place)), before);
      assert.deepEqual(bytes(place), hashes);
      Deno.removeSync(home.target);
    }
  });
});

Deno.test("openStore rolls back, in its copy alone, what a killed original had half written", () => {
  inHome((home) => {
    const running = createOriginal(home.oldest, 2);
    addEvent(running, { payload: "whole" });
    running.exec("PRAGMA cache_size = 2; BEGIN; UPDATE events SET payload = 'half'");
    for (let n = 0; n < 200; n++) addEvent(running, { payload: "x".repeat(500) });
    for (const companion of ["", "-journal"]) {
      Deno.copyFileSync(home.oldest + companion, home.renamed + companion);
    }
    running.exec("ROLLBACK");
    running.close();
    Deno.removeSync(home.oldest);
    const before = bytes(home.renamed);
    assert.deepEqual(open(home).payloads, ["whole"]);
    assert.deepEqual(bytes(home.renamed), before);
  });
});

Deno.test("openStore takes the original on which something happened last and names the other", () => {
  const early = { payload: "early", timestamp: "2026-01-08T10:00:00" };
  const late = { payload: "late", timestamp: "2026-01-09T10:00:00.5" };
  for (const [newest, other] of [["renamed", "oldest"], ["oldest", "renamed"]] as const) {
    inHome((home) => {
      make(home[newest], (db) => addEvent(db, late));
      make(home[other], (db) => addEvent(db, early));
      Deno.utimeSync(home[newest], 0, 0);
      const { carried, payloads } = open(home);
      assert.deepEqual(payloads, ["late"]);
      assert.equal(carried?.from, home[newest]);
      assert.deepEqual(carried?.others, [home[other]]);
    });
  }
  inHome((home) => {
    // A session that was heard counts like an event.
    make(home.renamed, (db) => addEvent(db, early));
    make(home.oldest, (db) => {
      addEvent(db, { ...early, timestamp: "2026-01-01T10:00:00", payload: "heard" });
      addSession(db, { id: "x", display_id: "x", last_heartbeat: "2026-01-08T10:00:01" });
    });
    assert.deepEqual(open(home).payloads, ["heard"]);
  });
});

Deno.test("openStore takes one database for one, by whatever names it goes", () => {
  inHome((home) => {
    make(home.renamed, (db) => addEvent(db));
    Deno.symlinkSync(home.renamed, home.oldest);
    assert.deepEqual(open(home).carried?.others, []);
  });
});

Deno.test("openStore refuses to start empty when the original's data cannot be carried over", () => {
  const cases: [spoil: (path: string) => void, message: RegExp][] = [
    [(path) => make(path, (db) => db.exec("UPDATE schema_version SET version = 9")), /schema 9/],
    [(path) => make(path, (db) => db.exec("DROP TABLE events")), /not a database of the original/],
    [(path) => Deno.writeTextFileSync(path, "text\n".repeat(1000)), /not a database/],
  ];
  for (const [spoil, message] of cases) {
    inHome((home) => {
      spoil(home.oldest);
      const before = bytes(home.oldest);
      refuses(home, message);
      refuses(home, new RegExp(home.oldest));
      assert.deepEqual(bytes(home.oldest), before);
      // With one that can be used, the other is only named.
      make(home.renamed, (db) => addEvent(db));
      const { carried } = open(home);
      assert.equal(carried?.from, home.renamed);
      assert.deepEqual(carried?.others, [home.oldest]);
    });
  }
});

Deno.test("openStore refuses to choose while one of the originals is being written", () => {
  inHome((home) => {
    make(home.renamed, (db) => addEvent(db));
    make(home.oldest, (db) => addEvent(db));
    const writer = new DatabaseSync(home.oldest);
    writer.exec("BEGIN EXCLUSIVE");
    refuses(home, /event-bus\.db: it is in use; stop the original's server first/);
    writer.exec("COMMIT");
    writer.close();
    assert.equal(open(home).carried?.events, 1);
  });
});

Deno.test("adoptOriginal leaves a database alone that somebody else has just made", () => {
  inHome((home) => {
    make(home.renamed, (db) => addEvent(db));
    openStore(home.target).close();
    const before = bytes(home.target);
    const createSchema = (db: DatabaseSync) => {
      db.exec(openSchema());
    };
    assert.equal(adoptOriginal(home.target, [home.renamed], createSchema), null);
    assert.deepEqual(bytes(home.target), before);
  });
});

/** What a new database of ours consists of. */
function openSchema(): string {
  const store = openStore(":memory:");
  const parts = store.db.prepare(
    "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND name NOT GLOB 'event_words_*'",
  ).all();
  store.close();
  return parts.map(({ sql }) => sql).join(";");
}
