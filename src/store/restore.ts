/** Puts a backup in the place of the database, while no server has it. Nothing is lost on the way. */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { dirname } from "node:path";
import { BusError, quoted } from "../errors.ts";
import { sweepLeftovers } from "./leftovers.ts";
import { APPLICATION_ID, SCHEMA_VERSION, schemaVersion } from "./open.ts";
import { columnsOf, exists, originalVersion } from "./original.ts";
import { copyWhole, isLocked } from "./original/places.ts";
import { ownDatabase } from "./owner.ts";

export interface Restored {
  readonly database: string;
  readonly events: number;
  readonly sessions: number;
  /** The schema of the backup; an older one is brought up to date when the server starts. */
  readonly schema: number;
  /** Where what was there before is now; null when there was nothing. */
  readonly kept: string | null;
}

/** What the database that is there knows better than its backup. */
interface Present {
  /** How far its ids have come: a reader's cursor may be the last of them. */
  readonly sequences: ReadonlyMap<string, number>;
  readonly log: string | null;
  readonly tokens: readonly Record<TokenColumn, SQLInputValue>[];
}

const TOKEN_COLUMNS = [
  "id",
  "name",
  "hash",
  "scopes",
  "created_at",
  "expires_at",
  "last_used_at",
  "rotated_at",
  "revoked_at",
] as const;
type TokenColumn = typeof TOKEN_COLUMNS[number];

/** What belongs to a database beside its file. */
const COMPANIONS = ["-wal", "-shm", "-journal"];

/**
 * Checks the backup at `from` and puts a copy of it at `database`. What was there stays beside it
 * under a dated name, with its companions. Throws, and changes nothing, when the backup is not sound
 * or a server has the database. At every instant there is a whole database at the place.
 */
export function restore(from: string, database: string, now = Date.now()): Restored {
  if (!exists(from)) {
    throw new BusError("not_found", `Cannot restore ${quoted(from, 500)}: there is no such file`);
  }
  Deno.mkdirSync(dirname(database), { recursive: true, mode: 0o700 });
  const owner = ownDatabase(database);
  let folder: string | null = null;
  try {
    if (exists(database) && Deno.realPathSync(from) === Deno.realPathSync(database)) {
      throw new Error("it is the database itself");
    }
    sweepLeftovers(dirname(database));
    folder = Deno.makeTempDirSync({ dir: dirname(database), prefix: ".restoring-" });
    const copy = `${folder}/data.db`;
    copyWhole(from, copy);
    const facts = examine(copy, presentOf(database));
    const kept = keep(database, now);
    Deno.renameSync(copy, database);
    return { database, ...facts, kept };
  } catch (failure) {
    throw refusal(from, failure);
  } finally {
    if (folder !== null) Deno.removeSync(folder, { recursive: true });
    owner.end();
  }
}

/** Looks at the copy of a backup, and makes it one file that gives out no id, and lets in nobody, a second time. */
function examine(copy: string, present: Present | null) {
  const db = new DatabaseSync(copy);
  try {
    const one = (sql: string) => Object.values(db.prepare(sql).get() ?? {})[0] as string | number;
    // Its log is folded in first: what comes of that is what is checked.
    db.exec("PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA");
    if (one("PRAGMA application_id") !== APPLICATION_ID) {
      throw new Error(
        originalVersion(db) === null
          ? "it is not a database of event-bus"
          : "it is a database of the original; add it with event-bus import",
      );
    }
    const schema = schemaVersion(db);
    if (schema > SCHEMA_VERSION) {
      throw new Error(
        `it has schema ${schema} and this program knows ${SCHEMA_VERSION}; use a newer event-bus`,
      );
    }
    const damage = one("PRAGMA integrity_check(1)");
    if (damage !== "ok") throw new Error(`it is damaged: ${damage}`);
    for (const [name, seq] of present?.sequences ?? []) continueSequence(db, name, seq);
    const hasTokens = columnsOf(db, "token").size > 0;
    if (present !== null && hasTokens && isSameLog(db, present)) setTokens(db, present.tokens);
    const count = (table: "event" | "session") => Number(one(`SELECT count(*) FROM ${table}`));
    return { schema, events: count("event"), sessions: count("session") };
  } finally {
    db.close();
  }
}

/** What the present database says; null when there is none. */
function presentOf(database: string): Present | null {
  if (!exists(database)) return null;
  const absent = COMPANIONS.filter((end) => !exists(database + end));
  try {
    const db = new DatabaseSync(database, { readOnly: true });
    try {
      const rows = db.prepare("SELECT name, seq FROM sqlite_sequence").all();
      const hasTokens = columnsOf(db, "token").size > 0;
      return {
        sequences: new Map((rows as { name: string; seq: number }[]).map((r) => [r.name, r.seq])),
        log: logOf(db),
        tokens: (hasTokens ? db.prepare("SELECT * FROM token").all() : []) as never,
      };
    } finally {
      db.close();
    }
  } catch {
    // One that cannot be read any more is mostly why somebody restores.
    return null;
  } finally {
    // SQLite leaves files beside whatever it looks at.
    for (const end of absent) if (exists(database + end)) Deno.removeSync(database + end);
  }
}

function logOf(db: DatabaseSync): string | null {
  if (columnsOf(db, "meta").size === 0) return null;
  const row = db.prepare("SELECT value FROM meta WHERE name = 'log'").get();
  return (row as { value: string } | undefined)?.value ?? null;
}

/** Whether a backup is of this very log; one of a program that named none is taken to be. */
function isSameLog(backup: DatabaseSync, { log }: Present): boolean {
  const other = logOf(backup);
  return log === null || other === null || log === other;
}

/** Who may call is as it is now: what was revoked or replaced since the backup stays so. */
function setTokens(db: DatabaseSync, tokens: Present["tokens"]): void {
  db.exec("DELETE FROM token");
  const insert = db.prepare(
    `INSERT INTO token (${TOKEN_COLUMNS.join(", ")}) VALUES (${TOKEN_COLUMNS.map(() => "?")})`,
  );
  for (const token of tokens) insert.run(...TOKEN_COLUMNS.map((column) => token[column]));
}

function continueSequence(db: DatabaseSync, name: string, seq: number): void {
  const row = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = ?").get(name);
  if (row === undefined) {
    db.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)").run(name, seq);
  } else {
    db.prepare("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?").run(seq, name);
  }
}

/**
 * Gives what is there a second, dated name; only then its companions lose the first, because the
 * restored file would take a log that is not its own for its own.
 */
function keep(database: string, now: number): string | null {
  if (!exists(database)) return null;
  const stamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, "");
  let kept = `${database}.before-restore-${stamp}`;
  for (let n = 2; exists(kept); n++) kept = `${database}.before-restore-${stamp}-${n}`;
  foldIn(database);
  const companions = COMPANIONS.filter((end) => exists(database + end));
  for (const end of ["", ...companions]) alsoCall(database + end, kept + end);
  for (const end of companions) Deno.removeSync(database + end);
  return kept;
}

/**
 * Brings what is in the log of a database into its file, so that one that is stopped halfway from
 * here on has everything there. One that is damaged goes with its log as it is.
 */
function foldIn(database: string): void {
  if (!COMPANIONS.some((end) => exists(database + end))) return;
  try {
    const db = new DatabaseSync(database);
    try {
      db.exec("PRAGMA synchronous = EXTRA; PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      db.close();
    }
  } catch {
    // Then its companions are kept beside it.
  }
}

function alsoCall(path: string, name: string): void {
  try {
    Deno.linkSync(path, name);
  } catch {
    // A file system without hard links.
    Deno.copyFileSync(path, name);
    Deno.chmodSync(name, 0o600);
  }
}

function refusal(from: string, failure: unknown): BusError {
  if (failure instanceof BusError) return failure;
  const message = failure instanceof Error ? failure.message : String(failure);
  const detail = isLocked(failure) ? "it is in use; restore a backup of it instead" : message;
  return new BusError("conflict", `Cannot restore ${quoted(from, 500)}: ${detail}`);
}
