import { safeLine } from "./format.ts";
import { type Cli, EXIT, type Verb } from "./verb.ts";

/** Claude Code ends a status line that is still running when the next one is due. */
const LIMIT_MS = 300;
/** A status line is one line of a terminal, and others have things in it, too. */
const MAX_NAME = 48;
/** The bus counts no further than this. */
const UNREAD_COUNTED = 1000;

export const verb: Verb = {
  help:
    `Print a status line for Claude Code: the session's name on the bus, its peers, what is unread.

Usage: event-bus statusline

Reads the status line's JSON from standard input. Asks the bus once and never waits for longer than
300 ms; ⚠ says that the bus could not be reached. Uses no colours, and exits 0 always: after any
other exit Claude Code would show nothing.

In ~/.claude/settings.json, which install leaves to you (every 5 seconds, also while idle):
  "statusLine": {"type": "command", "command": "event-bus statusline", "refreshInterval": 5}

Behind a status line of your own:
  input=$(cat); mine "$input"; printf '%s' "$input" | event-bus statusline

Example:
  echo '{"session_id":"brave-otter"}' | event-bus statusline
`,
  options: {},
  async run(_args, cli) {
    cli.out(`${await lineOf(cli)}\n`);
    return EXIT.done;
  },
};

const UNREACHABLE = "⚠ event-bus: unreachable, see event-bus doctor";

async function lineOf(cli: Cli): Promise<string> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  try {
    const session_id = await sessionOf(cli, limit);
    if (session_id === undefined) return "event-bus: no session";
    const answer = await cli.client.post("/v1/get_session", JSON.stringify({ session_id }), limit);
    const said = await answer.json();
    return answer.ok ? described(said) : refused(said);
  } catch {
    return UNREACHABLE;
  }
}

/** Whose line it is; whoever types the command at a terminal is asked for nothing. */
async function sessionOf({ stdin, config }: Cli, limit: AbortSignal): Promise<string | undefined> {
  const late = Promise.withResolvers<string>();
  const giveUp = () => late.resolve("");
  limit.addEventListener("abort", giveUp, { once: true });
  const text = await Promise.race([stdin().catch(() => ""), late.promise]);
  limit.removeEventListener("abort", giveUp);
  return idIn(text) ?? config.env.sessionId;
}

function idIn(text: string): string | undefined {
  try {
    const { session_id } = JSON.parse(text) as { session_id?: unknown };
    return typeof session_id === "string" && session_id !== "" ? session_id : undefined;
  } catch {
    return undefined;
  }
}

interface Described {
  readonly name: string;
  readonly display_id: string;
  readonly state: string;
  readonly peers: number;
  /** Not `unread`: nobody shows it everything that a read would return. */
  readonly unseen: number;
}

function described({ name, display_id, state, peers, unseen }: Described): string {
  if (typeof display_id !== "string" || typeof name !== "string") return UNREACHABLE;
  const who = name === display_id ? display_id : `${display_id} (${shortened(name)})`;
  const parts = state === "ended" ? ["ended"] : [
    `${Number(peers)} ${peers === 1 ? "peer" : "peers"}`,
    `${Number(unseen)}${unseen < UNREAD_COUNTED ? "" : "+"} unread`,
  ];
  return [safeLine(who), ...parts].join(" · ");
}

function refused({ code }: { code?: unknown }): string {
  if (code === "not_found") return "event-bus: this session is not registered";
  return code === "unauthenticated"
    ? "⚠ event-bus: token refused, see event-bus doctor"
    : UNREACHABLE;
}

const shortened = (name: string): string =>
  [...name].length > MAX_NAME ? `${[...name].slice(0, MAX_NAME - 1).join("")}…` : name;
