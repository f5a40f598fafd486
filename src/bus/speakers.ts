/** In whose name a call speaks, and how it is refused when that is nobody's any more. */
import type { Bus, Call, Caller } from "../bus.ts";
import { BusError, quoted } from "../errors.ts";
import type { Session } from "../session.ts";
import { findByDisplayId, findSession } from "../store/sessions.ts";

/**
 * Whose session an id names, for a call that reads or acknowledges as it. Null for nobody: no id,
 * the anonymous one, or one that never registered here. An ended session is refused, and one that
 * somebody else registered.
 */
export function speakerOf(bus: Bus, id: string | undefined, caller: Caller): Session | null {
  const session = id ? findSession(bus.store, id) : null;
  if (session === null) return null;
  checkOwn(session, caller);
  if (session.ended_at !== null) throw sessionEnded(session);
  return session;
}

/**
 * The session that signs what it publishes under an id; also an ended one. Null for a name that never
 * registered, which anybody may sign with, unless somebody else is shown under it.
 */
export function senderOf(bus: Bus, id: string, caller: Caller): Session | null {
  const session = findSession(bus.store, id);
  const shown = session ?? findByDisplayId(bus.store, id);
  if (shown !== null) checkOwn(shown, caller);
  return session;
}

/** Refuses whoever acts as a session that another principal registered. */
export function checkOwn(session: Session, { principal }: Caller): void {
  if (session.principal === null || session.principal === principal) return;
  throw new BusError(
    "forbidden",
    `Cannot act as session ${quoted(session.id)}: another caller registered it; register your own`,
    { session_id: session.id },
  );
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
