/** One server for one database: a lock that the system lets go of when its holder is gone. */
import { DatabaseSync } from "node:sqlite";
import { BusError } from "../errors.ts";
import { exists } from "./original.ts";

/** The server that has a database. */
export interface Owner {
  readonly pid: number;
  readonly url: string;
}

/** A database that is ours until `end`. */
export interface Ownership {
  /** When the last owner before us was there, about, in epoch milliseconds; null for none. */
  readonly lastServed: number | null;
  /** Notes that we are there: the time of the lock's file says until when somebody was. */
  noteServed(): void;
  end(): void;
}

/** The file that is locked while a server has the database at `path`. */
export const lockOf = (path: string): string => `${path}-lock`;

/** Who has the lock says so here; the lock's own file belongs to SQLite. */
const nameOf = (path: string): string => `${path}-owner`;

/**
 * Takes the lock beside the database at `path`. Throws `unavailable`, naming the owner, when another
 * process has it. The lock is SQLite's own, on an empty file; it survives
 * nobody's death.
 */
export function ownDatabase(path: string): Ownership {
  const file = lockOf(path);
  const lastServed = exists(file) ? Deno.statSync(file).mtime?.getTime() ?? null : null;
  Deno.openSync(file, { create: true, write: true, mode: 0o600 }).close();
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (failure) {
    lock.close();
    throw /\blocked\b/.test((failure as Error).message) ? inUse(path) : failure;
  }
  // Of one that was killed: nobody must take it for us.
  forget(path);
  noteServed(file);
  return {
    lastServed,
    noteServed: () => noteServed(file),
    end() {
      forget(path);
      lock.close();
      noteServed(file);
    },
  };
}

function noteServed(file: string): void {
  try {
    Deno.utimeSync(file, new Date(), new Date());
  } catch {
    // It only tells a little less about an absence.
  }
}

/** Says who has the database at `path`, to whoever is refused it. Only for its owner. */
export function nameOwner(path: string, { pid, url }: Owner): void {
  const part = `${nameOf(path)}.part`;
  Deno.writeTextFileSync(part, JSON.stringify({ pid, url }), { mode: 0o600 });
  Deno.renameSync(part, nameOf(path));
}

/** Believed only while somebody has the lock. Null while that one has not said who it is. */
function ownerOf(path: string): Owner | null {
  try {
    const { pid, url } = JSON.parse(Deno.readTextFileSync(nameOf(path)));
    return Number.isInteger(pid) && typeof url === "string" ? { pid, url } : null;
  } catch {
    return null;
  }
}

function forget(path: string): void {
  try {
    if (exists(nameOf(path))) Deno.removeSync(nameOf(path));
  } catch {
    // On a disk that cannot be written, the next owner's name replaces it.
  }
}

function inUse(path: string): BusError {
  const owner = ownerOf(path);
  const who = owner === null
    ? "another event-bus has it open"
    : `the event-bus at ${owner.url} (process ${owner.pid}) has it open`;
  return new BusError(
    "unavailable",
    `Cannot use the database ${path}: ${who}; stop that one first, or name another database with --db`,
    owner === null ? {} : { pid: owner.pid, url: owner.url },
  );
}
