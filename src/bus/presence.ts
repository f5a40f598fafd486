/** The rules of presence: what a session is doing, and whether a message would reach it now. */
import type { Bus, Call } from "../bus.ts";
import { channelOfSession } from "../channel.ts";
import type { Session, SessionState } from "../session.ts";
import { type Consumer, consumersOf, type Position } from "../store/positions.ts";
import { findSession, setStatus } from "../store/sessions.ts";
import { hasWebhookFor } from "../store/webhooks.ts";
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
    bus.store.heartbeats.set(sessionId, bus.clock());
  };
}

/** The ways to be told again and again, without asking. */
export type Listening = "stream" | "subscription";

/** The ways by which a direct message would reach a session this minute, without its asking. */
export function reachableBy(bus: Bus, session: Session): string[] {
  if (session.ended_at !== null) return [];
  // One that takes some types only would promise too much.
  const isSent = hasWebhookFor(bus.store, channelOfSession(session.id));
  return [...bus.readers.pathsTo(session.id), ...(isSent ? ["webhook"] : [])];
}

/** When, as which consumer and by which path a session was last handed something. */
export function lastReadOf({ store }: Bus, session: Session) {
  let last: (Consumer & Position & { path: string }) | null = null;
  for (const { path, ...consumer } of consumersOf(store, session.id)) {
    if (path !== null && consumer.moved_at >= (last?.moved_at ?? 0)) last = { ...consumer, path };
  }
  return last;
}

/** Notes what a session is doing. Its position, its name and everybody else stay as they are. */
export function describeSession(
  bus: Bus,
  said: { session_id: string; state?: SessionState | undefined; status?: string | undefined },
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
  return findSession(bus.store, session.id) ?? session;
}
