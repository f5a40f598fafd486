/** The rules of positions: a reader holds nothing but a cursor, and it moves forward. */
import type { Bus, Call } from "../bus.ts";
import { BusError } from "../errors.ts";
import { parseCursor } from "../event.ts";
import { tip } from "../store/events.ts";
import type { Store } from "../store/open.ts";
import { findPosition, setPosition } from "../store/positions.ts";
import { heard, sessionNotFound, speakerOf } from "./speakers.ts";

/** The consumer that a session reads with unless it names another. */
export const MAIN = "main";

/** How far a session's consumer has read; the tip for one that has no position yet. */
export function positionOf(store: Store, sessionId: string, consumer: string): number {
  return findPosition(store, sessionId, consumer) ?? tip(store);
}

/** A new session has read everything up to its own registration. */
export function startAt(store: Store, sessionId: string, eventId: number, now: number): void {
  setPosition(store, sessionId, MAIN, eventId, now);
}

/** Moves a position forward; going back is for `acknowledge` with `allow_rewind` alone. */
export function advance(store: Store, sessionId: string, through: number, now: number): void {
  if (through > positionOf(store, sessionId, MAIN)) {
    setPosition(store, sessionId, MAIN, through, now);
  }
}

export interface Acknowledged {
  session_id: string;
  cursor: number;
  previous: number | null;
}

/** Sets a session's position to a cursor it has dealt with. */
export function acknowledge(
  bus: Bus,
  ack: { session_id: string; cursor: string; allow_rewind: boolean },
  call: Call,
): Acknowledged {
  const session = speakerOf(bus, ack.session_id);
  if (session === null) throw sessionNotFound({ session_id: ack.session_id });
  heard(bus, session, call);
  const previous = findPosition(bus.store, session.id, MAIN);
  const saved = { session_id: session.id, cursor: previous === null ? null : String(previous) };
  const cursor = ackCursor(ack.cursor, tip(bus.store), saved);
  if (previous !== null && cursor < previous && !ack.allow_rewind) {
    throw new BusError(
      "conflict",
      `Cannot move the position back from ${previous} to ${cursor} without allow_rewind`,
      saved,
    );
  }
  setPosition(bus.store, session.id, MAIN, cursor, call.now);
  return { session_id: session.id, cursor, previous };
}

function ackCursor(text: string, tip: number, saved: { cursor: string | null }): number {
  try {
    if (text === "") throw new BusError("invalid_argument", "Cannot acknowledge an empty cursor");
    return parseCursor(text, tip);
  } catch (refusal) {
    // Every refusal says what could be acknowledged again.
    throw refusal instanceof BusError
      ? new BusError(refusal.code, refusal.message, { ...refusal.details, ...saved })
      : refusal;
  }
}
