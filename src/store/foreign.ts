/** Reads a database that is not this server's: one of the original, or of another bus, of any schema. */
import { dirname } from "node:path";
import { BusError, quoted } from "../errors.ts";
import type { MovedEvent, MovedPage, MovedSession, Part } from "./moving.ts";
import { isLocked } from "./original/places.ts";
import { startThread } from "./thread.ts";

/** A foreign database's log, page by page. */
export interface ForeignLog {
  readonly name: string;
  events(part: Part): Promise<MovedPage<MovedEvent>>;
  sessions(part: Part): Promise<MovedPage<MovedSession>>;
}

/**
 * Runs `use` on a copy of the database at `path`, brought up to our schema; the file itself is only
 * read. All of it happens in a thread, since a large one takes seconds. `own` is the server's
 * database, which it cannot be, and beside which the copy is made.
 */
export async function withCopyOf<T>(
  path: string,
  own: string,
  use: (log: ForeignLog) => Promise<T>,
): Promise<T> {
  // Not even to be looked at: closing any descriptor of it gives up this process's locks on it.
  if (isSame(path, own)) throw refusal(path, new Error("it is the database of this bus"));
  const { url } = await import("./foreign_thread.ts");
  const dir = own === ":memory:" ? {} : { dir: dirname(own) };
  const folder = Deno.makeTempDirSync({ ...dir, prefix: ".importing-" });
  const thread = startThread(url);
  try {
    const copy = `${folder}/data.db`;
    let name: string;
    try {
      name = await thread.ask<string>("open", path, copy);
    } catch (failure) {
      throw refusal(path, failure, copy);
    }
    const result = await use({
      name,
      events: (part) => thread.ask("events", part),
      sessions: (part) => thread.ask("sessions", part),
    });
    await thread.ask("close");
    return result;
  } finally {
    thread.end();
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
