/** The processes of this machine: whether one is still there, and still the same. */
import process from "node:process";
import type { SessionProcess } from "./session.ts";

/** Starts change only with their process: asking the system again within this time tells nothing new. */
const FRESH_MS = 60_000;

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
      return start !== null && isElsewhere(start);
    }
  }
  if (start === null || isElsewhere(start)) return true;
  const now = recentStart(pid);
  return now === null || now === start;
}

function recentStart(pid: number): string | null {
  // Reading a file costs nothing; on macOS it takes a program.
  if (Deno.build.os === "linux") return startOf(pid);
  const known = starts.get(pid);
  if (known !== undefined && Date.now() - known.at < FRESH_MS) return known.start;
  const start = startOf(pid);
  starts.set(pid, { start, at: Date.now() });
  return start;
}

/**
 * When a process of this machine started, as a text that differs for the next process of the same
 * number; null when it cannot be read. On Linux it also says in whose numbering it is counted.
 */
export function startOf(pid: number): string | null {
  try {
    return Deno.build.os === "linux" ? `${ticksOf(pid)}@${numbering()}` : spokenStart(pid);
  } catch {
    return null;
  }
}

/** Field 22 of its stat; the name before it may hold spaces and parentheses. */
function ticksOf(pid: number): string {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

/** Containers count their processes anew, under the name of the same machine if they like. */
const numbering = (): string => Deno.readLinkSync("/proc/self/ns/pid");

/** Whether a start was read where processes have other numbers: nothing can be said of it here. */
function isElsewhere(start: string): boolean {
  try {
    return start.includes("@") && !start.endsWith(`@${numbering()}`);
  } catch {
    return true;
  }
}

function spokenStart(pid: number): string | null {
  const { code, stdout } = new Deno.Command("ps", {
    args: ["-o", "lstart=", "-p", String(pid)],
    stdin: "null",
    stderr: "null",
  }).outputSync();
  const text = new TextDecoder().decode(stdout).trim();
  return code === 0 && text !== "" ? text : null;
}
