/** What the service verbs touch beyond files: programs, the clock, the bus. Replaced as a whole in tests. */
import { BUILD } from "../../src/build.ts";
import type { Config, Flags } from "../../src/config.ts";
import { createClient } from "../client.ts";

/** How a program ended. */
export interface Ran {
  /** Its exit code; null when there is no such program or it did not end in time. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of the system to its end; never throws for what the program does. */
export type Run = (program: string, args: readonly string[]) => Promise<Ran>;

/** The machine that a service is installed on. */
export interface Machine {
  /** As `Deno.build.os` names it. */
  readonly os: string;
  readonly uid: number;
  readonly home: string;
  readonly path: string;
  /** Where Claude Code has its settings. */
  readonly claudeDir: string;
  /** The file of the running program; null when it runs from source and there is none. */
  readonly program: string | null;
  /** The settings as the service will see them: no variable of this shell counts. */
  config(flags?: Flags): Config;
  readonly run: Run;
  /** What `/health` of the bus at `url` says; throws when it does not answer or refuses. */
  health(url: string, token: string | null): Promise<Record<string, unknown>>;
  sleep(ms: number): Promise<void>;
  now(): number;
}

/** `claude` may take seconds to start; nothing that is asked here takes minutes. */
const LIMIT_MS = 60_000;
/** One look at /health; the wait for a starting server is made of many. */
const HEALTH_MS = 2000;

/** The machine that this process runs on. */
export function thisMachine(cli: Config): Machine {
  const { home, path, claude } = cli.env;
  return {
    os: Deno.build.os,
    uid: Deno.uid() ?? 0,
    home,
    path,
    claudeDir: claude.configDir,
    program: BUILD === "source" ? null : Deno.execPath(),
    config: (flags) => cli.forService(flags),
    run: (program, args) => runProgram(program, args, home),
    health: (url, token) => createClient({ url, token, timeoutMs: HEALTH_MS }).health(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    now: Date.now,
  };
}

/** Programs run in the home folder: the folder that a person happens to be in must not matter. */
async function runProgram(program: string, args: readonly string[], cwd: string): Promise<Ran> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), LIMIT_MS);
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      cwd,
      stdin: "null",
      signal: limit.signal,
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    if (!limit.signal.aborted) return { code, stdout: text(stdout), stderr: text(stderr) };
    return missing(`${program} did not end within ${LIMIT_MS / 1000} seconds`);
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return missing(`${program} is not installed`);
    return missing(`${program} cannot be started: ${(failure as Error).message}`);
  } finally {
    clearTimeout(timer);
  }
}

const missing = (stderr: string): Ran => ({ code: null, stdout: "", stderr });

/** What a program had to say about its failure, on one line. */
export function reasonOf({ code, stdout, stderr }: Ran): string {
  const said = (stderr || stdout).split("\n").map((line) => line.trim()).filter(Boolean).join("; ");
  return said || `exit code ${code}`;
}

/** A command line that can be pasted into a shell. */
export function shellLine(...words: readonly string[]): string {
  return words
    .map((word) => /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
    .join(" ");
}
