/** In whose name a call speaks, and how it is refused when that is nobody's any more. */
import type { Bus, Call } from "../bus.ts";
import { BusError } from "../errors.ts";
import type { Session } from "../session.ts";
import { findSession } from "../store/sessions.ts";

/**
 * Whose session an id names, for a call that reads or acknowledges as it. Null for nobody: no id,
 * the anonymous one, or one that never registered here. An ended session is refused.
 */
export function speakerOf(bus: Bus, id: string | undefined): Session | null {
  const session = id ? findSession(bus.store, id) : null;
  if (session !== null && session.ended_at !== null) throw sessionEnded(session);
  return session;
}

/** Notes that a session was heard, without a write of its own. A watcher is somebody else. */
export function heard(bus: Bus, session: Session, call: Call): void {
  if (call.caller.looksOn) return;
  call.afterCommit(() => bus.store.heartbeats.set(session.id, call.now));
}

/** The refusal that a call in the name of an ended session gets; clients branch on its flag. */
export function sessionEnded(session: Session): BusError {
  return new BusError("session_ended", "Session deleted", endedDetails(session));
}

/** The facts about an ended session, as the original's clients know them. */
export function endedDetails(session: Session) {
  return {
    session_deleted: true,
    session_id: session.id,
    display_id: session.display_id,
    deleted_at: new Date(session.ended_at ?? 0).toISOString(),
    hint: "Register again with the same client_id to continue as this session",
  };
}

export function sessionNotFound(details: Record<string, string>): BusError {
  return new BusError("not_found", "Session not found", details);
}
