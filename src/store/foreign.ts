/** Reads a database that is not this server's: one of the original, or of another bus, of any schema. */
import { dirname } from "node:path";
import { BusError, quoted } from "../errors.ts";
import { openStore, type Store } from "./open.ts";
import { copyWhole, isLocked } from "./original/places.ts";

/**
 * Runs `use` on a copy of the database at `path`, brought up to our schema; the file itself is only
 * read. `own` is the server's database, which it cannot be, and beside which the copy is made.
 */
export async function withCopyOf<T>(
  path: string,
  own: string,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  // Not even to be looked at: closing any descriptor of it gives up this process's locks on it.
  if (isSame(path, own)) throw refusal(path, new Error("it is the database of this bus"));
  const dir = own === ":memory:" ? {} : { dir: dirname(own) };
  const folder = Deno.makeTempDirSync({ ...dir, prefix: ".importing-" });
  try {
    const copy = `${folder}/data.db`;
    let store: Store;
    try {
      copyWhole(path, copy);
      // SQLite would take it for a database in which there is nothing.
      if (Deno.statSync(copy).size === 0) throw new Error("it is empty");
      store = openStore(copy);
    } catch (failure) {
      throw refusal(path, failure, copy);
    }
    try {
      return await use(store);
    } finally {
      store.close();
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function isSame(path: string, own: string): boolean {
  if (own === ":memory:") return false;
  try {
    const [one, other] = [Deno.statSync(path), Deno.statSync(own)];
    return one.ino !== null && one.ino === other.ino && one.dev === other.dev;
  } catch {
    return false;
  }
}

function refusal(path: string, failure: unknown, copy?: string): BusError {
  const message = failure instanceof Error ? failure.message : String(failure);
  // It must not speak of a copy that is gone by then.
  const detail = isLocked(failure)
    ? "it is in use; stop the program that writes to it"
    : message.replace(`Cannot use the database ${copy}: `, "").replace(
      /; name another with --db$/,
      "",
    );
  const code = failure instanceof Deno.errors.NotFound ? "not_found" : "conflict";
  return new BusError(code, `Cannot import the database ${quoted(path, 500)}: ${detail}`);
}
