/** The one way to read: which events, where the position goes, and what is left. */
import type { Bus, Call } from "../bus.ts";
import { BusError } from "../errors.ts";
import { type Event, parseCursor, type SignalLevel } from "../event.ts";
import { type EventFilter, urgencyOf } from "../filter.ts";
import type { Session } from "../session.ts";
import { countEvents, readEvents, tip } from "../store/events.ts";
import { prunedThrough } from "../store/meta.ts";
import type { Store } from "../store/open.ts";
import { type Consumer, findPosition } from "../store/positions.ts";
import { newsAfter } from "./news.ts";
import {
  consumerFor,
  consumerOf,
  MAIN,
  move,
  remember,
  shownBy,
  standing,
  startAt,
  URGENT,
} from "./positions.ts";
import { resolveChannel } from "./publishing.ts";
import { heard, sessionNotFound, speakerOf } from "./speakers.ts";

/** A page is read into a model's context: more than this is better asked for in parts. */
export const MAX_PAGE_BYTES = 1024 * 1024;
/** Claude Code hides a tool's answer of about 50 kB from its model: what does not fit comes next. */
export const MAX_TOOL_PAGE_BYTES = 40 * 1024;
export const MAX_PAGE_EVENTS = 1000;
/** Beyond this nobody counts. */
export const MAX_UNREAD = 1000;

/** What a reader asks to see. */
export interface Wanted {
  session_id?: string | undefined;
  consumer?: string | undefined;
  channel?: string | undefined;
  event_types?: readonly string[] | undefined;
  exclude_types?: readonly string[] | undefined;
  correlation_id?: string | undefined;
  min_level?: SignalLevel | undefined;
  include_own: boolean;
}

export interface Reading extends Wanted {
  cursor?: string | undefined;
  resume: boolean;
  peek: boolean;
  /** Who waits, waits for news. */
  wait_seconds?: number;
  order: "asc" | "desc";
  limit: number;
}

export interface ReadPage {
  events: Event[];
  /** Where the position is now, or would be after this page; null on an empty log. */
  next_cursor: number | null;
  has_more: boolean;
  unread: number;
  /** The read began before this id, and all through it was pruned; null when nothing is missing so. */
  archived_through: number | null;
}

/** Whether a read may move a position. Every other read is pure, whatever session it names. */
export function mayConsume(reading: Reading): boolean {
  if (!reading.resume || reading.peek) return false;
  // A cursor says where a consumer without a session begins; a session has begun already.
  if (reading.cursor && reading.session_id) return false;
  return isSubscription(reading) || !isNarrowed(reading);
}

/** Whether a read may give a consumer its start: one of no session begins with its first call. */
export function mayBegin({ resume, session_id, consumer }: Reading): boolean {
  return resume && !session_id && consumer !== undefined;
}

/** On a consumer of its own a narrowed read is a subscription, and passes what it leaves out. */
function isSubscription({ consumer }: Wanted): boolean {
  return consumer !== undefined && consumer !== MAIN && consumer !== URGENT;
}

/** What a narrowed read leaves out was not seen, so the session must not count it as read. */
function isNarrowed({ channel, event_types, correlation_id }: Wanted): boolean {
  return channel !== undefined || correlation_id !== undefined || (event_types ?? []).length > 0;
}

/**
 * Reads a page. A resumed read takes the oldest matching events after the consumer's position,
 * whatever the `order` of showing them, so that nothing is buried.
 */
export function read(bus: Bus, reading: Reading, call: Call): ReadPage {
  const { store } = bus;
  const reader = readerOf(bus, reading, call);
  if (reader.session !== null) heard(bus, reader.session, call);
  const { consumer, position } = reader;
  if (reading.resume && consumer === null) throw cannotResume(reading.session_id);
  // Whose position the read goes on from; nobody's when an explicit cursor says where to start.
  const own = reading.resume && (!reading.cursor || position === null) ? consumer : null;
  const start = own === null || (position === null && reading.cursor)
    ? parseCursor(reading.cursor, tip(store))
    : position ?? tip(store);
  const unheard = filterOf(store, reading, reader);
  const waits = (reading.wait_seconds ?? 0) > 0;
  const filter = own !== null
    ? unheard
    : { ...narrowing(store, reading), ...(waits ? newsAfter(store, start) : {}) };
  const newest = own === null && reading.order === "desc";
  const page = readEvents(store, start, filter, {
    limit: reading.limit,
    maxBytes: call.caller.path === "tool" ? MAX_TOOL_PAGE_BYTES : MAX_PAGE_BYTES,
    newest,
  });
  const { through } = page;
  let standsAt = position ?? through;
  if (own !== null) {
    if (position === null) startAt(store, own, start, call.now);
    const span = { from: start, through, filter, count: page.events.length };
    standsAt = settle(bus, own, reading, span, call);
  }
  return {
    events: reading.order === "desc" && !newest ? page.events.reverse() : page.events,
    next_cursor: through === 0 ? null : through,
    has_more: page.more,
    unread: countEvents(store, standsAt, unheard, MAX_UNREAD),
    // Who names no place asks for what there is.
    archived_through: reading.resume || reading.cursor ? archivedAfter(store, start) : null,
  };
}

/** Through which id events after a place have left the log; null when none have. */
export function archivedAfter(store: Store, start: number): number | null {
  const through = prunedThrough(store);
  return through > start ? through : null;
}

interface Span {
  readonly from: number;
  readonly through: number;
  readonly filter: EventFilter;
  readonly count: number;
}

/** Moves the position past a page, or remembers what a peek has shown; answers where it stands. */
function settle(bus: Bus, own: Consumer, reading: Reading, span: Span, call: Call): number {
  const { from, through, filter } = span;
  if (!mayConsume(reading)) {
    if (through > from && !call.caller.looksOn) {
      call.afterCommit(() => remember(bus, own, { through, filter }));
    }
    return from;
  }
  // Nobody is there to see the page any more: then it stays unread.
  if (call.caller.signal?.aborted) {
    throw new BusError("caller_left", "Cannot hand over events: the caller left");
  }
  if (through > from) move(bus, own, { ...span, filter: JSON.stringify(filter) }, call);
  return through;
}

/** How much of the log waits for a session's main consumer, counted to 1,000. */
export function unreadOf({ store }: Bus, session: Session): number {
  const consumer = consumerOf(session.id, MAIN);
  const position = standing(store, consumer) ?? 0;
  const filter = filterOf(store, { include_own: false }, { session, consumer, position });
  return countEvents(store, position, filter, MAX_UNREAD);
}

export interface Reader {
  readonly session: Session | null;
  readonly consumer: Consumer | null;
  /** Where the consumer stands; null when there is none, or it has never read. */
  readonly position: number | null;
}

/** Who reads; refuses an ended session. */
export function readerOf(bus: Bus, wanted: Wanted, call: Call): Reader {
  const session = speakerOf(bus, wanted.session_id, call.caller);
  const stranger = session === null && Boolean(wanted.session_id);
  const consumer = stranger ? null : consumerFor(session?.id ?? null, wanted.consumer, call);
  const position = consumer === null ? null : standing(bus.store, consumer);
  return { session, consumer, position };
}

/** What a consumer is shown: what it asked for, without its own events and what it has seen already. */
export function filterOf(store: Store, wanted: Wanted, reader: Reader): EventFilter {
  const { session, consumer, position } = reader;
  const filter = { ...narrowing(store, wanted), ...newsAfter(store, position ?? 0) };
  if (session === null || consumer === null) return filter;
  if (!wanted.include_own) filter.not_from = session.id;
  if (consumer.name === URGENT) filter.urgent = urgencyOf(session);
  if (consumer.name === MAIN) {
    filter.shown = shownBy(findPosition(store, consumerOf(session.id, URGENT)), position ?? 0);
  }
  return filter;
}

function narrowing(store: Store, wanted: Wanted): EventFilter {
  const { event_types, exclude_types, correlation_id, min_level } = wanted;
  const channel = wanted.channel === undefined
    ? undefined
    : resolveChannel(store, wanted.channel).channel;
  return { channel, event_types, exclude_types, correlation_id, min_level };
}

function cannotResume(sessionId: string | undefined): BusError {
  return sessionId ? sessionNotFound({ session_id: sessionId }) : new BusError(
    "invalid_argument",
    "Cannot resume without a session_id or a consumer: nobody else has a position",
  );
}
