/** One server for one database: a lock that the system lets go of when its holder is gone. */
import { DatabaseSync } from "node:sqlite";
import { BusError } from "../errors.ts";
import { exists } from "./original.ts";

export interface Ownership {
  /** When the last owner before us was there, about, in epoch milliseconds; null for none. */
  readonly lastServed: number | null;
  /** Notes that we are there: the time of the lock's file says until when somebody was. */
  noteServed(): void;
  end(): void;
}

/**
 * Takes the lock beside the database at `path`. Throws `unavailable` when another process has it. The
 * lock is SQLite's own, on an empty file; it survives nobody's death.
 */
export function ownDatabase(path: string): Ownership {
  const file = `${path}-lock`;
  const lastServed = exists(file) ? Deno.statSync(file).mtime?.getTime() ?? null : null;
  Deno.openSync(file, { create: true, write: true, mode: 0o600 }).close();
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch {
    lock.close();
    throw new BusError(
      "unavailable",
      `Cannot use the database ${path}: another event-bus has it open; stop that one first, or ` +
        "name another database with --db",
    );
  }
  const noteServed = () => Deno.utimeSync(file, new Date(), new Date());
  noteServed();
  return {
    lastServed,
    noteServed,
    end() {
      lock.close();
      noteServed();
    },
  };
}
