import { contentOf, gatherFacts } from "./hook/facts.ts";
import { listen } from "./hook/listener.ts";
import { type Cli, EXIT, type Verb } from "./verb.ts";

/** The bus is asked and acknowledged within this time, or the session goes on without it. */
const LIMIT_MS = 250;

export const verb: Verb = {
  help: `Answer a hook of Claude Code: its JSON on standard input, the answer on standard output.

Usage: event-bus hook [--wake]

Claude Code runs it; event-bus install tells it to. What is printed counts as read only then. When
the bus cannot be reached it prints nothing and exits 0: a session never waits for the bus.

  --wake   wait until another session calls this one, print that on standard error and exit 2,
           which wakes it; for an asyncRewake hook. Ends with its session.

Example:
  echo '{"hook_event_name":"UserPromptSubmit","session_id":"test","cwd":"/tmp"}' | event-bus hook
`,
  options: { wake: { type: "boolean" } },
  silent: true,
  async run(args, cli) {
    const hook = JSON.parse(await cli.stdin()) as Hook;
    const limitMs = Number(args.text("timeout")) || LIMIT_MS;
    return args.flag("wake") ? await listen(hook, cli) : await pass(hook, cli, limitMs);
  },
};

/** What of a hook's JSON the command itself looks at. */
export interface Hook {
  readonly hook_event_name?: unknown;
  readonly session_id?: unknown;
  readonly cwd?: unknown;
}

async function pass(hook: Hook, cli: Cli, limitMs: number): Promise<number> {
  const { client, config, out } = cli;
  const isStart = hook.hook_event_name === "SessionStart";
  const saysWho = isStart || hook.hook_event_name === "SessionEnd";
  const query = new URLSearchParams({
    ack: "later",
    machine: config.machine,
    ...saysWho ? gatherFacts(config) : {},
  });
  const limit = AbortSignal.timeout(limitMs);
  const answer = await client.post(`/hooks/claude-code?${query}`, JSON.stringify(hook), limit);
  const output = await answer.text();
  const session = answer.headers.get("event-bus-session");
  // Something else may be at this address: what it says is nothing for a model to read.
  if (!answer.ok || session === null) return EXIT.done;
  if (output !== "") out(`${output}\n`);
  const ack = answer.headers.get("event-bus-ack");
  if (ack !== null) {
    const done = await client.post("/hooks/claude-code/ack", JSON.stringify({ ack }), limit);
    await done.body?.cancel();
  }
  if (isStart) exportSession(cli, decodeURIComponent(session));
  return EXIT.done;
}

/** Lets the scripts that the session runs publish under its name. Each start finds what the last wrote. */
function exportSession({ config }: Cli, sessionId: string): void {
  const { envFile } = config.env.claude;
  if (envFile === null) return;
  const line = `export EVENT_BUS_SESSION_ID='${sessionId.replaceAll("'", `'\\''`)}'\n`;
  if (contentOf(envFile)?.endsWith(line)) return;
  Deno.writeTextFileSync(envFile, line, { append: true, create: true, mode: 0o600 });
}
