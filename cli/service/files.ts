/** Files that are written whole or not at all, and files that are moved aside instead of lost. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { CliError, EXIT } from "../verb.ts";

/** What a file that was here before us is called from then on, so that nothing takes it for live. */
export const BEFORE = ".before-event-bus";
/** What our own file is called after somebody changed it by hand and we replaced it. */
export const EDITED = ".edited-by-hand";

/** What is at a path, links not followed; null when nothing is. */
export function lookAt(path: string): Deno.FileInfo | null {
  return orNull(() => Deno.lstatSync(path));
}

/** The text of a file; null when there is none. */
export function contentOf(path: string): string | null {
  return orNull(() => Deno.readTextFileSync(path));
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound || failure instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw failure;
  }
}

/** Writes a text file so that readers see the old one or the new one, also after a power cut. */
export function writeWhole(path: string, content: string, mode: number): void {
  const bytes = new TextEncoder().encode(content);
  replaceWhole(path, mode, (temporary) => Deno.writeFileSync(temporary, bytes));
}

/** Copies a file in the same way. */
export function copyWhole(from: string, to: string, mode: number): void {
  replaceWhole(to, mode, (temporary) => Deno.copyFileSync(from, temporary));
}

function replaceWhole(path: string, mode: number, fill: (temporary: string) => void): void {
  // In the same folder: only there is a rename one step. 0600 until it is complete.
  const temporary = Deno.makeTempFileSync({ dir: dirname(path), prefix: ".event-bus-" });
  try {
    fill(temporary);
    Deno.chmodSync(temporary, mode);
    const file = Deno.openSync(temporary, { read: true });
    try {
      file.syncSync();
    } finally {
      file.close();
    }
    Deno.renameSync(temporary, path);
  } catch (failure) {
    Deno.removeSync(temporary);
    throw new CliError(`Cannot write ${path}: ${(failure as Error).message}`, EXIT.refused);
  }
}

/**
 * Puts a folder of text files at a path, in place of the one that is there, as a whole. The files are
 * written in their order, in a folder beside it that says nothing by its own name.
 */
export function writeFolder(path: string, files: Readonly<Record<string, string>>): void {
  try {
    makeFolder(dirname(path), 0o755);
    const work = Deno.makeTempDirSync({ dir: dirname(path), prefix: ".event-bus-" });
    try {
      const [fresh, former] = [join(work, "new"), join(work, "old")];
      for (const [name, content] of Object.entries(files)) {
        makeFolder(dirname(join(fresh, name)), 0o755);
        writeWhole(join(fresh, name), content, 0o644);
      }
      const isThere = lookAt(path) !== null;
      if (isThere) Deno.renameSync(path, former);
      try {
        Deno.renameSync(fresh, path);
      } catch (failure) {
        if (isThere) Deno.renameSync(former, path);
        throw failure;
      }
    } finally {
      Deno.removeSync(work, { recursive: true });
    }
  } catch (failure) {
    if (failure instanceof CliError) throw failure;
    throw new CliError(`Cannot write ${path}: ${(failure as Error).message}`, EXIT.refused);
  }
}

/** Makes a folder and its parents; only those that are new get `mode`. */
export function makeFolder(path: string, mode: number): void {
  Deno.mkdirSync(path, { recursive: true, mode });
}

/** Removes a file; one that is gone already is no failure. */
export function removeFile(path: string): void {
  orNull(() => Deno.removeSync(path));
}

/** The first free name among `path` + suffix, `path` + suffix + `-2`, and so on. */
export function freeName(path: string, suffix: string): string {
  for (let i = 1;; i++) {
    const name = path + suffix + (i === 1 ? "" : `-${i}`);
    if (lookAt(name) === null) return name;
  }
}

/** The newest of the names that `freeName` gave out for this path; null when there is none. */
export function asideOf(path: string, suffix: string): string | null {
  let newest: string | null = null;
  for (let i = 1;; i++) {
    const name = path + suffix + (i === 1 ? "" : `-${i}`);
    if (lookAt(name) === null) return newest;
    newest = name;
  }
}

/** A text's fingerprint. */
export function fingerprint(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Whether two files hold the same bytes; false when either is not a file. */
export function sameBytes(a: string, b: string): boolean {
  const [first, second] = [a, b].map((path) => orNull(() => Deno.statSync(path)));
  if (!first?.isFile || !second?.isFile || first.size !== second.size) return false;
  const files = [Deno.openSync(a), Deno.openSync(b)] as const;
  try {
    const pieces = [new Uint8Array(1 << 20), new Uint8Array(1 << 20)] as const;
    for (;;) {
      const [x, y] = [fillFrom(files[0], pieces[0]), fillFrom(files[1], pieces[1])];
      // Not byte by byte in a loop of ours: binaries are a hundred megabytes.
      if (Buffer.compare(x, y) !== 0) return false;
      if (x.length === 0) return true;
    }
  } finally {
    files.forEach((file) => file.close());
  }
}

function fillFrom(file: Deno.FsFile, into: Uint8Array): Uint8Array {
  let filled = 0;
  while (filled < into.length) {
    const read = file.readSync(into.subarray(filled));
    if (read === null) break;
    filled += read;
  }
  return into.subarray(0, filled);
}
