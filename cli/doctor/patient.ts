/** What the doctor looks at: this program, this machine, Claude Code's files, and the bus. */
import type { Build } from "../../src/build.ts";
import type { Config } from "../../src/config.ts";
import { isAlive, startOf } from "../../src/process.ts";
import { type Client, Refusal } from "../client.ts";
import { type Diagnosis, diagnosisOf } from "../diagnosis.ts";
import { addressOf, isLocal, needsToken } from "../service/health.ts";
import type { Machine } from "../service/machine.ts";
import { isSameBus } from "./address.ts";
import { type ClaudeFiles, managedFolder, readClaude } from "./claude.ts";

export interface Patient {
  /** As clients see it. */
  readonly config: Config;
  readonly machine: Machine;
  readonly program: { readonly version: string; readonly build: Build };
  readonly claude: ClaudeFiles;
  readonly bus: BusSeen;
  /** Whether a process of Claude Code is there and is still the one that started then. */
  isRunning(pid: number, start: string | null): boolean;
}

/** The bus as it showed itself. */
export interface BusSeen {
  /** Where it should be, without a path. */
  readonly base: string;
  /** Whether that is on this machine. */
  readonly isHere: boolean;
  /** Whether that is where the service of this machine answers, and no tunnel or proxy. */
  readonly isOwn: boolean;
  /** Whether it refuses who brings no token. */
  readonly needsToken: boolean;
  /** What `/health` says; null when nothing like a bus answers. */
  readonly health: Readonly<Record<string, unknown>> | null;
  /** Why there is no answer, in a line; null when there is one. */
  readonly failure: string | null;
  /** Whether it answered that a token is missing or wrong. */
  readonly refuses: boolean;
  readonly diagnosis: Diagnosis | null;
  /** Our own clock when the bus looked at its own, about. */
  readonly askedAt: number;
}

/** Reads and asks everything that there is to look at. Never throws for what it meets. */
export async function meet(
  { config, machine, program, client, managed = managedFolder(machine.os) }: {
    config: Config;
    machine: Machine;
    program: Patient["program"];
    client: Client;
    managed?: string | null;
  },
): Promise<Patient> {
  const { home, cwd, claude } = config.env;
  return {
    config,
    machine,
    program,
    claude: readClaude({ home, folder: claude.configDir, cwd, managed }),
    bus: await askBus(client, machine),
    isRunning: isSameProcess,
  };
}

async function askBus(client: Client, machine: Machine): Promise<BusSeen> {
  const seen = {
    base: client.base,
    isHere: isLocal(new URL(client.base).hostname),
    isOwn: isServiceOf(machine, client.base),
    needsToken: await needsToken(machine, client.base),
    health: null,
    failure: null,
    refuses: false,
    diagnosis: null,
    askedAt: machine.now(),
  };
  let health: Record<string, unknown>;
  try {
    health = await client.health();
  } catch (failure) {
    return { ...seen, failure: firstLine(failure), refuses: failure instanceof Refusal };
  }
  const before = machine.now();
  try {
    const diagnosis = await diagnosisOf(client) ?? null;
    const failure = diagnosis === null ? "it is too old for that" : null;
    return { ...seen, health, diagnosis, failure, askedAt: (before + machine.now()) / 2 };
  } catch (failure) {
    return { ...seen, health, failure: firstLine(failure) };
  }
}

function isServiceOf(machine: Machine, base: string): boolean {
  const config = machine.config();
  return config.port !== 0 && isSameBus(addressOf(config), base);
}

const firstLine = (failure: unknown): string =>
  (failure instanceof Error ? failure.message : String(failure)).split("\n")[0] as string;

/** Claude Code notes the start in the system's own words, without the rest of ours. */
function isSameProcess(pid: number, start: string | null): boolean {
  if (!isAlive({ pid, start: null })) return false;
  const now = startOf(pid)?.split("@")[0];
  return start === null || now === undefined || Deno.build.os !== "linux" || now === start;
}
