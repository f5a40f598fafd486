/** The channel of one session: what it is called for is pushed to its client. */
import { startOf } from "../../src/process.ts";
import { nextSummons, pauses } from "../hook/summons.ts";
import type { Cli } from "../verb.ts";
import { push } from "./protocol.ts";

export interface Channel {
  /** The client's own name of its session, and its process. */
  readonly sessionId: string;
  readonly pid: number;
  /** Writes a message to the client. */
  readonly send: (message: object) => void;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

/**
 * Pushes what the session is called for, until it is over. Nothing is acknowledged here, because the
 * client may drop it; the hooks do when it becomes a prompt.
 */
export async function serveChannel(cli: Cli, channel: Channel): Promise<void> {
  const { sessionId, pid, send, signal } = channel;
  const body = JSON.stringify({ session_id: sessionId, hook_event_name: "Stop" });
  const start = startOf(pid);
  // After /resume or /clear the process is all that stays of what we know.
  const process = { pid: String(pid), ...start === null ? {} : { pid_start: start } };
  let past = 0;
  let rest = pauses(signal);
  while (!signal.aborted) {
    const facts = { ...process, past: String(past) };
    const summons = await nextSummons(cli, { by: "channel", facts, body, signal });
    if (summons?.kind === "called") {
      send(push(summons.text, summons.ack));
      past = summons.through;
      rest = pauses(signal);
    } else {
      // Another process may have taken the session over, or it may come back under another name.
      await rest();
    }
  }
}
