/**
 * Where events go that leave the log: `archive/2026-11.jsonl.gz`, a file for each month, each appended part
 * a gzip member of its own, so that `zcat` reads them all and one damaged part spoils no other.
 */
import { join } from "node:path";
import { BusError } from "./errors.ts";
import type { Event } from "./event.ts";
import { eventsOf, keyOf, lineOf, type Part, partsIn, seenBefore } from "./archive/parts.ts";
import { pack } from "./archive/member.ts";

export interface Archive {
  /** Keeps events, in the order of their ids; when it resolves they are on the disk. */
  append(events: readonly Event[]): Promise<void>;
  /** Reads on after a cursor: a part of what there is, oldest month first, each event once. */
  read(wanted: ArchiveRead): Promise<ArchivePage>;
}

export interface ArchiveRead {
  /** What an earlier page answered as `next`; null for the start. */
  readonly cursor: string | null;
  /** Epoch milliseconds; months outside are not opened. */
  readonly since: number;
  readonly until: number;
  readonly matches: (event: Event) => boolean;
  readonly limit: number;
  readonly maxBytes: number;
}

export interface ArchivePage {
  readonly events: Event[];
  /** Where to read on; null when there is no more. The page may be short, or empty, all the same. */
  readonly next: string | null;
  /** What could not be read and was skipped. */
  readonly damaged: Damage[];
}

export interface Damage {
  readonly file: string;
  /** From this byte on. */
  readonly at: number;
}

/** One page unpacks no more parts than this: each is about a megabyte. */
const MAX_PARTS = 8;
/** An event's weight beside its payload, about. */
const ENVELOPE_BYTES = 300;

const FILE = /^([0-9]{4}-[0-9]{2})\.jsonl\.gz$/;

/** The archive in a folder, which is made when there is something to keep. */
export function createArchive(folder: string): Archive {
  const nameOf = (month: string) => `${month}.jsonl.gz`;
  const pathOf = (month: string) => join(folder, nameOf(month));
  /** The parts of the file that was read last, as far as it was long then. */
  let known: { month: string; size: number; parts: Part[] } | null = null;

  async function partsOf(month: string, file: Deno.FsFile): Promise<Part[]> {
    const { size } = await file.stat();
    if (known?.month === month && known.size === size) return known.parts;
    const parts = await partsIn(file, size);
    known = { month, size, parts };
    return parts;
  }

  async function months(): Promise<string[]> {
    try {
      const found: string[] = [];
      for await (const { name } of Deno.readDir(folder)) found.push(FILE.exec(name)?.[1] ?? "");
      return found.filter((month) => month !== "").sort();
    } catch (failure) {
      if (failure instanceof Deno.errors.NotFound) return [];
      throw unreadable(folder, failure);
    }
  }

  return {
    async append(events) {
      for (const [month, some] of byMonth(events)) {
        try {
          await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
          await appendTo(pathOf(month), await pack(some.map(lineOf), some), folder);
        } catch (failure) {
          throw new BusError(
            "unavailable",
            `Cannot write to the archive ${pathOf(month)}: ${(failure as Error).message}; ` +
              "the events stay where they are",
          );
        }
      }
    },

    async read(wanted) {
      const page = createPage(wanted);
      const from = placeOf(wanted.cursor);
      for (const month of await months()) {
        if (month < from.month || !isWithin(month, wanted)) continue;
        const file = await open(pathOf(month));
        if (file === null) continue;
        try {
          const parts = await partsOf(month, file);
          const start = month === from.month ? from : { at: 0, done: 0 };
          for (const [index, part] of parts.entries()) {
            if (part.at < start.at) continue;
            if (page.isFull()) return page.end(placeText(month, part.at, 0));
            const done = part.at === start.at ? start.done : 0;
            const stopped = await readPart(file, parts, index, page, done, nameOf(month));
            if (stopped !== null) return page.end(placeText(month, part.at, stopped));
          }
        } finally {
          file.close();
        }
      }
      return page.end(null);
    },
  };
}

/** Shows what a part has to the page, from its event number `done` on; answers where it stopped, if it did. */
async function readPart(
  file: Deno.FsFile,
  parts: readonly Part[],
  index: number,
  page: Page,
  done: number,
  name: string,
): Promise<number | null> {
  const { at } = parts[index] as Part;
  const events = await eventsOf(file, parts[index] as Part);
  page.parts++;
  if (events === null) {
    page.damaged.push({ file: name, at });
    return null;
  }
  const seen = await seenBefore(file, parts, index);
  for (const [number, event] of events.entries()) {
    if (number < done || seen.has(keyOf(event))) continue;
    if (!page.take(event)) return number;
  }
  return null;
}

interface Page {
  parts: number;
  readonly damaged: Damage[];
  isFull(): boolean;
  /** Answers whether there was room for it, or it is not wanted. */
  take(event: Event): boolean;
  end(next: string | null): ArchivePage;
}

function createPage({ since, until, matches, limit, maxBytes }: ArchiveRead): Page {
  const events: Event[] = [];
  const damaged: Damage[] = [];
  let bytes = 0;
  const page: Page = {
    parts: 0,
    damaged,
    isFull: () => page.parts >= MAX_PARTS || events.length >= limit,
    take(event) {
      if (event.at < since || event.at >= until || !matches(event)) return true;
      const more = event.payload.length + ENVELOPE_BYTES;
      if (events.length >= limit || (events.length > 0 && bytes + more > maxBytes)) return false;
      bytes += more;
      events.push(event);
      return true;
    },
    end: (next) => ({ events, next, damaged }),
  };
  return page;
}

/** `2026-11:4096:17`: a month, a part's first byte, and how many of its events were dealt with. */
function placeOf(cursor: string | null): { month: string; at: number; done: number } {
  if (cursor === null) return { month: "", at: 0, done: 0 };
  const [, month, at, done] = /^([0-9]{4}-[0-9]{2}):([0-9]{1,15}):([0-9]{1,9})$/.exec(cursor) ?? [];
  if (month !== undefined) return { month, at: Number(at), done: Number(done) };
  throw new BusError(
    "invalid_argument",
    "Cannot read the archive from this cursor: it is none that a page of the archive answered",
  );
}

const placeText = (month: string, at: number, done: number): string => `${month}:${at}:${done}`;

function byMonth(events: readonly Event[]): Map<string, Event[]> {
  return Map.groupBy(events, ({ at }) => monthOf(at));
}

const YEAR_10000 = Date.UTC(10_000, 0);

/** The month of a time, UTC, within the years that four digits can say. */
function monthOf(at: number): string {
  if (at >= YEAR_10000) return "9999-12";
  return at >= 0 ? new Date(at).toISOString().slice(0, 7) : "0000-01";
}

const isWithin = (month: string, { since, until }: ArchiveRead): boolean =>
  month >= monthOf(since) && month <= monthOf(until);

/** Appends whole or not at all, as far as the disk allows, and waits until it is there. */
async function appendTo(path: string, bytes: Uint8Array, folder: string): Promise<void> {
  using file = await Deno.open(path, { create: true, append: true, mode: 0o600 });
  const { size } = await file.stat();
  try {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await file.write(rest));
    await file.sync();
  } catch (failure) {
    // What is left of it, if it cannot be cut off, is skipped by who reads.
    await file.truncate(size).catch(() => {});
    throw failure;
  }
  if (size === 0) await syncFolder(folder);
}

/** A new file's name is safe only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  try {
    using handle = await Deno.open(folder);
    await handle.sync();
  } catch {
    // Not every system opens folders; those that do not keep names by themselves.
  }
}

async function open(path: string): Promise<Deno.FsFile | null> {
  try {
    return await Deno.open(path);
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return null;
    throw unreadable(path, failure);
  }
}

function unreadable(path: string, failure: unknown): BusError {
  return new BusError("unavailable", `Cannot read ${path}: ${(failure as Error).message}`);
}
