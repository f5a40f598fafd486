/** The end of a file that grows and is replaced by a new one of its name, as logs are. */
import { basename, dirname } from "node:path";
import { CliError, EXIT } from "../verb.ts";
import { lookAt } from "./files.ts";

const BLOCK = 64 * 1024;
const NEWLINE = 10;

/** The last lines of a file and where they end; null without a file. Reads no more than it needs. */
export function tailOf(path: string, count: number): { lines: string[]; end: number } | null {
  const file = openIfThere(path);
  if (file === null) return null;
  try {
    const { size } = file.statSync();
    let start = size;
    let bytes = new Uint8Array();
    // One newline more than lines, because the last line ends with one.
    while (start > 0 && newlinesIn(bytes) <= count) {
      const length = Math.min(BLOCK, start);
      start -= length;
      const block = new Uint8Array(length);
      file.seekSync(start, Deno.SeekMode.Start);
      const read = readFull(file, block);
      const joined = new Uint8Array(read + bytes.length);
      joined.set(block.subarray(0, read));
      joined.set(bytes, read);
      bytes = joined;
    }
    // A line that is being written is left to whoever follows.
    const complete = bytes.lastIndexOf(NEWLINE) + 1;
    const lines = new TextDecoder().decode(bytes.subarray(0, complete)).split("\n").slice(0, -1);
    return { lines: count === 0 ? [] : lines.slice(-count), end: size - bytes.length + complete };
  } finally {
    file.close();
  }
}

/**
 * Shows every line that is added to `path` after position `from`, until `signal` aborts. When the
 * file is moved away, what is left in it is shown, and then its successor from the start. It is the
 * system that says when there is something to read.
 */
export async function followFile(
  path: string,
  from: number,
  show: (lines: readonly string[]) => void,
  signal?: AbortSignal,
): Promise<void> {
  const folder = dirname(path);
  if (lookAt(folder) === null) {
    throw new CliError(`Cannot wait for a log in ${folder}: there is no such folder`, EXIT.refused);
  }
  const watcher = Deno.watchFs(folder, { recursive: false });
  const stop = () => watcher.close();
  const reader = createReader(path, from, show);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    // What was added before the watch began rings no bell.
    reader.catchUp();
    for await (const { paths } of watcher) {
      if (paths.some((changed) => basename(changed) === basename(path))) reader.catchUp();
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    reader.close();
    if (!signal?.aborted) watcher.close();
  }
}

function createReader(path: string, from: number, show: (lines: readonly string[]) => void) {
  let file = openIfThere(path);
  let at = from;
  let rest: Uint8Array = new Uint8Array();

  function readOn(): void {
    if (file === null) return;
    // Somebody emptied it.
    if (file.statSync().size < at) [at, rest] = [0, new Uint8Array()];
    file.seekSync(at, Deno.SeekMode.Start);
    const block = new Uint8Array(BLOCK);
    for (let read: number; (read = readFull(file, block)) > 0;) {
      at += read;
      const bytes = new Uint8Array(rest.length + read);
      bytes.set(rest);
      bytes.set(block.subarray(0, read), rest.length);
      // Cut after the last newline, so that no character is ever cut in two.
      const complete = bytes.lastIndexOf(NEWLINE) + 1;
      rest = bytes.slice(complete);
      show(new TextDecoder().decode(bytes.subarray(0, complete)).split("\n").slice(0, -1));
    }
  }

  return {
    catchUp(): void {
      readOn();
      const now = lookAt(path);
      if (now === null || (file !== null && file.statSync().ino === now.ino)) return;
      file?.close();
      file = openIfThere(path);
      [at, rest] = [0, new Uint8Array()];
      readOn();
    },
    close(): void {
      file?.close();
    },
  };
}

function openIfThere(path: string): Deno.FsFile | null {
  try {
    return Deno.openSync(path);
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return null;
    throw failure;
  }
}

function readFull(file: Deno.FsFile, into: Uint8Array): number {
  let filled = 0;
  while (filled < into.length) {
    const read = file.readSync(into.subarray(filled));
    if (read === null) break;
    filled += read;
  }
  return filled;
}

function newlinesIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
