/** How much room a database takes, and how much is left for it. */
import { statfsSync } from "node:fs";
import { dirname } from "node:path";

export interface Space {
  readonly bytes: number;
  /** Of the log that SQLite writes ahead. */
  readonly wal_bytes: number;
  /** What this user may still fill of its disk, and the disk's size; null where that is not known. */
  readonly free_bytes: number | null;
  readonly total_bytes: number | null;
}

/** The room that the database at `path` takes and has; one in memory takes none. */
export function spaceOf(path: string): Space {
  if (path === ":memory:") {
    return { bytes: 0, wal_bytes: 0, free_bytes: null, total_bytes: null };
  }
  return { bytes: sizeOf(path), wal_bytes: sizeOf(`${path}-wal`), ...diskOf(dirname(path)) };
}

/** By its name alone: whoever opens and closes the file drops the locks that SQLite has on it. */
function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

function diskOf(folder: string): Pick<Space, "free_bytes" | "total_bytes"> {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder);
    return { free_bytes: bavail * bsize, total_bytes: blocks * bsize };
  } catch {
    return { free_bytes: null, total_bytes: null };
  }
}
