import { VERSION } from "../src/build.ts";
import { serveChannel } from "./mcp/channel.ts";
import { commandLineOf, optsIn } from "./mcp/opt_in.ts";
import { answerTo } from "./mcp/protocol.ts";
import { type Cli, EXIT, usageError, type Verb } from "./verb.ts";

/** How users and our plugin call the server. */
const NAME = "event-bus";

export const verb: Verb = {
  help: `Serve a channel of Claude Code on standard input and output (MCP): wakes an idle session.

Usage: event-bus mcp --channel [--name NAME]

For those who run with channels; the hooks wake sessions without any. Claude Code runs it, and must
have been started with --channels or --dangerously-load-development-channels naming it: what others
push it drops without a word. It offers no tools; those are at the bus's own URL.

  --channel     push what other sessions send to this one
  --name NAME   the server's name in Claude Code (default: ${NAME})

Example:
  claude mcp add event-bus-channel -- event-bus mcp --channel --name event-bus-channel
  claude --dangerously-load-development-channels server:event-bus-channel
`,
  options: { channel: { type: "boolean" }, name: { type: "string" } },
  async run(args, cli) {
    if (!args.flag("channel")) {
      throw usageError(
        `mcp requires --channel; for the tools, add ${cli.client.base}/mcp as an http server`,
      );
    }
    await serve(cli, args.text("name") ?? NAME);
    return EXIT.done;
  },
};

/** Answers the client until it closes its end; pushes from the moment that it is ready. */
async function serve(cli: Cli, name: string): Promise<void> {
  const over = new AbortController();
  const send = (message: object) => cli.out(`${JSON.stringify(message)}\n`);
  let channel: Promise<void> | null = null;
  const started = () => {
    // All that can fail is writing: then the client is gone, and our input ends next.
    channel ??= open(cli, { name, send, signal: over.signal }).catch(() => over.abort());
  };
  for await (const line of linesOf(Deno.stdin.readable)) {
    const answer = line.trim() === "" ? null : answerTo(line, VERSION, started);
    if (answer !== null) send(answer);
  }
  over.abort();
  await channel;
}

interface Ends {
  readonly name: string;
  readonly send: (message: object) => void;
  readonly signal: AbortSignal;
}

async function open(cli: Cli, { name, send, signal }: Ends): Promise<void> {
  const { sessionId } = cli.config.env.claude;
  const pid = Deno.ppid;
  if (sessionId !== null && optsIn(commandLineOf(pid), name)) {
    return await serveChannel(cli, { sessionId, pid, send, signal });
  }
  cli.err(
    sessionId === null
      ? "event-bus mcp: no session to push to: CLAUDE_CODE_SESSION_ID is not set"
      : "event-bus mcp: pushes nothing: Claude Code was not started with " +
        `--dangerously-load-development-channels server:${name}`,
  );
}

async function* linesOf(input: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of input.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
