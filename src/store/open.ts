/**
 * Opens the database: looks before it touches, refuses what is not ours, brings an older one up to
 * date. The server holds the only read-write connection there is.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { dirname } from "node:path";
import { BusError } from "../errors.ts";
import { type Batches, BUSY_MS, createBatches } from "./batch.ts";
import { type Heartbeats, writeHeartbeats } from "./heartbeats.ts";
import { sweepLeftovers } from "./leftovers.ts";
import { nameLog } from "./meta.ts";
import {
  type CarriedOver,
  carryOver,
  checkIntegrity,
  exists,
  originalVersion,
} from "./original.ts";
import { adoptOriginal } from "./original/places.ts";
import { lockOf, ownDatabase, type Ownership } from "./owner.ts";
import { completeFile, watchPlace } from "./place.ts";
import log_0001 from "./migrations/0001_log.sql" with { type: "text" };
import delivery_0002 from "./migrations/0002_delivery.sql" with { type: "text" };
import hooks_0003 from "./migrations/0003_hooks.sql" with { type: "text" };
import archive_0004 from "./migrations/0004_archive.sql" with { type: "text" };
import tokens_0005 from "./migrations/0005_tokens.sql" with { type: "text" };
import import_0006 from "./migrations/0006_import.sql" with { type: "text" };
import flow_0007 from "./migrations/0007_flow.sql" with { type: "text" };
import spool_0008 from "./migrations/0008_spool.sql" with { type: "text" };
import last_event_0009 from "./migrations/0009_last_event.sql" with { type: "text" };
import webhooks_0010 from "./migrations/0010_webhooks.sql" with { type: "text" };

/** "EBus", so that `file` and other programs can tell whose database this is. */
export const APPLICATION_ID = 0x45427573;

/** In order; a database's `user_version` says how many of them it has seen. Never edit one, add. */
const MIGRATIONS: readonly string[] = [
  log_0001,
  delivery_0002,
  hooks_0003,
  archive_0004,
  tokens_0005,
  import_0006,
  flow_0007,
  spool_0008,
  last_event_0009,
  webhooks_0010,
];
export const SCHEMA_VERSION = MIGRATIONS.length;

export interface Store extends Batches {
  readonly db: DatabaseSync;
  readonly path: string;
  readonly heartbeats: Heartbeats;
  /** What was carried over from the original when this database was opened; mostly nothing. */
  readonly carriedOver: CarriedOver | null;
  /** When this database was last served before it was opened now, to the minute; null if never. */
  readonly lastServed: number | null;
  /** When the file was checked for damage; what is damaged is not opened. Null in memory. */
  readonly checkedAt: number | null;
  /** Notes that it is served, for who opens it next. */
  noteServed(): void;
  /** The statement for `sql`, prepared once. Only literal texts, or the cache would grow. */
  sql(text: string): StatementSync;
  close(): void;
}

/**
 * The store at `path` (`:memory:` for a test), created if absent. Throws `unavailable` with what to
 * do when the file cannot or must not be used; it is untouched then. Where there is no file yet, the
 * original's data is looked for at `places`.
 */
export function openStore(path: string, places: readonly string[] = []): Store {
  const isFile = path !== ":memory:";
  let owner = NOBODY_ELSE;
  let carriedOver: CarriedOver | null = null;
  let db: DatabaseSync;
  try {
    // What another server has is not even looked at; what is no bus's stays without a lock beside it.
    const hadOwner = isFile && exists(lockOf(path));
    if (hadOwner) owner = ownDatabase(path);
    if (isFile) carriedOver = prepareFile(path, places);
    if (isFile && !hadOwner) owner = ownDatabase(path);
    db = connect(path);
  } catch (failure) {
    owner.end();
    throw refusal(path, failure);
  }
  const displaced = isFile ? watchPlace(path) : () => null;
  const statements = new Map<string, StatementSync>();
  const sql = (text: string): StatementSync => {
    let statement = statements.get(text);
    if (statement === undefined) statements.set(text, statement = db.prepare(text));
    return statement;
  };
  const store: Store = {
    db,
    path,
    heartbeats: new Map(),
    carriedOver,
    lastServed: owner.lastServed,
    checkedAt: isFile ? Date.now() : null,
    noteServed: owner.noteServed,
    sql,
    ...createBatches(db, (transaction) => writeHeartbeats(store, transaction), displaced),
    close() {
      store.flush();
      // Closing deletes the journal by its name, which may be another database's by now.
      if (displaced() === null) db.close();
      else completeFile(db);
      owner.end();
    },
  };
  return store;
}

/** A database in memory has one owner. */
const NOBODY_ELSE: Ownership = { lastServed: null, noteServed() {}, end() {} };

/** The one read-write connection, its schema up to date. */
function connect(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_MS });
  try {
    // Only a new file can still be told to give back, in small steps, what pruning has freed.
    db.exec("PRAGMA auto_vacuum = INCREMENTAL");
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY");
    migrate(db);
    nameLog(db);
    return db;
  } catch (failure) {
    db.close();
    throw failure;
  }
}

/** Decides from a read-only look whether the file may be used, and carries an original's data over. */
function prepareFile(path: string, places: readonly string[]): CarriedOver | null {
  try {
    Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    sweepLeftovers(dirname(path));
    const adopted = exists(path) ? null : adoptOriginal(path, places, createSchema);
    // Created by us and not by SQLite: the file and its companions are the user's alone.
    Deno.openSync(path, { create: true, read: true, write: true, mode: 0o600 }).close();
    const found = inspect(path);
    // Its companions may be of another time, too.
    for (const file of [path, `${path}-wal`, `${path}-shm`]) {
      if (exists(file)) Deno.chmodSync(file, 0o600);
    }
    return found === "original" ? carryOver(path, createSchema) : adopted;
  } catch (failure) {
    throw refusal(path, failure);
  }
}

function inspect(path: string): "empty" | "ours" | "original" {
  // A journal is what a crashed writer left: reading means to roll back first, which is a write.
  const db = new DatabaseSync(path, { readOnly: !exists(`${path}-journal`), timeout: 2000 });
  try {
    const damage = db.prepare("PRAGMA quick_check(1)").get() as { quick_check: string };
    if (damage.quick_check !== "ok") throw new Error(`it is damaged: ${damage.quick_check}`);
    const { application_id: id } = db.prepare("PRAGMA application_id").get() as {
      application_id: number;
    };
    const { n: tables } = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as {
      n: number;
    };
    if (id === APPLICATION_ID) {
      const version = schemaVersion(db);
      if (version <= SCHEMA_VERSION) return "ours";
      throw new Error(
        `it has schema ${version} and this program knows ${SCHEMA_VERSION}; ` +
          "use the newer event-bus that wrote it",
      );
    }
    if (id === 0 && tables === 0) return "empty";
    if (originalVersion(db) === null) {
      throw new Error("it is not an event bus database; name another with --db");
    }
    checkIntegrity(db);
    return "original";
  } finally {
    db.close();
  }
}

/** The number of migrations a database has seen. */
export function schemaVersion(db: DatabaseSync): number {
  return (db.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
}

/** Runs the migrations that `db` has not seen, all of them or none. */
function migrate(db: DatabaseSync): void {
  if (schemaVersion(db) === SCHEMA_VERSION) return;
  db.exec("BEGIN EXCLUSIVE");
  try {
    createSchema(db);
    db.exec("COMMIT");
  } catch (failure) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw failure;
  }
}

/** Brings the schema up to date inside the caller's transaction. */
function createSchema(db: DatabaseSync): void {
  for (const migration of MIGRATIONS.slice(schemaVersion(db))) db.exec(migration);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`);
}

function refusal(path: string, failure: unknown): BusError {
  if (failure instanceof BusError) return failure;
  const message = failure instanceof Error ? failure.message : String(failure);
  const detail = /\blocked\b/.test(message)
    ? "it is in use; stop the other program that has it open"
    : message.replace(/\s*\n\s*/g, "; ");
  return new BusError("unavailable", `Cannot use the database ${path}: ${detail}`);
}
