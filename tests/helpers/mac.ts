/** A machine whose programs, clock and bus are in the tests' hands; by default a Mac. */
import { basename, join } from "node:path";
import type { Machine, Ran } from "../../cli/service/machine.ts";
import { carryOut, type Plan } from "../../cli/service/plan.ts";
import { CliError, EXIT } from "../../cli/verb.ts";
import { loadConfig } from "../../src/config.ts";
import { envOf, type Home, tempHome } from "./home.ts";

/** What a program answers to a command line; undefined means success without a word. */
export type Answer = (line: string) => Partial<Ran> | undefined;

export interface FakeMachine extends Machine, Disposable {
  readonly at: Home;
  /** The file that stands for the program to install. */
  readonly source: string;
  /** Every command line that was run, programs by their plain names. */
  readonly ran: string[];
  /** Milliseconds slept, in order. */
  readonly slept: number[];
  /** Replaceable: how programs answer, and what the bus says. */
  answer: Answer;
  bus: Machine["health"];
  /** A file in ~/Library/LaunchAgents. */
  agent(label: string): string;
}

/** A machine with `claude` and ~/.local/bin on PATH, where nothing is loaded or connected. */
export function fakeMachine(os = "darwin", env: Record<string, string> = {}): FakeMachine {
  const at = tempHome();
  at.write("bin/claude", "", 0o755);
  const config = loadConfig({}, envOf(at, env));
  let now = 0;
  const machine: FakeMachine = {
    os,
    uid: 501,
    home: at.path,
    path: `${at.path}/bin:${at.path}/.local/bin/`,
    claudeDir: config.env.claude.configDir,
    program: null,
    at,
    source: at.write("download/event-bus", "the program", 0o755),
    ran: [],
    slept: [],
    answer: () => undefined,
    bus: () => Promise.resolve({ status: "ok", version: "1", uptime_seconds: 0 }),
    agent: (label) => join(at.path, "Library/LaunchAgents", `${label}.plist`),
    config: (flags) => config.forService(flags),
    run(program, args) {
      const line = [basename(program), ...args].join(" ");
      machine.ran.push(line);
      const answer = machine.answer(line) ??
        (isQuestion(line) ? { code: 1, stderr: "no such thing" } : {});
      return Promise.resolve({ code: 0, stdout: "", stderr: "", ...answer });
    },
    health: (url, token) => machine.bus(url, token),
    sleep(ms) {
      machine.slept.push(ms);
      now += ms;
      return Promise.resolve();
    },
    now: () => now,
    [Symbol.dispose]: () => at[Symbol.dispose](),
  };
  return machine;
}

const isQuestion = (line: string) =>
  /^(launchctl print|systemctl --user is-active|claude mcp get)/.test(line);

/** The bus that nobody has started. */
export const NO_BUS: Machine["health"] = () =>
  Promise.reject(new CliError("Cannot reach the bus", EXIT.unreachable));

/** Carries a plan out and answers what it told. */
export async function told(plan: Plan, dryRun = false): Promise<{ out: string; err: string }> {
  const lines = { out: "", err: "" };
  await carryOut(plan, dryRun, {
    json: false,
    out: (text) => void (lines.out += text),
    err: (line) => void (lines.err += `${line}\n`),
  });
  return lines;
}
