/** The processes of this machine: whether one is still there, and still the same. */
import process from "node:process";
import type { SessionProcess } from "./session.ts";

/** Reading a start takes a program; whether the process is there is asked each time, and costs nothing. */
const FRESH_MS = 10 * 60_000;
/** More processes than have sessions at one time. */
const MAX_STARTS = 1000;

const starts = new Map<number, { start: string | null; at: number }>();

/**
 * Whether a process exists; one that we may not signal does. With a start it must be the one that
 * started then, because the system gives numbers out again; where that cannot be read it may be.
 */
export function isAlive({ pid, start }: SessionProcess): boolean {
  try {
    process.kill(pid, 0);
  } catch (failure) {
    if ((failure as { code?: string }).code === "ESRCH") {
      starts.delete(pid);
      return start !== null && isElsewhere(start);
    }
  }
  if (start === null || isElsewhere(start)) return true;
  const now = recentStart(pid);
  return now === null || now === start;
}

function recentStart(pid: number): string | null {
  const known = starts.get(pid);
  if (known !== undefined && Date.now() - known.at < FRESH_MS) return known.start;
  const start = startOf(pid);
  starts.set(pid, { start, at: Date.now() });
  if (starts.size > MAX_STARTS) starts.delete(starts.keys().next().value ?? 0);
  return start;
}

/**
 * When a process of this machine started, as a text that differs for the next process of the same
 * number; null when it cannot be read. On Linux it also says in whose numbering it is counted.
 */
export function startOf(pid: number): string | null {
  if (Deno.build.os !== "linux") return said("ps", "-o", "lstart=", "-p", String(pid));
  const stat = said("cat", `/proc/${pid}/stat`);
  // Field 22; the name before it may hold spaces and parentheses.
  const ticks = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return ticks === undefined ? null : `${ticks}@${numbering()}`;
}

let ours: string | null = null;

/** Containers count their processes anew, under the name of the same machine if they like. */
function numbering(): string {
  return ours ??= said("readlink", "/proc/self/ns/pid") ?? "";
}

/** Whether a start was read where processes have other numbers: nothing can be said of it here. */
const isElsewhere = (start: string): boolean =>
  start.includes("@") && !start.endsWith(`@${numbering()}`);

/** What a program prints; null when it fails. The runtime itself may not read these files. */
function said(program: string, ...args: string[]): string | null {
  try {
    const { code, stdout } = new Deno.Command(program, { args, stdin: "null", stderr: "null" })
      .outputSync();
    const text = new TextDecoder().decode(stdout).trim();
    return code === 0 && text !== "" ? text : null;
  } catch {
    return null;
  }
}
