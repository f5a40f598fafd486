/**
 * Where events wait for a bus that is away: a folder with one file for each, which any process of this
 * user may add to, and one at a time takes from. A leaf: the command line's fast path uses it.
 */
import { join } from "node:path";
import { BusError } from "./errors.ts";

export interface SpoolEntry {
  /** The bus it is for, as a client's base address; it goes nowhere else. */
  readonly url: string;
  /** The arguments of `publish_event`, with `dedupe_key` and `sent_at`. */
  readonly args: Record<string, unknown>;
}

export interface Spool {
  readonly folder: string;
  /** Adds an event behind those that wait. When this returns, it survives a power cut. */
  add(entry: SpoolEntry): void;
  /** What waits, oldest first, by name. */
  names(): string[];
  /** An entry; null when somebody has taken it meanwhile. Throws when it is damaged. */
  read(name: string): SpoolEntry | null;
  /** Forgets an entry that was delivered. */
  remove(name: string): void;
  /** Keeps an entry that cannot be delivered, with the reason beside it, out of the way. */
  setAside(name: string, reason: string): void;
  /** The right to deliver, until it is disposed of or the process ends; null while another has it. */
  lock(): Disposable | null;
}

/** A script that runs in a loop while the bus is away must not fill the disk. */
export const MAX_SPOOLED = 10_000;

/** The spool in a data folder; the folder comes with the first event. */
export function openSpool(dataDir: string): Spool {
  const folder = join(dataDir, "spool");
  const damaged = join(folder, "damaged");
  const at = (name: string) => join(folder, name);

  function names(): string[] {
    return entriesOf(folder).filter((name) => NAME.test(name)).sort();
  }

  return {
    folder,
    names,
    add(entry) {
      Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
      const waiting = names();
      if (waiting.length >= MAX_SPOOLED) {
        throw new BusError(
          "unavailable",
          `Cannot spool the event: ${MAX_SPOOLED} events wait in ${folder} already`,
        );
      }
      // A clock that was put back must not put this one before those that wait.
      const newest = Number(waiting.at(-1)?.split("-")[0] ?? 0);
      const time = String(Math.max(Date.now(), newest + 1)).padStart(15, "0");
      const name = `${time}-${crypto.randomUUID()}.json`;
      writeWhole(folder, name, JSON.stringify(entry));
    },
    read(name) {
      let text: string;
      try {
        text = Deno.readTextFileSync(at(name));
      } catch (failure) {
        if (failure instanceof Deno.errors.NotFound) return null;
        throw failure;
      }
      return parseEntry(text);
    },
    remove(name) {
      removeIfThere(at(name));
    },
    setAside(name, reason) {
      Deno.mkdirSync(damaged, { recursive: true, mode: 0o700 });
      Deno.writeTextFileSync(join(damaged, `${name}.reason`), `${reason}\n`, { mode: 0o600 });
      Deno.renameSync(at(name), join(damaged, name));
    },
    lock() {
      const file = Deno.openSync(at(".lock"), { create: true, write: true, mode: 0o600 });
      if (file.tryLockSync(true)) {
        removeLeftOvers(folder);
        return { [Symbol.dispose]: () => file.close() };
      }
      file.close();
      return null;
    },
  };
}

const NAME = /^[0-9]{15,}-[0-9a-f-]{36}\.json$/;

function entriesOf(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => name);
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return [];
    throw failure;
  }
}

/** The file is there with all of its content, on the disk, or not at all. */
function writeWhole(folder: string, name: string, text: string): void {
  const part = join(folder, `.${name}`);
  const bytes = new TextEncoder().encode(text);
  try {
    const file = Deno.openSync(part, { createNew: true, write: true, mode: 0o600 });
    try {
      for (let written = 0; written < bytes.length;) {
        written += file.writeSync(bytes.subarray(written));
      }
      file.syncSync();
    } finally {
      file.close();
    }
    Deno.renameSync(part, join(folder, name));
  } catch (failure) {
    removeIfThere(part);
    throw failure;
  }
  // The name as well: it is the folder that has it.
  const parent = Deno.openSync(folder, { read: true });
  try {
    parent.syncSync();
  } finally {
    parent.close();
  }
}

function parseEntry(text: string): SpoolEntry {
  const entry = JSON.parse(text) as Partial<SpoolEntry> | null;
  const args = entry?.args;
  if (typeof entry?.url !== "string" || typeof args !== "object" || args === null) {
    throw new Error("it is no event for a bus");
  }
  // Without both it could not be told whether it was delivered before.
  if (typeof args.dedupe_key !== "string" || typeof args.sent_at !== "string") {
    throw new Error("it does not say when it was sent, or by which key to know it again");
  }
  return { url: entry.url, args };
}

const HOUR_MS = 60 * 60 * 1000;

/** What writers left that were killed half way; the living are done within the hour. */
function removeLeftOvers(folder: string): void {
  for (const name of entriesOf(folder)) {
    if (!name.startsWith(".") || !NAME.test(name.slice(1))) continue;
    if (Number(name.slice(1).split("-")[0]) < Date.now() - HOUR_MS) {
      removeIfThere(join(folder, name));
    }
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (failure) {
    if (!(failure instanceof Deno.errors.NotFound)) throw failure;
  }
}
