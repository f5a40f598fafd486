/** The parts of one file of the archive, and the events in them. */
import { ABSENT, type Event } from "../event.ts";
import { HEADER_BYTES, headerOf, type Member, unpack } from "./member.ts";

/** A part of a file: a member, or where none can be recognised. */
export interface Part {
  readonly at: number;
  readonly member: Member | null;
}

/** Walks from member to member; where one is torn, to the next that can be recognised. */
export async function partsIn(file: Deno.FsFile, size: number): Promise<Part[]> {
  const parts: Part[] = [];
  let isTorn = false;
  for (let at = 0; at < size;) {
    const member = await memberAt(file, at, size);
    if (member !== null || !isTorn) parts.push({ at, member });
    isTorn = member === null;
    at = member === null ? await nextHeader(file, at + 1, size) : at + member.size;
  }
  return parts;
}

/**
 * The member that begins here; null when there is none. Its length is believed when another follows
 * there. Else it is looked into: a crash may have cut it off, and what came later stands within it.
 */
async function memberAt(file: Deno.FsFile, at: number, size: number): Promise<Member | null> {
  const member = headerOf(await bytesAt(file, at, HEADER_BYTES));
  if (member === null || at + member.size > size) return null;
  if (headerOf(await bytesAt(file, at + member.size, HEADER_BYTES)) !== null) return member;
  return await eventsOf(file, { at, member }) === null ? null : member;
}

const WINDOW_BYTES = 64 * 1024;

/** Where the next member may begin; the end of the file when none does. */
async function nextHeader(file: Deno.FsFile, from: number, size: number): Promise<number> {
  for (let at = from; at < size; at += WINDOW_BYTES - HEADER_BYTES) {
    const window = await bytesAt(file, at, WINDOW_BYTES);
    for (let i = 0; i + HEADER_BYTES <= window.length; i++) {
      if (window[i] === 0x1f && headerOf(window.subarray(i)) !== null) return at + i;
    }
  }
  return size;
}

/**
 * What earlier parts have too: a crash between archive and delete leaves events in both, and they are
 * archived again. By time as well: a restored database may have given the same id to another event.
 */
export async function seenBefore(
  file: Deno.FsFile,
  parts: readonly Part[],
  index: number,
): Promise<Set<string>> {
  const own = (parts[index] as Part).member as Member;
  const seen = new Set<string>();
  for (const part of parts.slice(0, index)) {
    const { member } = part;
    if (member === null || member.last < own.first || member.first > own.last) continue;
    for (const event of await eventsOf(file, part) ?? []) seen.add(keyOf(event));
  }
  return seen;
}

/** What an event is recognised by. */
export const keyOf = ({ id, at }: Event): string => `${id} ${at}`;

/** The events of a part; null when it is damaged. */
export async function eventsOf(
  file: Deno.FsFile,
  { at, member }: Part,
): Promise<Event[] | null> {
  if (member === null) return null;
  try {
    const text = await unpack(await bytesAt(file, at, member.size));
    return text.split("\n").filter((line) => line !== "").map(ofLine);
  } catch {
    return null;
  }
}

/** One event on one line, without what it has not. */
export function lineOf(event: Event): string {
  const said = Object.entries(event).filter(([, value]) =>
    value !== null && !(Array.isArray(value) && value.length === 0)
  );
  return `${JSON.stringify(Object.fromEntries(said))}\n`;
}

/** The event of a line; throws when it is none. */
function ofLine(line: string): Event {
  const event = { ...ABSENT, ...JSON.parse(line) } as Event;
  const texts = [event.event_type, event.payload, event.channel, event.session_id];
  if (!Number.isSafeInteger(event.id) || !Number.isFinite(event.at)) throw new Error("no event");
  if (!texts.every((text) => typeof text === "string")) throw new Error("no event");
  return event;
}

async function bytesAt(file: Deno.FsFile, at: number, length: number): Promise<Uint8Array> {
  await file.seek(at, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  let read = 0;
  while (read < length) {
    const more = await file.read(bytes.subarray(read));
    if (more === null) break;
    read += more;
  }
  return bytes.subarray(0, read);
}
