/** The rules of positions: a reader holds nothing but a cursor, it moves forward, and every move is on record. */
import type { Bus, Call } from "../bus.ts";
import { BusError } from "../errors.ts";
import { parseCursor } from "../event.ts";
import type { EventFilter } from "../filter.ts";
import { insertDelivery } from "../store/deliveries.ts";
import { countBetween, tip } from "../store/events.ts";
import type { Store } from "../store/open.ts";
import { type Consumer, findPosition, setPosition } from "../store/positions.ts";
import { findSession } from "../store/sessions.ts";
import { heard, sessionNotFound, speakerOf } from "./speakers.ts";

/** The consumer that a session reads with unless it names another. */
export const MAIN = "main";
/** The one that is shown what cannot wait, in the middle of work. */
export const URGENT = "urgent";

/** Names are typed and shown; this is plenty. */
export const MAX_CONSUMER_LENGTH = 64;

/** Nobody acknowledges page by page in larger steps than this; beyond it the record stops counting. */
const MAX_COUNT = 10_000;

export const consumerOf = (sessionId: string, name: string): Consumer => ({
  session_id: sessionId,
  principal: "",
  name,
});

/**
 * Whose position a call is about: the session's, else a named consumer of whoever calls, else
 * nobody's. `main` and `urgent` belong to sessions.
 */
export function consumerFor(sessionId: string | null, name: string | undefined, call: Call) {
  if (sessionId !== null) return consumerOf(sessionId, name ?? MAIN);
  if (name === undefined) return null;
  if (name === MAIN || name === URGENT) {
    throw new BusError("invalid_argument", `Cannot read as ${name} without a session_id`);
  }
  return { session_id: "", principal: call.caller.principal, name };
}

/** Where a consumer stands; null for one of a principal that has never read. */
export function standing(store: Store, consumer: Consumer): number | null {
  const stored = findPosition(store, consumer)?.event_id;
  if (consumer.session_id === "") return stored ?? null;
  if (consumer.name === MAIN) return stored ?? tip(store);
  const main = standingOfMain(store, consumer.session_id);
  // What main has passed, nobody needs to be told of in a hurry.
  if (consumer.name === URGENT) return Math.max(stored ?? 0, main);
  return stored ?? findSession(store, consumer.session_id)?.start_id ?? main;
}

/** Where a session's main consumer stands. */
export function standingOfMain(store: Store, sessionId: string): number {
  return findPosition(store, consumerOf(sessionId, MAIN))?.event_id ?? tip(store);
}

/** Lets a consumer begin after an event. No move, so nothing on record. */
export function startAt(store: Store, consumer: Consumer, eventId: number, now: number): void {
  setPosition(store, consumer, { event_id: eventId, moved_at: now, path: null });
}

export interface Move {
  readonly from: number;
  readonly through: number;
  readonly filter: string;
  readonly count: number;
}

/** Moves a position and writes down what was handed over on the way. */
export function move(bus: Bus, consumer: Consumer, move: Move, call: Call): void {
  const { path } = call.caller;
  setPosition(bus.store, consumer, { event_id: move.through, moved_at: call.now, path });
  insertDelivery(bus.store, consumer, {
    from_id: move.from,
    through_id: move.through,
    filter: move.filter,
    path,
    at: call.now,
    count: move.count,
  });
}

/** Remembers a page that was shown without being marked, until it is acknowledged. */
export function remember(
  bus: Bus,
  consumer: Consumer,
  page: { through: number; filter: EventFilter; count: number },
): void {
  const { through, count } = page;
  bus.peeks.set(keyOf(consumer), { through, count, filter: JSON.stringify(page.filter) });
}

export interface Acknowledgement {
  readonly session_id?: string | undefined;
  readonly consumer?: string | undefined;
  readonly cursor: string;
  readonly allow_rewind: boolean;
}

/** Sets a consumer's position to a cursor it has dealt with. */
export function acknowledge(bus: Bus, ack: Acknowledgement, call: Call) {
  const session = speakerOf(bus, ack.session_id);
  if (ack.session_id && session === null) throw sessionNotFound({ session_id: ack.session_id });
  if (session !== null) heard(bus, session, call);
  const consumer = consumerFor(session?.id ?? null, ack.consumer, call);
  if (consumer === null) {
    throw new BusError("invalid_argument", "Cannot acknowledge without a session_id or a consumer");
  }
  const previous = standing(bus.store, consumer);
  const saved = { cursor: previous === null ? null : String(previous) };
  const cursor = ackCursor(ack.cursor, tip(bus.store), saved);
  const from = previous ?? cursor;
  if (cursor < from && !ack.allow_rewind) {
    throw new BusError(
      "conflict",
      `Cannot move the position back from ${from} to ${cursor} without allow_rewind`,
      saved,
    );
  }
  if (previous === null) startAt(bus.store, consumer, cursor, call.now);
  else if (cursor !== from) {
    // The page that this acknowledges says what it left out; without one, all of it was dealt with.
    const peek = bus.peeks.get(keyOf(consumer));
    const { filter, count } = peek?.through === cursor
      ? peek
      : { filter: "{}", count: countBetween(bus.store, from, cursor, MAX_COUNT) };
    move(bus, consumer, { from, through: cursor, filter, count }, call);
  }
  call.afterCommit(() => bus.peeks.delete(keyOf(consumer)));
  return { session_id: session?.id ?? null, consumer: consumer.name, cursor, previous };
}

const keyOf = ({ session_id, principal, name }: Consumer): string =>
  JSON.stringify([session_id, principal, name]);

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
