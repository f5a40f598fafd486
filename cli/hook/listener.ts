/**
 * Waits beside an idle session until it is called. One request at a time is all it does; it ends when
 * its session does, without looking.
 */
import { read } from "node:fs";
import type { Hook } from "../hook.ts";
import { type Cli, EXIT } from "../verb.ts";
import { processFacts } from "./facts.ts";
import { nextSummons, tell } from "./summons.ts";

/** The exit code with which a hook wakes its session; what it wrote to standard error is shown. */
const WAKES = 2;

/** Listens for the session of a hook, and answers the exit code. */
export async function listen({ session_id, cwd }: Hook, cli: Cli): Promise<number> {
  const { config, err } = cli;
  // Nobody sits before it: it would wait for us before it ends.
  if (!config.env.claude.isAttended) return EXIT.done;
  const hook = (event: object) => JSON.stringify({ session_id, cwd, ...event });
  const body = hook({ hook_event_name: "Stop" });
  const facts = processFacts(config.env.claude.pid);
  const summons = await nextSummons(cli, { by: "wake", facts, body, signal: sessionGone() });
  if (summons === null) {
    // The server of this machine would find out by itself, but not at once, and no other could.
    const ended = hook({ hook_event_name: "SessionEnd", reason: "process_gone" });
    const query = new URLSearchParams({ machine: config.machine, ...facts });
    await tell(cli, `/hooks/claude-code?${query}`, ended);
    return EXIT.done;
  }
  if (summons.kind === "leave") return EXIT.done;
  err(summons.text);
  await tell(cli, "/hooks/claude-code/ack", JSON.stringify({ ack: summons.ack }));
  return WAKES;
}

/**
 * Aborts when the session that started us is no more. It holds the other end of our standard output,
 * a socket: there is nothing to read from it but its end. Elsewhere there is nothing to be known.
 */
function sessionGone(): AbortSignal {
  const gone = new AbortController();
  if (!Deno.stdout.isTerminal()) {
    read(1, new Uint8Array(1), 0, 1, null, (failure, bytes) => {
      if (failure === null && bytes === 0) gone.abort();
    });
  }
  return gone.signal;
}
