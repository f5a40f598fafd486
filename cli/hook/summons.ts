/** Waiting at the bus for a session to be called, also while the bus is away. */
import type { Cli } from "../verb.ts";

/** Longer polls are cut by what stands between client and server. */
const WAIT_S = 240;
/** How much longer the answer may take than the wait. */
const SLACK_MS = 15_000;
/** Between attempts that failed: at first this, then twice as long each time. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;
/** For what is only told. */
const TELL_MS = 1_000;

/** What the bus says to whoever waits: show this, or leave. */
export type Summons =
  | { readonly kind: "called"; readonly text: string; readonly ack: string; through: number }
  | { readonly kind: "leave" };

export interface Waiting {
  /** By which path. */
  readonly by: "wake" | "channel";
  /** What else the bus should know. */
  readonly facts?: Readonly<Record<string, string>>;
  /** A hook's JSON: for which session. */
  readonly body: string;
  /** Aborts when nobody is left to be called. */
  readonly signal: AbortSignal;
}

/** Waits until the session is called or its listener sent away; null when `signal` aborts. */
export async function nextSummons(cli: Cli, waiting: Waiting): Promise<Summons | null> {
  const { by, facts, body, signal } = waiting;
  const rest = pauses(signal);
  let away = 0;
  while (!signal.aborted) {
    const query = new URLSearchParams({
      by,
      wait: String(WAIT_S),
      machine: cli.config.machine,
      ...facts,
      ...away === 0 ? {} : { away_since: String(away) },
    });
    const summons = await ask(cli, `/hooks/claude-code/wait?${query}`, body, signal);
    if (signal.aborted) return null;
    if (summons === null) {
      away ||= Date.now();
      await rest();
    } else if (summons.kind !== "nothing") {
      return summons;
    } else {
      away = 0;
    }
  }
  return null;
}

/** The answer; null when there was none, or the bus was in no state to give one. */
async function ask(
  { client }: Cli,
  path: string,
  json: string,
  signal: AbortSignal,
): Promise<Summons | { kind: "nothing" } | null> {
  const limit = AbortSignal.timeout(WAIT_S * 1000 + SLACK_MS);
  try {
    const answer = await client.post(path, json, AbortSignal.any([limit, signal]));
    const text = await answer.text();
    if (answer.status >= 500) return null;
    // A bus that refuses, or something else at its address, will not call anybody.
    const said = answer.ok ? JSON.parse(text) : null;
    return said?.kind === "called" || said?.kind === "nothing" ? said : { kind: "leave" };
  } catch {
    return null;
  }
}

/** Tells the bus something, if it is there. */
export async function tell({ client }: Cli, path: string, json: string): Promise<void> {
  try {
    const answer = await client.post(path, json, AbortSignal.timeout(TELL_MS));
    await answer.body?.cancel();
  } catch {
    // Then it shows the message again, or finds out by itself.
  }
}

/** A pause that gets longer each time, and ends when `signal` aborts. */
export function pauses(signal: AbortSignal): () => Promise<void> {
  let ms = FIRST_PAUSE_MS;
  return () =>
    new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      ms = Math.min(ms * 2, MAX_PAUSE_MS);
      signal.addEventListener("abort", end, { once: true });
      if (signal.aborted) end();
    });
}
