/** Finds the original's data at its other places and brings a copy over; theirs is left alone. */
import { DatabaseSync } from "node:sqlite";
import { dirname } from "node:path";
import { BusError } from "../../errors.ts";
import {
  type CarriedOver,
  carryOver,
  checkIntegrity,
  copyTo,
  exists,
  originalVersion,
  REMEDY,
} from "../original.ts";
import { originalTime } from "./source.ts";

/** Where the original kept its data before and after the seed's version, under the home folder. */
export const ORIGINAL_PLACES: readonly string[] = [
  ".claude/contrib/agent-event-bus/data.db",
  ".claude/event-bus.db",
];

interface Candidate {
  from: string;
  copy: string;
  /** When something last happened on it. */
  latest: number;
}

/**
 * Makes a database at `target`, where there is none, from the one of `places` on which something
 * happened last. Null when there is none to carry over. Throws, and makes nothing, when none of
 * those that exist can be used: an empty bus would look as if everything was lost.
 */
export function adoptOriginal(
  target: string,
  places: readonly string[],
  createSchema: (db: DatabaseSync) => void,
): CarriedOver | null {
  const found = [
    ...new Map(places.filter(hasContent).map((p) => [Deno.realPathSync(p), p])).values(),
  ];
  if (found.length === 0) return null;
  const folder = Deno.makeTempDirSync({ dir: dirname(target), prefix: ".carrying-over-" });
  try {
    const refusals: BusError[] = [];
    const usable = found.flatMap((from, n) => {
      try {
        return [examine(from, `${folder}/${n}.db`)];
      } catch (failure) {
        refusals.push(refusal(from, failure));
        return [];
      }
    }).sort((a, b) => b.latest - a.latest);
    const newest = usable[0];
    // One that is being written right now may be the newest of all.
    const busy = refusals.find(({ message }) => message.includes(IN_USE));
    if (busy !== undefined) throw busy;
    if (newest === undefined) throw refusals[0];
    const carried = carryOver(newest.copy, createSchema, { backup: false });
    if (carried === null || !moveTo(newest.copy, target)) return null;
    return { ...carried, from: newest.from, others: found.filter((from) => from !== newest.from) };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function hasContent(path: string): boolean {
  return exists(path) && Deno.statSync(path).size > 0;
}

/** Copies a database and looks at the copy: SQLite leaves files beside whatever it looks at. */
function examine(from: string, copy: string): Candidate {
  copyWhole(from, copy);
  const db = new DatabaseSync(copy);
  try {
    if (originalVersion(db) === null) {
      throw new Error(`it is not a database of the original; ${REMEDY}`);
    }
    checkIntegrity(db);
    return { from, copy, latest: latestOf(db) ?? Deno.statSync(from).mtime?.getTime() ?? 0 };
  } finally {
    db.close();
  }
}

function latestOf(db: DatabaseSync): number | null {
  const { event, heard } = db.prepare(
    `SELECT (SELECT CAST(timestamp AS TEXT) FROM events ORDER BY id DESC LIMIT 1) AS event,
            (SELECT CAST(max(last_heartbeat) AS TEXT) FROM sessions) AS heard`,
  ).get() as { event: string | null; heard: string | null };
  const times = [originalTime(event), originalTime(heard)].filter((time) => time !== null);
  return times.length === 0 ? null : Math.max(...times);
}

const IN_USE = "it is in use";

/** Copies a database with what its journal or write-ahead log holds, as of one moment. */
export function copyWhole(from: string, to: string): void {
  // Opening a pipe would wait for whoever writes to it, and a device may never end.
  if (!Deno.statSync(from).isFile) throw new Error("it is not a file");
  // Closing any descriptor of a file gives up this process's locks on it: first opened, last closed.
  const file = Deno.openSync(from, { read: true });
  let reader: DatabaseSync | null = null;
  try {
    const before = fingerprint(from);
    reader = readLock(from);
    copyTo(file, to);
    for (const companion of COMPANIONS) {
      // Under a read lock the journal of a transaction under way says nothing about what we copied.
      if (!exists(from + companion) || (reader !== null && companion === "-journal")) continue;
      const beside = Deno.openSync(from + companion, { read: true });
      copyTo(beside, to + companion);
      beside.close();
    }
    if (reader === null && fingerprint(from) !== before) throw new Error("database is locked");
  } finally {
    reader?.close();
    file.close();
  }
}

const COMPANIONS = ["-wal", "-journal"];

/**
 * Keeps writers from changing what is copied: they may append to the log, but not fold it in. Null
 * where that is not needed, since nobody has the file open, and would leave files beside it.
 */
function readLock(path: string): DatabaseSync | null {
  const hasLog = exists(`${path}-wal`);
  const isWal = hasLog || readsAsWal(path);
  if (isWal && !(hasLog && exists(`${path}-shm`))) return null;
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    // As a pragma, because the option `timeout` has no effect on a read-only connection.
    db.exec("PRAGMA busy_timeout = 1000; BEGIN; SELECT count(*) FROM sqlite_schema");
    return db;
  } catch (failure) {
    db.close();
    // What a crashed writer left is rolled back in the copy.
    if (!isWal && exists(`${path}-journal`) && !isLocked(failure)) return null;
    throw failure;
  }
}

/** Whether a database's header says that it is in WAL mode. */
function readsAsWal(path: string): boolean {
  const header = new Uint8Array(20);
  const file = Deno.openSync(path, { read: true });
  file.readSync(header);
  file.close();
  return header[18] === 2;
}

/** Changes whenever a database is written to. */
function fingerprint(path: string): string {
  return ["", ...COMPANIONS].map((companion) => {
    if (!exists(path + companion)) return "-";
    const { size, mtime } = Deno.statSync(path + companion);
    return `${size} ${mtime?.getTime()}`;
  }).join();
}

/** Gives a finished file its name unless somebody else has it by now; answers whether it did. */
function moveTo(file: string, target: string): boolean {
  try {
    Deno.linkSync(file, target);
    return true;
  } catch (failure) {
    if (failure instanceof Deno.errors.AlreadyExists) return false;
  }
  // A file system without hard links.
  Deno.renameSync(file, target);
  return true;
}

/** Whether SQLite says that somebody else is at work. */
export function isLocked(failure: unknown): boolean {
  return failure instanceof Error && /\b(locked|busy)\b/.test(failure.message);
}

function refusal(from: string, failure: unknown): BusError {
  const detail = failure instanceof Error ? failure.message : String(failure);
  const reason = isLocked(failure) ? `${IN_USE}; stop the original's server first` : detail;
  return new BusError("unavailable", `Cannot carry over the database ${from}: ${reason}`);
}
