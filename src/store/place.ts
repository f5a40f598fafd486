/** Whether the files that are written to are still the ones that a restart would find. */
import type { DatabaseSync } from "node:sqlite";

/** A file by what does not change when it is renamed. */
interface Identity {
  readonly dev: number;
  readonly ino: number | null;
}

/**
 * Looks at the database at `path`, which is open, and answers what says later whether its files are
 * still in their place: null, or why not. SQLite writes on into files that were deleted or moved away.
 */
export function watchPlace(path: string): () => string | null {
  const database = identityOf(path);
  // It comes with the first access, and stays the same file while the database is open.
  let journal: Identity | null = null;
  return () => {
    try {
      const now = identityOf(path);
      if (now === null) {
        return "its file is gone; put it back, or save what is here with event-bus export";
      }
      if (!isSame(now, database)) {
        return "another file has taken the place of its own; save what is here with event-bus export, " +
          "and restart the server";
      }
      const log = identityOf(`${path}-wal`);
      if (journal !== null && !isSame(log, journal)) {
        return "its file ending in -wal is gone; restart the server";
      }
      journal ??= log;
      return null;
    } catch (failure) {
      return `its folder cannot be read: ${(failure as Error).message}`;
    }
  };
}

/**
 * Moves what the journal has into the database file as it was opened, wherever that is now: whoever
 * finds it finds all of it, and a journal that stayed behind is not taken for another database's.
 */
export function completeFile(db: DatabaseSync): void {
  try {
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // Whoever writes is told that nothing can be written; there is no more to say.
  }
}

function identityOf(path: string): Identity | null {
  try {
    const { dev, ino } = Deno.statSync(path);
    return { dev, ino };
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return null;
    throw failure;
  }
}

function isSame(one: Identity | null, other: Identity | null): boolean {
  return one !== null && other !== null && one.ino === other.ino && one.dev === other.dev;
}
