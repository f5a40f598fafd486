/** The ways in which a user connects Claude Code, and an older client has less of it. */
import { join } from "node:path";
import { installAs, run } from "../helpers/process.ts";
import type { Setup } from "./claude.ts";

/** How sessions are connected: what is installed, and what an older client would not have of it. */
export interface Way {
  readonly name: string;
  readonly install: "plugin" | "settings" | "both";
  /** Whether something wakes an idle session. */
  readonly wakes: boolean;
  /** Whether every hook is a command. */
  readonly onlyCommands?: true;
  /** Takes a part away again. */
  readonly without?: "mod" | "listeners";
}

const plugin: Way = { name: "plugin", install: "plugin", wakes: true };

export const WAYS = {
  plugin,
  listener: { ...plugin, name: "plugin, no mod", without: "mod" },
  settings: { name: "--hooks", install: "settings", wakes: true },
  hooks: { name: "--hooks, no listener", install: "settings", wakes: false, without: "listeners" },
  commands: { ...plugin, name: "--command-hooks", onlyCommands: true },
  both: { name: "plugin and --hooks at once", install: "both", wakes: true },
} as const satisfies Record<string, Way>;

/** Installs the program for clients of this bus, as its users do. */
export async function install(setup: Setup, way: Way, url: string): Promise<void> {
  const { home } = setup;
  const binary = join(installAs(home, "event-bus"), "event-bus");
  const event_bus = async (...args: string[]) => {
    const done = await run(["install", "--url", url, "--binary", binary, ...args], {
      home,
      env: setup.env,
    });
    if (done.code !== 0) throw new Error(`install failed: ${done.stdout}${done.stderr}`);
  };
  const plugin = join(home.path, ".claude", "skills", "event-bus");
  const settings = join(home.path, ".claude", "settings.json");
  const only = way.onlyCommands ? ["--command-hooks"] : [];
  if (way.install !== "settings") await event_bus(...only);
  if (way.install === "settings") await event_bus("--hooks");
  if (way.install === "both") {
    // Installing one takes the other out; somebody may still have both.
    const { hooks } = readJson(join(plugin, "hooks", "hooks.json"));
    writeJson(settings, { ...readJson(settings), hooks });
  }
  if (way.without === "mod") {
    const file = join(plugin, "hooks", "hooks.json");
    writeJson(file, { hooks: readJson(file).hooks });
  }
  if (way.without === "listeners") {
    const { hooks, ...others } = readJson(settings);
    writeJson(settings, { ...others, hooks: withoutListeners(hooks) });
  }
}

type Hooks = Record<string, { hooks: { asyncRewake?: boolean }[] }[]>;

function withoutListeners(hooks: Hooks): Hooks {
  const silent = ({ hooks }: Hooks[string][number]) => ({
    hooks: hooks.filter(({ asyncRewake }) => asyncRewake !== true),
  });
  return Object.fromEntries(
    Object.entries(hooks).map(([event, groups]) => [event, groups.map(silent)]),
  );
}

const readJson = (path: string) => JSON.parse(Deno.readTextFileSync(path));
const writeJson = (path: string, value: object) =>
  Deno.writeTextFileSync(path, JSON.stringify(value));
