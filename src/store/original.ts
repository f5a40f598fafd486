/**
 * Recognises a database of the original, schemas 1 to 5, and upgrades it in place: one way, in one
 * transaction, after a backup. Its columns decide what is read, not its schema number alone, because
 * the original's older versions wrote their own number into newer files.
 */
import { DatabaseSync } from "node:sqlite";
import { convertRows, type Counts } from "./original/rows.ts";

/** What was carried over from the original, for the one line that says so at start-up. */
export interface CarriedOver extends Counts {
  /** The original's file; the database itself when it was upgraded in place. */
  readonly from: string;
  /** The original's schema number. */
  readonly version: number;
  /** The untouched copy beside a database that was upgraded in place. */
  readonly backup: string | null;
  /** Further databases of the original that were left out, for `event-bus import`. */
  readonly others: readonly string[];
}

/** What to do about a database that cannot be carried over. */
export const REMEDY = "move it away, or name another with --db";

/** The newest schema of the original that this program knows. */
const NEWEST = 5;

/** What every version has. Whatever came later is looked for, never assumed. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  sessions: ["id", "name", "machine", "cwd", "repo", "registered_at", "last_heartbeat"],
  events: ["id", "event_type", "payload", "session_id", "timestamp"],
};

const TABLES = ["schema_version", "sessions", "events", "webhooks"];

/**
 * The original's schema number, or null when `db` is not the original's. Throws when it is but
 * cannot be read by this program. Looks, changes nothing.
 */
export function originalVersion(db: DatabaseSync): number | null {
  const { application_id, user_version } = db.prepare(
    "SELECT * FROM pragma_application_id, pragma_user_version",
  ).get() as { application_id: number; user_version: number };
  const sessions = columnsOf(db, "sessions");
  const events = columnsOf(db, "events");
  if (application_id !== 0 || user_version !== 0) return null;
  if (!sessions.has("machine") || !events.has("event_type")) return null;

  const version = storedVersion(db) ?? (sessions.has("display_id") ? 2 : 1);
  if (version > NEWEST) {
    throw new Error(
      `it has schema ${version} of the original and this program knows 1 to ${NEWEST}; ` +
        "use a newer event-bus",
    );
  }
  if (!sessions.has("client_id")) {
    throw new Error(
      `its sessions are from before the original's schema 1 and have no client ids; ${REMEDY}`,
    );
  }
  for (const [table, required] of Object.entries(REQUIRED)) {
    const columns = columnsOf(db, table);
    const missing = required.find((column) => !columns.has(column));
    if (missing === undefined) continue;
    throw new Error(
      `it resembles the original's schema ${version}, but ${table} has no ${missing}; ${REMEDY}`,
    );
  }
  return version;
}

/** Throws what is wrong with a damaged database. Reads all of it, changes nothing. */
export function checkIntegrity(db: DatabaseSync): void {
  const { integrity_check: damage } = db.prepare("PRAGMA integrity_check(1)").get() as {
    integrity_check: string;
  };
  if (damage !== "ok") throw new Error(`it is damaged: ${damage}; ${REMEDY}`);
}

/**
 * Upgrades the original's database at `path`, checked before and open nowhere else; `createSchema`
 * makes our tables. Null when somebody else has just upgraded it. A failure or crash at any instant leaves
 * the old database or the new one. With `backup`, an exact copy stays beside it.
 */
export function carryOver(
  path: string,
  createSchema: (db: DatabaseSync) => void,
  { backup: wanted = true, now = Date.now() } = {},
): CarriedOver | null {
  // Closing any descriptor of a file gives up all locks that this process has on it, so this one is
  // opened before SQLite takes its locks and closed after it.
  const file = Deno.openSync(path, { read: true });
  const db = new DatabaseSync(path, { timeout: 1000 });
  try {
    lock(db);
    const version = originalVersion(db);
    if (version === null) return null;
    const backup = wanted ? writeBackup(file, `${path}.original-v${version}`, now) : null;
    let committing = false;
    try {
      const counts = upgrade(db, createSchema, now);
      committing = true;
      db.exec("COMMIT");
      return { from: path, version, backup, others: [], ...counts };
    } catch (failure) {
      // A service is restarted again and again: a copy each time, of what is still there, would
      // fill the disk. Only a COMMIT that left nothing to roll back may have got through.
      const undone = db.isTransaction || !committing;
      if (db.isTransaction) db.exec("ROLLBACK");
      if (undone && backup !== null) Deno.removeSync(backup);
      throw failure;
    }
  } finally {
    db.close();
    file.close();
  }
}

/**
 * Opens the one transaction. Leaving WAL fails while anybody else has the file open and folds the
 * log into it, so that one file is all there is; an exclusive transaction keeps everybody out after.
 */
function lock(db: DatabaseSync): void {
  db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = EXTRA");
  const mode = db.prepare("PRAGMA journal_mode = DELETE").get() as { journal_mode: string };
  if (mode.journal_mode !== "delete") throw new Error("database is locked");
  db.exec("BEGIN EXCLUSIVE");
}

/** Everything between BEGIN and COMMIT. */
function upgrade(db: DatabaseSync, createSchema: (db: DatabaseSync) => void, now: number): Counts {
  const present = TABLES.filter((table) => columnsOf(db, table).size > 0);
  const sequences = db.prepare(
    "SELECT name, seq FROM sqlite_sequence WHERE name IN ('events', 'webhooks')",
  ).all() as { name: string; seq: number }[];
  // Our schema has views of these names, which tell the original's server to stop.
  for (const table of present) db.exec(`ALTER TABLE ${table} RENAME TO original_${table}`);
  createSchema(db);
  const counts = convertRows(db, {
    columns: (table) => columnsOf(db, `original_${table}`),
    sequence: (table) => sequences.find(({ name }) => name === table)?.seq ?? 0,
    now,
  });
  for (const table of present) db.exec(`DROP TABLE original_${table}`);
  return counts;
}

/** Copies the whole file beside itself, durable before the name shows; answers the name. */
function writeBackup(file: Deno.FsFile, stem: string, now: number): string {
  const stamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, "");
  let path = `${stem}-${stamp}`;
  for (let n = 2; exists(path); n++) path = `${stem}-${stamp}-${n}`;
  const part = `${path}.part`;
  try {
    copyTo(file, part);
    Deno.renameSync(part, path);
  } catch (failure) {
    if (exists(part)) Deno.removeSync(part);
    throw failure;
  }
  return path;
}

/** Copies what an open file holds into a new one that is the user's alone and on the disk. */
export function copyTo(file: Deno.FsFile, path: string): void {
  const copy = Deno.openSync(path, { write: true, create: true, truncate: true, mode: 0o600 });
  try {
    const chunk = new Uint8Array(1024 * 1024);
    file.seekSync(0, Deno.SeekMode.Start);
    for (let n = file.readSync(chunk); n !== null; n = file.readSync(chunk)) {
      for (let done = 0; done < n;) done += copy.writeSync(chunk.subarray(done, n));
    }
    copy.syncSync();
  } finally {
    copy.close();
  }
}

/** Whether there is a file of this name. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return false;
    throw failure;
  }
}

/** The highest stored number; an early bug of the original left several rows. */
function storedVersion(db: DatabaseSync): number | null {
  if (!columnsOf(db, "schema_version").has("version")) return null;
  const row = db.prepare("SELECT max(version) AS version FROM schema_version").get();
  const { version } = row as { version: number | null };
  return version === null || version < 1 ? null : version;
}

/** The columns of a table; none when there is no such table. */
export function columnsOf(db: DatabaseSync, table: string): ReadonlySet<string> {
  const rows = db.prepare(
    `SELECT c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
     WHERE t.type = 'table' AND t.name = ?`,
  ).all(table) as { name: string }[];
  return new Set(rows.map(({ name }) => name));
}
