/** The rules of the log: what is appended, who is told, and the one way to read it. */
import type { Bus, Call } from "../bus.ts";
import { addressee, channelOfSession, checkChannel } from "../channel.ts";
import { BusError } from "../errors.ts";
import {
  ANONYMOUS,
  deriveSignalLevel,
  type Event,
  MAX_PAYLOAD_BYTES,
  parseCursor,
  type SignalLevel,
} from "../event.ts";
import type { Session } from "../session.ts";
import { countEvents, readEvents, tip } from "../store/events.ts";
import { findByDisplayId, findSession } from "../store/sessions.ts";
import { append } from "./log.ts";
import { advance, MAIN, positionOf } from "./positions.ts";
import { heard, sessionNotFound, speakerOf } from "./speakers.ts";

/** A page is read into a model's context: more than this is better asked for in parts. */
export const MAX_PAGE_BYTES = 1024 * 1024;
export const MAX_PAGE_EVENTS = 1000;
/** Beyond this nobody counts. */
export const MAX_UNREAD = 1000;

export interface Publication {
  event_type: string;
  payload: string;
  session_id?: string | undefined;
  channel: string;
  title?: string | undefined;
  tags?: readonly string[] | undefined;
  correlation_id?: string | undefined;
  signal_level?: SignalLevel | undefined;
}

export interface Published {
  id: number;
  channel: string;
  signal_level: SignalLevel;
  /** The sender, when it is a session that has ended: stored all the same, and told so. */
  ended_sender: Session | null;
  /** The session that a direct message is for; null when no session has that name. */
  recipient: Session | null;
  /** Whether it is a direct message at all. */
  direct: boolean;
}

/** Publishes an event. A direct message also notifies the human, once it is durable. */
export function publish(bus: Bus, publication: Publication, call: Call): Published {
  checkPayload(publication.payload);
  const session_id = publication.session_id || ANONYMOUS;
  const sender = findSession(bus.store, session_id);
  if (sender !== null && sender.ended_at === null) heard(bus, sender, call);
  const { channel, direct, recipient } = resolveChannel(bus, publication.channel);
  const signal_level = publication.signal_level ??
    deriveSignalLevel(publication.event_type, channel);
  const id = append(bus, { ...publication, session_id, channel, signal_level }, call);
  if (recipient !== null && recipient.ended_at === null && recipient.id !== sender?.id) {
    call.afterCommit(() => notifyOfMessage(bus, recipient, sender, publication.payload));
  }
  const ended_sender = sender !== null && sender.ended_at !== null ? sender : null;
  return { id, channel, signal_level, ended_sender, recipient, direct };
}

/** A direct message may name its target either way; it is stored under the session's id. */
function resolveChannel(bus: Bus, name: string) {
  const channel = checkChannel(name);
  const target = addressee(channel);
  if (target === null || target === "") return { channel, direct: false, recipient: null };
  const recipient = findSession(bus.store, target) ?? findByDisplayId(bus.store, target);
  return {
    channel: recipient === null ? channel : channelOfSession(recipient.id),
    direct: true,
    recipient,
  };
}

function notifyOfMessage(bus: Bus, to: Session, from: Session | null, payload: string): void {
  const excerpt = [...payload].slice(0, 50).join("");
  void bus.desktop.show({
    title: `✉️ ${to.name} • ${to.repo}`,
    message: `From: ${from?.name ?? ANONYMOUS}\n${excerpt}${excerpt === payload ? "" : "..."}`,
    sound: false,
  });
}

function checkPayload(payload: string): void {
  const bytes = new TextEncoder().encode(payload).length;
  if (bytes > MAX_PAYLOAD_BYTES) {
    throw new BusError(
      "too_large",
      `Cannot publish a payload of ${bytes} bytes: the limit is ${MAX_PAYLOAD_BYTES}`,
      { limit: MAX_PAYLOAD_BYTES },
    );
  }
}

export interface Reading {
  cursor?: string | undefined;
  session_id?: string | undefined;
  resume: boolean;
  peek: boolean;
  order: "asc" | "desc";
  limit: number;
  channel?: string | undefined;
  event_types?: readonly string[] | undefined;
  exclude_types?: readonly string[] | undefined;
  correlation_id?: string | undefined;
  min_level?: SignalLevel | undefined;
}

export interface ReadPage {
  events: Event[];
  /** Where the position is now, or would be after this page; null on an empty log. */
  next_cursor: number | null;
  has_more: boolean;
  unread: number;
}

/** Whether a read moves the session's position. Every other read is pure. */
export function consumes(reading: Reading): boolean {
  return isResumed(reading) && !reading.peek && !isNarrowed(reading);
}

/** Continues where the session left off, unless an explicit cursor says where to start. */
function isResumed(reading: Reading): boolean {
  return reading.resume && (reading.cursor === undefined || reading.cursor === "");
}

/** What a narrowed read leaves out was not seen, so such a read must not count it as read. */
function isNarrowed({ channel, event_types, correlation_id }: Reading): boolean {
  return channel !== undefined || correlation_id !== undefined || (event_types ?? []).length > 0;
}

/**
 * The one read path. A resumed read takes the oldest matching events after the session's position
 * whatever the `order` of showing them, so that nothing is buried.
 */
export function read(bus: Bus, reading: Reading, call: Call): ReadPage {
  const { store } = bus;
  const session = speakerOf(bus, reading.session_id);
  if (session !== null) heard(bus, session, call);
  const resumed = isResumed(reading);
  if (resumed && session === null) throw cannotResume(reading.session_id);
  const after = resumed && session !== null
    ? positionOf(store, session.id, MAIN)
    : parseCursor(reading.cursor, tip(store));
  const filter = {
    channel: reading.channel === undefined
      ? undefined
      : resolveChannel(bus, reading.channel).channel,
    event_types: reading.event_types,
    exclude_types: reading.exclude_types,
    correlation_id: reading.correlation_id,
    min_level: reading.min_level,
  };
  const unheard = { ...filter, not_from: session?.id };
  const newest = !resumed && reading.order === "desc";
  const page = readEvents(store, after, resumed ? unheard : filter, {
    limit: reading.limit,
    maxBytes: MAX_PAGE_BYTES,
    newest,
  });
  if (session !== null && consumes(reading)) {
    // Nobody is there to see the page any more: then it stays unread.
    if (call.caller.signal?.aborted) {
      throw new BusError("caller_left", "Cannot hand over events: the caller left");
    }
    advance(store, session.id, page.through, call.now);
  }
  const unreadAfter = session === null ? page.through : positionOf(store, session.id, MAIN);
  return {
    events: reading.order === "desc" && !newest ? page.events.reverse() : page.events,
    next_cursor: page.through === 0 ? null : page.through,
    has_more: page.more,
    unread: countEvents(store, unreadAfter, unheard, MAX_UNREAD),
  };
}

function cannotResume(sessionId: string | undefined): BusError {
  return sessionId === undefined
    ? new BusError(
      "invalid_argument",
      "Cannot resume without a session_id: only sessions have a position",
    )
    : sessionNotFound({ session_id: sessionId });
}
