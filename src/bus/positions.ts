/** The rules of positions: a reader holds nothing but a cursor, it moves forward, and every move is on record. */
import type { Bus, Call, Peek } from "../bus.ts";
import { BusError } from "../errors.ts";
import { parseCursor } from "../event.ts";
import { type EventFilter, urgencyOf } from "../filter.ts";
import type { Session } from "../session.ts";
import { insertDelivery } from "../store/deliveries.ts";
import { countEvents, tip } from "../store/events.ts";
import type { Store } from "../store/open.ts";
import { type Consumer, findPosition, type Position, setPosition } from "../store/positions.ts";
import { findSession } from "../store/sessions.ts";
import { newsAfter } from "./news.ts";
import { heard, sessionNotFound, speakerOf } from "./speakers.ts";

/** The consumer that a session reads with unless it names another. */
export const MAIN = "main";
/** The one that is shown what cannot wait, in the middle of work. */
export const URGENT = "urgent";

/** Names are typed and shown; this is plenty. */
export const MAX_CONSUMER_LENGTH = 64;

/** Nobody acknowledges page by page in larger steps than this; beyond it the record stops counting. */
const MAX_COUNT = 10_000;

/** Consumers without a session may have any name; the oldest page that nobody marked is forgotten. */
export const MAX_PEEKS = 10_000;

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
  const { session_id, name } = consumer;
  if (session_id !== "" && name === MAIN) return standingOfMain(store, session_id);
  const stored = findPosition(store, consumer)?.event_id;
  if (session_id === "") return stored ?? null;
  const main = standingOfMain(store, session_id);
  // What main has passed, nobody needs to be told of in a hurry.
  if (name === URGENT) return Math.max(stored ?? 0, main);
  return stored ?? findSession(store, session_id)?.start_id ?? main;
}

/** Where a session's main consumer stands. */
export function standingOfMain(store: Store, sessionId: string): number {
  return findPosition(store, consumerOf(sessionId, MAIN))?.event_id ?? tip(store);
}

/** Lets a consumer begin after an event. No move, so nothing on record. */
export function startAt(store: Store, consumer: Consumer, eventId: number, now: number): void {
  setPosition(store, consumer, { event_id: eventId, moved_at: now, path: null, ...NO_SPAN });
}

export interface Move {
  readonly from: number;
  readonly through: number;
  readonly filter: string;
  readonly count: number;
  /** Whether nobody knows any more what was shown on the way. */
  readonly forgotten?: boolean;
}

/** Moves a position and writes down what was handed over on the way. */
export function move(bus: Bus, consumer: Consumer, move: Move, call: Call): void {
  const { path } = call.caller;
  const span = spanOf(findPosition(bus.store, consumer), move);
  setPosition(bus.store, consumer, { event_id: move.through, moved_at: call.now, path, ...span });
  insertDelivery(bus.store, consumer, {
    from_id: move.from,
    through_id: move.through,
    filter: move.filter,
    path,
    at: call.now,
    count: move.count,
  });
  call.afterCommit(() => bus.metrics.moved(path, move.count));
}

type Span = Pick<Position, "span_from" | "span_filter">;

const NO_SPAN: Span = { span_from: null, span_filter: null };

/** The last stretch that a consumer has read with one filter, without a gap, up to where it stands. */
export function spanOf(
  before: Position | null,
  { from, through, filter, forgotten }: Omit<Move, "count">,
): Span {
  if (forgotten) return NO_SPAN;
  if (through < from) {
    return before !== null && before.span_from !== null && before.span_from < through
      ? { span_from: before.span_from, span_filter: before.span_filter }
      : NO_SPAN;
  }
  const goesOn = before?.event_id === from && before.span_filter === filter;
  return { span_from: goesOn ? before.span_from : from, span_filter: filter };
}

/**
 * What the urgent consumer has shown beyond where main stands. By the filter that it was shown
 * with, so that what that filter hid, or what the session heard elsewhere, is not taken for shown.
 */
export function shownBy(
  urgent: Span & Pick<Position, "event_id"> | null,
  main: number,
): EventFilter["shown"] {
  if (urgent === null || urgent.event_id <= main) return undefined;
  const { span_from, span_filter, event_id: through } = urgent;
  if (span_from === null || span_filter === null) return undefined;
  const filter = JSON.parse(span_filter) as EventFilter;
  return { from: Math.max(span_from, main), through, filter };
}

/** Remembers what was shown without being marked, until it, or a part of it, is acknowledged. */
export function remember(bus: Bus, consumer: Consumer, page: Peek): void {
  const key = keyOf(consumer);
  bus.peeks.delete(key);
  bus.peeks.set(key, page);
  if (bus.peeks.size <= MAX_PEEKS) return;
  for (const oldest of bus.peeks.keys()) {
    bus.peeks.delete(oldest);
    break;
  }
}

export interface Acknowledgement {
  readonly session_id?: string | undefined;
  readonly consumer?: string | undefined;
  readonly cursor: string;
  readonly allow_rewind: boolean;
}

/** Sets a consumer's position to a cursor it has dealt with. */
export function acknowledge(bus: Bus, ack: Acknowledgement, call: Call) {
  const session = speakerOf(bus, ack.session_id, call.caller);
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
  if (session !== null && consumer.name === URGENT) checkBehind(bus.store, session.id, cursor);
  if (previous === null) startAt(bus.store, consumer, cursor, call.now);
  else if (cursor !== from) move(bus, consumer, moveTo(bus, consumer, session, from, cursor), call);
  if (session !== null && consumer.name === MAIN && cursor < from) showAgain(bus.store, session.id);
  call.afterCommit(() => forget(bus, consumer, cursor));
  return { session_id: session?.id ?? null, consumer: consumer.name, cursor, previous };
}

/** Who moves main back wants to see everything from there, also what urgent had shown. */
function showAgain(store: Store, sessionId: string): void {
  const urgent = consumerOf(sessionId, URGENT);
  const position = findPosition(store, urgent);
  if (position !== null) setPosition(store, urgent, { ...position, ...NO_SPAN });
}

/** Main has passed what lies before it, and urgent with it. */
function checkBehind(store: Store, sessionId: string, cursor: number): void {
  const main = standingOfMain(store, sessionId);
  if (cursor >= main) return;
  throw new BusError(
    "conflict",
    `Cannot move urgent to ${cursor}: main has read through ${main}; move main back instead`,
    { cursor: String(main) },
  );
}

/** What lies beyond an acknowledged part stays to be acknowledged. */
function forget(bus: Bus, consumer: Consumer, cursor: number): void {
  const key = keyOf(consumer);
  if ((bus.peeks.get(key)?.through ?? 0) <= cursor) bus.peeks.delete(key);
}

/** What was shown says what it left out; without it, all that is acknowledged was dealt with. */
function moveTo(
  bus: Bus,
  consumer: Consumer,
  session: Session | null,
  from: number,
  through: number,
): Move {
  if (through < from) return { from, through, filter: "{}", count: 0 };
  const peek = bus.peeks.get(keyOf(consumer));
  const seen = peek !== undefined && through <= peek.through;
  const filter = seen
    ? peek.filter
    : { ...everythingFor(consumer, session), ...newsAfter(bus.store, from) };
  const count = countEvents(bus.store, from, filter, MAX_COUNT, through);
  return { from, through, filter: JSON.stringify(filter), count, forgotten: !seen };
}

function everythingFor({ name }: Consumer, session: Session | null): EventFilter {
  if (name !== URGENT || session === null) return {};
  return { not_from: session.id, urgent: urgencyOf(session) };
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
