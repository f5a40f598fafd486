/** A copy of the database while it is in use: consistent, verified, and whole or not there. */
import { basename, dirname } from "node:path";
import { BusError, quoted } from "../errors.ts";
import { sweepLeftovers } from "./leftovers.ts";
import { APPLICATION_ID } from "./open.ts";
import { exists } from "./original.ts";
import worker from "./backup_worker.js" with { type: "text" };

export interface Backup {
  readonly path: string;
  readonly bytes: number;
  readonly schema: number;
  readonly events: number;
  readonly sessions: number;
}

interface Facts {
  damage: string;
  application_id: number;
  schema: number;
  events: number;
  sessions: number;
}

/**
 * Writes the database at `from`, which may be open and written to, to `to` as of one moment. The file
 * is the user's alone and has its name only once it was opened and checked. One that is there
 * already is replaced only with `force`.
 */
export async function backUp(from: string, to: string, force: boolean): Promise<Backup> {
  checkTarget(from, to, force);
  sweepLeftovers(dirname(to));
  const part = partBeside(to);
  try {
    const { damage, application_id, ...facts } = await copy(from, part);
    if (damage !== "ok" || application_id !== APPLICATION_ID) {
      throw new Error(`the copy is not sound: ${damage}`);
    }
    // Looked at once more: it may have come while we were busy.
    checkTarget(from, to, force);
    const { size: bytes } = Deno.statSync(part);
    Deno.renameSync(part, to);
    return { path: to, bytes, ...facts };
  } catch (failure) {
    throw refusal(to, failure);
  } finally {
    for (const file of [part, `${part}-journal`, `${part}-wal`, `${part}-shm`]) {
      if (exists(file)) Deno.removeSync(file);
    }
  }
}

function partBeside(to: string): string {
  try {
    // Made by us and not by SQLite: it is the user's alone from the first byte on.
    return Deno.makeTempFileSync({
      dir: dirname(to),
      // Not of its name, which may be as long as names get, or have what the runtime refuses here.
      prefix: ".backup-",
      suffix: ".part",
    });
  } catch (failure) {
    throw refusal(to, failure);
  }
}

/** Refuses what must not be written over: the database itself and its companions, or any file. */
function checkTarget(from: string, to: string, force: boolean): void {
  const refuse = (why: string) =>
    new BusError("conflict", `Cannot back up to ${quoted(to, 500)}: ${why}`);
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(to);
  } catch (failure) {
    if (isOf(from, to)) throw refuse("it belongs to the database itself");
    if (failure instanceof Deno.errors.NotFound) return;
    throw refusal(to, failure);
  }
  if (info.isDirectory) throw refuse("it is a folder; name a file in it");
  if (!info.isFile) throw refuse("it is not a file");
  if (isOf(from, to)) throw refuse("it belongs to the database itself");
  if (!force) throw refuse("it is there already; remove it, or use force");
}

/** Whether `to` is the database at `from` or a file beside it that belongs to it, by any name. */
function isOf(from: string, to: string): boolean {
  const target = realPath(to);
  return ["", "-wal", "-shm", "-journal", "-lock"].some((end) => realPath(from + end) === target);
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    // Not there yet: then its folder decides.
    try {
      return `${Deno.realPathSync(dirname(path))}/${basename(path)}`;
    } catch {
      return path;
    }
  }
}

function copy(from: string, to: string): Promise<Facts> {
  const source = `data:text/javascript,${encodeURIComponent(worker)}`;
  const thread = new Worker(source, { type: "module" });
  return new Promise<Facts>((resolve, reject) => {
    thread.onmessage = ({ data: { facts, failure } }) =>
      failure === undefined ? resolve(facts) : reject(new Error(failure));
    thread.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    thread.postMessage({ from, to });
  }).finally(() => thread.terminate());
}

function refusal(to: string, failure: unknown): BusError {
  if (failure instanceof BusError) return failure;
  const detail = failure instanceof Error ? failure.message : String(failure);
  return new BusError("unavailable", `Cannot back up to ${quoted(to, 500)}: ${detail}`);
}
