/** A machine on which everything is as it should be, for the doctor; tests spoil one thing each. */
import { dirname, join } from "node:path";
import { examine } from "../../cli/doctor.ts";
import type { Finding } from "../../cli/doctor/finding.ts";
import { meet } from "../../cli/doctor/patient.ts";
import type { Client } from "../../cli/client.ts";
import type { Diagnosis } from "../../cli/diagnosis.ts";
import { pluginFiles } from "../../cli/service/plugin.ts";
import type { Build } from "../../src/build.ts";
import { loadClientConfig } from "../../src/config.ts";
import { envOf, type Home } from "./home.ts";
import { type FakeMachine, fakeMachine } from "./mac.ts";

export const BUS = "http://127.0.0.1:8080";

type Json = Record<string, unknown>;

/** What tests may change before the doctor comes. */
export interface Sick extends Disposable {
  readonly at: Home;
  readonly machine: FakeMachine;
  readonly env: Record<string, string>;
  /** The folder that the doctor is called in. */
  readonly cwd: string;
  /** The program's file in `~/.local/bin`. */
  readonly installed: string;
  url: string;
  program: string | null;
  path: string;
  build: Build;
  /** What the bus answers; throws what it refuses with. */
  health: () => Json;
  diagnosis: () => Diagnosis;
  /** Processes of Claude Code that run. */
  readonly running: Map<number, string>;
  /** Changes a file of JSON in the home; absent ones begin empty. */
  change(name: string, change: (value: Json) => void): void;
  remove(name: string): void;
  examine(): Promise<Finding[]>;
}

export const VERSION = "1.2.3";
export const NOW = Date.UTC(2026, 0, 8, 12);

export function wellDiagnosis(): Diagnosis {
  return {
    version: VERSION,
    now: new Date(NOW).toISOString(),
    started_at: new Date(NOW - 3_600_000).toISOString(),
    uptime_seconds: 3600,
    database: {
      path: "/data/data.db",
      bytes: 1_500_000,
      wal_bytes: 0,
      free_bytes: 50e9,
      total_bytes: 100e9,
      checked_at: new Date(NOW - 3_600_000).toISOString(),
    },
    events: 7,
    sessions: [{
      session_id: "s1",
      display_id: "brave-otter",
      name: "bus/main",
      machine: "home",
      client_id: "s1",
      state: "idle",
      state_since: new Date(NOW - 60_000).toISOString(),
      unseen: 0,
      paths: [
        { path: "wake", last_at: null, listening: true },
        { path: "prompt hook", last_at: new Date(NOW - 120_000).toISOString(), listening: false },
      ],
      deaf: false,
    }],
  };
}

export function healthy(os = "darwin"): Sick {
  const machine = fakeMachine(os);
  const { at } = machine;
  const installed = at.write(".local/bin/event-bus", "the program", 0o755);
  const cwd = dirname(at.write("work/README", ""));
  const json = (name: string, value: unknown) => at.write(name, JSON.stringify(value));
  json(".claude.json", {
    mcpServers: { "event-bus": { type: "http", url: `${BUS}/mcp` } },
    projects: { [cwd]: { hasTrustDialogAccepted: true } },
  });
  const files = pluginFiles({ url: BUS, program: installed });
  for (const [name, content] of Object.entries(files)) {
    at.write(join(".claude/skills/event-bus", name), content);
  }
  at.write("Library/LaunchAgents/local.event-bus.plist", "<plist/>");
  at.write(".config/systemd/user/event-bus.service", "[Unit]");
  machine.answer = (line) => /print gui|is-active/.test(line) ? { code: 0 } : undefined;
  Object.assign(machine, { now: () => NOW });
  const sick: Sick = {
    at,
    machine,
    env: {},
    cwd,
    installed,
    url: BUS,
    program: machine.source,
    path: `${at.path}/bin:${at.path}/.local/bin`,
    build: "release",
    health: () => ({ service: "event-bus", status: "ok", version: VERSION }),
    diagnosis: wellDiagnosis,
    running: new Map(),
    change(name, change) {
      let value: Json = {};
      try {
        value = JSON.parse(Deno.readTextFileSync(join(at.path, name)));
      } catch (failure) {
        if (!(failure instanceof Deno.errors.NotFound)) throw failure;
      }
      change(value);
      json(name, value);
    },
    remove: (name) => Deno.removeSync(join(at.path, name), { recursive: true }),
    async examine() {
      const config = loadClientConfig({ url: sick.url }, envOf(at, sick.env));
      const patient = await meet({
        config: { ...config, env: { ...config.env, cwd } },
        machine: { ...machine, program: sick.program, path: sick.path },
        program: { version: VERSION, build: sick.build },
        client: clientOf(sick),
        managed: join(at.path, "managed"),
      });
      return await examine({
        ...patient,
        isRunning: (pid, start) => sick.running.get(pid) === start,
      });
    },
    [Symbol.dispose]: () => machine[Symbol.dispose](),
  };
  return sick;
}

function clientOf(sick: Sick): Client {
  // deno-lint-ignore require-await -- what it throws is to be a rejection
  const answer = async (give: () => unknown) => give();
  return {
    base: sick.url,
    health: () => answer(sick.health),
    call: () => answer(sick.diagnosis),
  } as unknown as Client;
}
