/** The rules of presence: what a session is doing, and whether a message would reach it now. */
import type { Bus, Call } from "../bus.ts";
import { channelOfSession } from "../channel.ts";
import type { Path } from "../delivery.ts";
import type { Session, SessionState } from "../session.ts";
import { lastMovesOf } from "../store/deliveries.ts";
import { type Consumer, consumersOf, type Position } from "../store/positions.ts";
import { findSession, setStatus, setWakeOn } from "../store/sessions.ts";
import { hasWebhookFor } from "../store/webhooks.ts";
import { resolveChannel } from "./publishing.ts";
import { heard, sessionNotFound, speakerOf } from "./speakers.ts";

/** A session that says nothing of itself counts as idle when it was not heard for so long. */
const QUIET_MS = 5 * 60 * 1000;

/** What a session is, and since when: as it says itself, else by when it was last heard. */
export function stateOf(
  session: Session,
  now: number,
): { state: SessionState | "ended"; since: number } {
  if (session.ended_at !== null) return { state: "ended", since: session.ended_at };
  if (session.state !== null) {
    return { state: session.state, since: session.state_at ?? session.registered_at };
  }
  const state = now - session.last_seen < QUIET_MS ? "working" : "idle";
  return { state, since: session.last_seen };
}

/**
 * Notes that a session listens by a path; call the answer when it stops. Who listens is there, and was
 * there until it stopped.
 */
export function attend(bus: Bus, sessionId: string, path: Listening): () => void {
  const leave = bus.readers.attend(sessionId, path);
  return () => {
    leave();
    bus.readers.note(sessionId, path, bus.clock());
    bus.store.heartbeats.set(sessionId, bus.clock());
  };
}

/** The ways to be told again and again, without asking. */
export type Listening = "stream" | "subscription" | Waking;

/** The ways to wake a session that does nothing. */
export const WAKING = ["wake", "channel", "mod"] as const;
export type Waking = (typeof WAKING)[number];

/** The ways by which a direct message would reach a session this minute, without its asking. */
export function reachableBy(bus: Bus, session: Session): string[] {
  if (session.ended_at !== null) return [];
  // One that takes some types only would promise too much.
  const isSent = hasWebhookFor(bus.store, channelOfSession(session.id));
  return [...bus.readers.pathsTo(session.id), ...(isSent ? ["webhook"] : [])];
}

export interface PathActivity {
  readonly path: string;
  /** When it last asked or handed something over; null when it has only listened so far. */
  readonly last_at: number | null;
  /** Whether it would bring a message this minute, without the session's asking. */
  readonly listening: boolean;
}

/** The paths that reach a session or have reached it, the latest first. */
export function pathsOf(bus: Bus, session: Session): PathActivity[] {
  const listening = new Set(reachableBy(bus, session));
  const last = new Map<string, number>();
  const noted = [...bus.readers.lastBy(session.id)].map(([path, at]) => ({ path, at }));
  for (const { path, at } of [...lastMovesOf(bus.store, session.id), ...noted]) {
    last.set(path, Math.max(at, last.get(path) ?? 0));
  }
  return [...new Set([...listening, ...last.keys()])]
    .map((path) => ({
      path,
      last_at: last.get(path) ?? null,
      listening: listening.has(path),
    }))
    .sort((a, b) => (b.last_at ?? Infinity) - (a.last_at ?? Infinity));
}

/** What keeps a message from a session that does not ask for it. */
export type Deafness = "no hooks seen" | "no listener";

/**
 * Why a message would not reach a session unless it asks; null when it would. Who works is reached by
 * its next hook; who does not needs somebody that listens for it.
 */
export function deafnessOf(session: Session, paths: readonly PathActivity[]): Deafness | null {
  if (paths.some(({ listening }) => listening)) return null;
  if (!paths.some(({ path }) => HOOKS.has(path))) return "no hooks seen";
  return session.state === "working" ? null : "no listener";
}

const HOOKS: ReadonlySet<string> = new Set(
  ["start hook", "prompt hook", "batch hook", "stop hook"] satisfies Path[],
);

/** When, as which consumer and by which path a session was last handed something. */
export function lastReadOf({ store }: Bus, session: Session) {
  let last: (Consumer & Position & { path: string }) | null = null;
  for (const { path, ...consumer } of consumersOf(store, session.id)) {
    if (path !== null && consumer.moved_at >= (last?.moved_at ?? 0)) last = { ...consumer, path };
  }
  return last;
}

/** Notes what the hooks of a session say it is; whoever waits for it to be ready looks again. */
export function noteState(bus: Bus, session: Session, state: SessionState, call: Call): void {
  if (session.state === state) return;
  setStatus(bus.store, session.id, call.now, { state, status: null });
  call.afterCommit(() => bus.bell.ring());
}

/** Notes what a session is doing. Its position, its name and everybody else stay as they are. */
export function describeSession(
  bus: Bus,
  said: {
    session_id: string;
    state?: SessionState | undefined;
    status?: string | undefined;
    wake_on?: readonly string[] | undefined;
  },
  call: Call,
): Session {
  const session = speakerOf(bus, said.session_id, call.caller);
  if (session === null) throw sessionNotFound({ session_id: said.session_id });
  heard(bus, session, call);
  setStatus(bus.store, session.id, call.now, {
    state: said.state ?? null,
    // One line, whatever it was wrapped in: it stands in a list.
    status: said.status?.replace(/\s+/gu, " ").trim() ?? null,
  });
  if (said.wake_on !== undefined) {
    const channels = said.wake_on.map((name) => resolveChannel(bus.store, name).channel);
    setWakeOn(bus.store, session.id, [...new Set(channels)]);
  }
  return findSession(bus.store, session.id) ?? session;
}
