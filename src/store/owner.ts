/** One server for one database: a lock that the system lets go of when its holder is gone. */
import { DatabaseSync } from "node:sqlite";
import { BusError } from "../errors.ts";

/**
 * Takes the lock beside the database at `path` until the answer is called. Throws `unavailable` when
 * another process has it. The lock is SQLite's own, on an empty file; it survives nobody's death.
 */
export function ownDatabase(path: string): () => void {
  const file = `${path}-lock`;
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
  return () => lock.close();
}
