/** How much room the database takes. */
import type { Store } from "./open.ts";

/** Bytes of the database and of the log that is written ahead of it; 0 for one in memory. */
export function databaseBytes(store: Store): { main: number; wal: number } {
  const of = (pragma: string) => Object.values(store.sql(pragma).get() ?? {})[0] as number;
  const main = of("PRAGMA page_count") * of("PRAGMA page_size");
  return { main, wal: store.path === ":memory:" ? 0 : bytesOf(`${store.path}-wal`) };
}

function bytesOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return 0;
    throw failure;
  }
}
