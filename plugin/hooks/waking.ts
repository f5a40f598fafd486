/**
 * Wakes a session that does nothing, in its own process: a mod of Claude Code, which loads this file
 * as it is. While no turn runs it waits at the bus; what the bus then hands over becomes a prompt,
 * under this plugin's name. What reaches a session at work is not its business: the hooks do that.
 */

/** The bus; `event-bus install` puts its address here. */
const BUS = "http://127.0.0.1:8080";
/** The client gives up on a request after 30 seconds. */
const WAIT_S = 25;
/** After an attempt that failed: at first this, then twice as long each time. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;

/** What is used of the client. */
interface Host {
  session: { id(): Promise<string> };
  env: { get(name: string): Promise<string | undefined> };
  http: { fetch(url: string, init: object): Promise<{ ok: boolean; text: string }> };
  clock: { after(ms: number, then: () => void): unknown };
  prompt: { submit(prompt: { text: string }): Promise<{ drop?: string }> };
}
interface Moment {
  isInteractive?: boolean;
  /** Set for a subagent's turn. */
  agentId?: string;
  reason?: string;
}
type Hook = ($: Host, e: Moment, next: (e: Moment) => Promise<unknown>) => Promise<unknown>;

interface Summons {
  kind?: "called" | "nothing" | "leave";
  text: string;
  ack: string;
}

/** Who listens. Only the newest does: a request cannot be taken back, but its answer be left alone. */
let newest = 0;
let listen = () => {};

/** Called by the client when it loads the plugin. */
export function register(on: (event: string, hook: Hook) => void): void {
  on("session.start", ($, e, next) => {
    // With -p nobody is there to wait, and the session would wait for us before it ends.
    if (e.isInteractive) {
      listen = () => void waitAtTheBus($, ++newest);
      listen();
    }
    return next(e);
  });
  on("turn.start", (_, e, next) => {
    if (e.agentId === undefined) newest++;
    return next(e);
  });
  on("turn.complete", (_, e, next) => {
    // Whom the human stopped only the human starts again: the client would drop our prompt.
    if (e.agentId === undefined && e.reason !== "aborted") listen();
    return next(e);
  });
}

async function waitAtTheBus($: Host, me: number): Promise<void> {
  const away = { since: 0, pause: FIRST_PAUSE_MS };
  while (me === newest) {
    // Another one after /clear, and nobody says so.
    const body = { session_id: await $.session.id(), hook_event_name: "Stop" };
    const since = away.since === 0 ? "" : `&away_since=${away.since}`;
    const summons = await post($, `wait?by=mod&wait=${WAIT_S}${since}`, body);
    if (me !== newest) return;
    if (summons === null) away.since ||= Date.now();
    else away.since = 0;
    if (summons?.kind === "called") {
      // Resolves when the turn has begun. A prompt that was dropped, nobody has read.
      const entered = await $.prompt.submit({ text: summons.text }).catch(() => ({ drop: "" }));
      if (entered.drop === undefined) return void await post($, "ack", { ack: summons.ack });
    }
    if (summons?.kind === "nothing") {
      away.pause = FIRST_PAUSE_MS;
    } else {
      await new Promise<void>((resolve) => void $.clock.after(away.pause, resolve));
      away.pause = Math.min(away.pause * 2, MAX_PAUSE_MS);
    }
  }
}

/** Asks the bus; null when it is away or has no answer for us. */
async function post($: Host, path: string, body: object): Promise<Summons | null> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  const token = await $.env.get("EVENT_BUS_TOKEN");
  if (token) headers.Authorization = `Bearer ${token}`;
  const url = `${BUS}/hooks/claude-code/${path}`;
  try {
    const answer = await $.http.fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    return answer.ok ? JSON.parse(answer.text) as Summons : null;
  } catch {
    return null;
  }
}
