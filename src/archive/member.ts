/**
 * One part of an archive: a gzip member that says in its header how long it is and which events it has,
 * so that a reader can go from one to the next, past a damaged one, and knows which may overlap.
 */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";

export interface Member {
  /** Bytes, header and all. */
  readonly size: number;
  /** The lowest and the highest id of its events. */
  readonly first: number;
  readonly last: number;
}

/** Ten bytes as ever, then a field "EB" of twenty, as the format allows: programs skip it. */
const START = [0x1f, 0x8b, 8, 4];
const FIELD = [24, 0, 0x45, 0x42, 20, 0];
const PLAIN_BYTES = 10;
export const HEADER_BYTES = PLAIN_BYTES + FIELD.length + 20;

/** Far more than a part holds; what claims to be larger is damaged, or not ours. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

const compress = promisify(gzip);
const expand = promisify(gunzip);

/** Packs lines, of events with these ids. */
export async function pack(
  lines: readonly string[],
  events: readonly { id: number }[],
): Promise<Uint8Array> {
  const plain = await compress(lines.join(""));
  const size = plain.length + HEADER_BYTES - PLAIN_BYTES;
  const member = new Uint8Array(size);
  member.set(plain.subarray(0, PLAIN_BYTES));
  member.set(START);
  member.set(FIELD, PLAIN_BYTES);
  const view = new DataView(member.buffer);
  view.setUint32(16, size, true);
  view.setBigUint64(20, BigInt(Math.min(...events.map(({ id }) => id))), true);
  view.setBigUint64(28, BigInt(Math.max(...events.map(({ id }) => id))), true);
  member.set(plain.subarray(PLAIN_BYTES), HEADER_BYTES);
  return member;
}

/** What the header at the start of `bytes` says; null when there is none of ours. */
export function headerOf(bytes: Uint8Array): Member | null {
  if (bytes.length < HEADER_BYTES) return null;
  const isOurs = START.every((byte, i) => bytes[i] === byte) &&
    FIELD.every((byte, i) => bytes[PLAIN_BYTES + i] === byte);
  if (!isOurs) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const size = view.getUint32(16, true);
  const [first, last] = [Number(view.getBigUint64(20, true)), Number(view.getBigUint64(28, true))];
  const isSane = size > HEADER_BYTES && size <= MAX_TEXT_BYTES && first <= last;
  return isSane ? { size, first, last } : null;
}

/** The text of a member; rejects when it is damaged. */
export async function unpack(member: Uint8Array): Promise<string> {
  const text = await expand(member, { maxOutputLength: MAX_TEXT_BYTES });
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
}
