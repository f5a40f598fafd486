/** Which of Claude Code's events reach the bus, and how: the one table behind plugin and settings. */
import { isLocal } from "./health.ts";

/** What the hooks lead to. */
export interface HookTarget {
  /** The bus, without a path. */
  readonly url: string;
  /** What runs as a command: an absolute path, or a name to be found on PATH. */
  readonly program: string;
  /** Whether every hook is a command: silent while the bus is away, at the price of a process each. */
  readonly onlyCommands?: boolean;
}

/** What the plugin in the repository is made for. */
export const DEFAULT_TARGET: HookTarget = { url: "http://127.0.0.1:8080", program: "event-bus" };

/** One hook as Claude Code's settings have it. */
export type Handler = Readonly<Record<string, unknown>>;

/** Hooks by event, as `hooks` in settings.json and in a plugin's hooks.json. */
export type Hooks = Readonly<Record<string, readonly { readonly hooks: readonly Handler[] }[]>>;

/** The endpoint; its path is also what tells a hook of ours from others. */
const ENDPOINT = "/hooks/claude-code";
const TOKEN = "EVENT_BUS_TOKEN";
/** A session waits this long for a bus that hangs; one on this machine answers in milliseconds. */
const LOCAL_SECONDS = 0.3;
const REMOTE_SECONDS = 1;
const COMMAND_SECONDS = 1;
/** The listener ends with its session; Claude Code would not start another before the next stop. */
const LISTEN_SECONDS = 7 * 24 * 3600;

const WAYS = {
  /** No process at all. */
  post: ({ url }: HookTarget): Handler => ({
    type: "http",
    url: `${url}${ENDPOINT}`,
    timeout: isLocal(new URL(url).hostname) ? LOCAL_SECONDS : REMOTE_SECONDS,
    headers: { Authorization: `Bearer \${${TOKEN}}` },
    allowedEnvVars: [TOKEN],
  }),
  /** Where only the client knows enough, or where a bus that is away must not show. */
  run: ({ program, url }: HookTarget): Handler => ({
    type: "command",
    command: program,
    // To where the http hooks go, whatever config.json and the session's environment say.
    args: ["hook", "--url", url],
    timeout: COMMAND_SECONDS,
  }),
  /** Waits in the background and wakes the session when something has come for it. */
  listen: ({ program, url }: HookTarget): Handler => ({
    type: "command",
    command: program,
    args: ["hook", "--wake", "--url", url],
    asyncRewake: true,
    timeout: LISTEN_SECONDS,
    // Otherwise model and human would read of a "Stop hook blocking error".
    rewakeMessage: "event-bus:",
    rewakeSummary: "A message on the event bus",
  }),
};

const EVENTS: Readonly<Record<string, readonly (keyof typeof WAYS)[]>> = {
  SessionStart: ["run", "listen"],
  UserPromptSubmit: ["post"],
  PostToolBatch: ["post"],
  Notification: ["post"],
  Stop: ["post", "listen"],
  StopFailure: ["post"],
  SessionEnd: ["run"],
};

/** The hooks that put a session on the bus at `target`. */
export function hooksFor(target: HookTarget): Hooks {
  return Object.fromEntries(
    Object.entries(EVENTS).map(([event, ways]) => [
      event,
      [{
        hooks: ways.map((way) => WAYS[target.onlyCommands && way === "post" ? "run" : way](target)),
      }],
    ]),
  );
}

/** Whether a hook is one of ours, of this version or another, whatever bus it leads to. */
export function isOurs(handler: unknown): boolean {
  if (typeof handler !== "object" || handler === null) return false;
  const { type, url, command, args, allowedEnvVars } = handler as Record<string, unknown>;
  if (type === "http") {
    // The path alone could be some other program's.
    return String(url).endsWith(ENDPOINT) && Array.isArray(allowedEnvVars) &&
      allowedEnvVars.includes(TOKEN);
  }
  if (type !== "command" || typeof command !== "string") return false;
  if (Array.isArray(args)) return /(^|\/)event-bus$/.test(command) && args[0] === "hook";
  return /(^|\/)event-bus["']? hook( --wake)?( --url \S+)?$/.test(command);
}

/** The bus, without a path, to which a hook of ours leads; null for one that asks the settings. */
export function busOf({ type, url, command, args }: Handler): string | null {
  if (type === "http") return String(url).slice(0, -ENDPOINT.length);
  const words = Array.isArray(args) ? args : String(command).split(" ");
  const option = words.indexOf("--url");
  return option < 0 ? null : String(words[option + 1]);
}
