/** The rules of publishing: whom an event is for, which thread it belongs to, and once is once. */
import type { Bus, Call } from "../bus.ts";
import { addressee, channelOfSession, checkChannel, DEFAULT_CHANNEL } from "../channel.ts";
import { BusError } from "../errors.ts";
import {
  ANONYMOUS,
  deriveSignalLevel,
  type Event,
  MAX_PAYLOAD_BYTES,
  type SignalLevel,
} from "../event.ts";
import type { Session } from "../session.ts";
import { findDuplicate, findEvent, whyAbsent } from "../store/events.ts";
import { findSpooled, rememberSpooled } from "../store/spooled.ts";
import type { Store } from "../store/open.ts";
import { findByDisplayId, findSession, setLastEvent } from "../store/sessions.ts";
import { maskSecrets } from "../secrets.ts";
import { runsAway, tellOfPause } from "./flow.ts";
import { append } from "./log.ts";
import { heard, senderOf } from "./speakers.ts";

/** How long the same key from the same sender means the same event. */
export const DEDUPE_MS = 24 * 60 * 60 * 1000;

/** How old a message may be that waited for the bus; for so long it is known that it came. */
const MAX_WAIT_MS = 366 * DEDUPE_MS;

/** What took no longer was not kept waiting, and says nothing of it. */
const AT_ONCE_MS = 1000;

export interface Publication {
  event_type: string;
  payload: string;
  session_id?: string | undefined;
  /** Where it goes; `all`, or back to the asker for a reply, when not given. */
  channel?: string | undefined;
  title?: string | undefined;
  tags?: readonly string[] | undefined;
  correlation_id?: string | undefined;
  signal_level?: SignalLevel | undefined;
  /** Publishing again with the same key within a day answers the first event. */
  dedupe_key?: string | undefined;
  reply_to?: number | undefined;
  /** When its sender sent it, if that may be long ago: it waited for the bus. */
  sent_at?: number | undefined;
}

export interface Published {
  id: number;
  /** Whether this is the first event with its dedupe key, published before. */
  duplicate: boolean;
  event_type: string;
  payload: string;
  channel: string;
  signal_level: SignalLevel;
  correlation_id: string | null;
  /** The sender, when it is a session that has ended: stored all the same, and told so. */
  ended_sender: Session | null;
  /** The session that a direct message is for; null when no session has that name. */
  recipient: Session | null;
  /** Whether it is a direct message at all. */
  direct: boolean;
  /** The kinds of credentials that were taken out of it. */
  masked: readonly string[];
  /** Whether it waits because the two have gone back and forth too often. */
  isLoop?: boolean;
}

/** Publishes an event. A direct message also notifies the human, once it is durable. */
export function publish(bus: Bus, publication: Publication, call: Call): Published {
  const { store } = bus;
  checkPayload(publication.payload);
  const session_id = publication.session_id || ANONYMOUS;
  const sender = session_id === ANONYMOUS ? null : senderOf(bus, session_id, call.caller);
  const ended_sender = sender !== null && sender.ended_at !== null ? sender : null;
  const sent = checkSent(publication, call.now);
  const isLate = call.now - sent >= AT_ONCE_MS;
  // What was sent long ago is no sign that its sender is there now.
  if (sender !== null && ended_sender === null && !isLate) heard(bus, sender, call);

  const { texts, masked } = masking(bus, publication);
  const { dedupe_key } = publication;
  const by = { session_id, principal: sender === null ? call.caller.principal : null };
  const spooled = dedupe_key === undefined || publication.sent_at === undefined
    ? null
    : { dedupe_key, session_id, sent_at: publication.sent_at };
  const came = spooled === null ? null : findSpooled(store, spooled);
  const first = came !== null
    ? findEvent(store, came) ?? departed(publication, came, call)
    : dedupe_key === undefined
    ? null
    : findDuplicate(store, dedupe_key, by, {
      since: sent - DEDUPE_MS,
      ...spooled === null ? {} : { before: sent + DEDUPE_MS },
    });
  const remember = (id: number) => {
    if (spooled === null) return;
    rememberSpooled(store, spooled, { id, at: call.now, forgetBefore: call.now - MAX_WAIT_MS });
  };
  if (first !== null) {
    remember(first.id);
    return {
      ...first,
      ...resolveChannel(store, first.channel),
      duplicate: true,
      ended_sender,
      masked,
    };
  }
  const asked = publication.reply_to === undefined ? null : askedBy(store, publication.reply_to);
  const { channel, direct, recipient } = resolveChannel(
    store,
    publication.channel || (asked === null ? DEFAULT_CHANNEL : backTo(asked, session_id)),
  );
  const correlation_id = publication.correlation_id ?? (asked === null ? null : threadOf(asked));
  const isLoop = sender !== null && recipient !== null && recipient.id !== sender.id &&
    runsAway(bus, sender, recipient, call.now);
  const signal_level = publication.signal_level ??
    (isLoop ? "info" : deriveSignalLevel(publication.event_type, channel));
  const event = {
    ...publication,
    ...texts,
    session_id,
    channel,
    correlation_id,
    signal_level,
    quiet: isLoop,
    sent_at: isLate ? sent : null,
  };
  // What was sent at different times is not the same again because it came at once.
  const id = append(bus, event, call);
  remember(id);
  if (ended_sender !== null) setLastEvent(store, ended_sender.id, id);
  if (isLoop && sender !== null && recipient !== null) tellOfPause(bus, sender, recipient, call);
  if (recipient !== null && recipient.ended_at === null && recipient.id !== sender?.id) {
    call.afterCommit(() => notifyOfMessage(bus, recipient, sender, event.payload));
  }
  return {
    id,
    duplicate: false,
    event_type: event.event_type,
    payload: event.payload,
    channel,
    signal_level,
    correlation_id,
    ended_sender,
    recipient,
    direct,
    masked,
    ...isLoop ? { isLoop } : {},
  };
}

/** When an event was sent; now unless it says otherwise, and never later. */
function checkSent({ sent_at }: Publication, now: number): number {
  if (sent_at === undefined) return now;
  if (now - sent_at >= MAX_WAIT_MS) {
    throw new BusError(
      "invalid_argument",
      `Cannot publish what was sent at ${
        new Date(sent_at).toISOString()
      }: a year is the limit, for ` +
        "nobody knows any more whether it came before",
    );
  }
  return Math.min(sent_at, now);
}

/** What is still known of an event that came before and has left the log: what is said of it now. */
function departed(publication: Publication, id: number, call: Call): Event {
  const { event_type, payload, session_id = ANONYMOUS, correlation_id = null } = publication;
  const channel = checkChannel(publication.channel || DEFAULT_CHANNEL);
  return {
    id,
    event_type,
    payload,
    channel,
    session_id,
    correlation_id,
    at: call.now,
    signal_level: publication.signal_level ?? deriveSignalLevel(event_type, channel),
    title: publication.title ?? null,
    tags: publication.tags ?? [],
    principal: call.caller.principal,
    reply_to: publication.reply_to ?? null,
    dedupe_key: publication.dedupe_key ?? null,
  };
}

/** What is stored of the sender's words: without the credentials that slipped in. */
function masking({ masksSecrets }: Bus, { payload, title }: Publication) {
  if (!masksSecrets) return { texts: {}, masked: [] };
  const clean = maskSecrets(payload);
  const name = title === undefined ? null : maskSecrets(title);
  return {
    texts: { payload: clean.text, ...name === null ? {} : { title: name.text } },
    masked: [...new Set([...clean.kinds, ...name?.kinds ?? []])],
  };
}

/** A direct message may name its target either way; it is stored under the session's id. */
export function resolveChannel(store: Store, name: string) {
  const channel = checkChannel(name);
  const target = addressee(channel);
  if (target === null || target === "") return { channel, direct: false, recipient: null };
  const recipient = findSession(store, target) ?? findByDisplayId(store, target);
  return {
    channel: recipient === null ? channel : channelOfSession(recipient.id),
    direct: true,
    recipient,
  };
}

function askedBy(store: Store, id: number): Event {
  const asked = findEvent(store, id);
  if (asked !== null) return asked;
  throw new BusError("not_found", `Cannot reply to event ${id}: ${whyAbsent(store, id)}`, {
    reply_to: id,
  });
}

/** A reply goes to the asker; to where the question was when nobody, or oneself, asked it. */
function backTo(asked: Event, sender: string): string {
  return asked.session_id === ANONYMOUS || asked.session_id === sender
    ? asked.channel
    : channelOfSession(asked.session_id);
}

/** The thread of a question; a first answer gives it a name. */
function threadOf(asked: Event): string {
  return asked.correlation_id ?? `event:${asked.id}`;
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
  // No character takes more than three bytes: mostly there is nothing to count.
  if (payload.length * 3 <= MAX_PAYLOAD_BYTES) return;
  const bytes = new TextEncoder().encode(payload).length;
  if (bytes > MAX_PAYLOAD_BYTES) {
    throw new BusError(
      "too_large",
      `Cannot publish a payload of ${bytes} bytes: the limit is ${MAX_PAYLOAD_BYTES}`,
      { limit: MAX_PAYLOAD_BYTES },
    );
  }
}
