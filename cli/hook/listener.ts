/**
 * Waits beside an idle session until it is called. One request at a time is all it does; it ends when
 * its session does, without looking.
 */
import { read } from "node:fs";
import type { Hook } from "../hook.ts";
import { type Cli, EXIT } from "../verb.ts";

/** The exit code with which a hook wakes its session; what it wrote to standard error is shown. */
const WAKES = 2;
/** Longer polls are cut by what stands between client and server. */
const WAIT_S = 240;
/** How much longer the answer may take than the wait. */
const SLACK_MS = 15_000;
/** Between attempts when the bus is away: at first this, then twice as long each time. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;

interface Summons {
  readonly kind: "called" | "nothing" | "leave";
  readonly text: string;
  readonly ack: string;
}

/** Listens for the session of a hook, and answers the exit code. */
export async function listen({ session_id, cwd }: Hook, cli: Cli): Promise<number> {
  const { client, config, err } = cli;
  // Nobody sits before it: it would wait for us before it ends.
  if (!config.env.claude.isAttended) return EXIT.done;
  const hook = (event: object) => JSON.stringify({ session_id, cwd, ...event });
  const body = hook({ hook_event_name: "Stop" });
  const gone = sessionGone();
  const away = { since: 0, pause: FIRST_PAUSE_MS };

  for (;;) {
    const query = new URLSearchParams({
      by: "wake",
      wait: String(WAIT_S),
      machine: config.machine,
      ...away.since === 0 ? {} : { away_since: String(away.since) },
    });
    const summons = await ask(`/hooks/claude-code/wait?${query}`, body);
    if (gone.aborted) {
      // The server of this machine would find out by itself, but not at once, and no other could.
      const ended = hook({ hook_event_name: "SessionEnd", reason: "process_gone" });
      await ask(`/hooks/claude-code?machine=${encodeURIComponent(config.machine)}`, ended, true);
      return EXIT.done;
    }
    if (summons === null) {
      away.since ||= Date.now();
      await pause(away.pause, gone);
      away.pause = Math.min(away.pause * 2, MAX_PAUSE_MS);
      continue;
    }
    Object.assign(away, { since: 0, pause: FIRST_PAUSE_MS });
    if (summons.kind === "leave") return EXIT.done;
    if (summons.kind !== "called") continue;
    err(summons.text);
    await ask("/hooks/claude-code/ack", JSON.stringify({ ack: summons.ack }), true);
    return WAKES;
  }

  /** The answer; null when there was none, or the bus was in no state to give one. */
  async function ask(path: string, json: string, isLast = false): Promise<Summons | null> {
    const limit = AbortSignal.timeout(isLast ? 1000 : WAIT_S * 1000 + SLACK_MS);
    try {
      const answer = await client.post(path, json, isLast ? limit : AbortSignal.any([limit, gone]));
      const text = await answer.text();
      if (answer.status >= 500) return null;
      // A bus that refuses, or knows nothing of this, will not call anybody.
      return answer.ok && text !== "" ? JSON.parse(text) as Summons : { ...LEAVE };
    } catch {
      return null;
    }
  }
}

const LEAVE: Summons = { kind: "leave", text: "", ack: "" };

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

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}
