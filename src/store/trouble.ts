/** Why the database cannot be written or read, in words for whoever can do something about it. */
import { MAX_PAYLOAD_BYTES } from "../event.ts";
import type { Store } from "./open.ts";

/** What SQLite says, and what it means here. Anything else is a fault of ours. */
const TROUBLES: readonly [RegExp, string][] = [
  [/^database or disk is full/, "the disk is full"],
  [/^attempt to write a readonly database/, "the database is read-only"],
  [
    /^(database|database table|database schema) is locked|^locking protocol/,
    "another program has it locked",
  ],
  [/^disk I\/O error/, "the disk reports an error"],
  [/^(database disk image is malformed|file is not a database)/, "it is damaged; restore a backup"],
  [/^unable to open database file/, "its file or folder cannot be opened"],
];

/** The trouble with disk or file behind a failure; null when it is none of those. */
export function troubleOf(failure: unknown): string | null {
  if (!(failure instanceof Error)) return null;
  if ((failure as { code?: unknown }).code !== "ERR_SQLITE_ERROR") return null;
  return TROUBLES.find(([said]) => said.test(failure.message))?.[1] ?? null;
}

/** As large as an event gets: a disk with room for a word is full for whoever has more to say. */
const PROBE = "x".repeat(MAX_PAYLOAD_BYTES);

/**
 * Why nothing can be written now; null when it can. After a write that failed this tries another, and
 * takes it back: so what is over is found to be over, also when nobody publishes.
 */
export async function whyNotWritable(store: Store): Promise<string | null> {
  if (store.trouble() === null) return null;
  try {
    await store.inBatch(() =>
      store.sql("INSERT OR REPLACE INTO meta (name, value) VALUES ('probe', ?)").run(PROBE)
    );
    await store.inBatch(() => store.sql("DELETE FROM meta WHERE name = 'probe'").run());
  } catch {
    // It says below what is still wrong.
  }
  return store.trouble();
}
