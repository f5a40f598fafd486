/** The shapes that several operations share on the wire. */
import { z } from "zod";
import { MAX_CONSUMER_LENGTH } from "../bus/positions.ts";
import { MAX_CHANNEL_LENGTH } from "../channel.ts";
import type { Event } from "../event.ts";
import { MAX_LABEL_LENGTH, SIGNAL_LEVELS } from "../event.ts";

/** A short text for a type, a title, a thread or a tag. */
export const label = z.string().min(1).max(MAX_LABEL_LENGTH);

/** Any session id, also one that never registered here; as long as a channel can name it. */
export const sessionId = z.string().max(MAX_CHANNEL_LENGTH);

export const signalLevel = z.enum(SIGNAL_LEVELS);

/** Room for a long list of types, and a bound on what one filter costs. */
export const types = z.array(label).max(100);

/** A time as ISO 8601 writes it. */
export const moment = z.string().max(40).refine(
  (text) => /^[0-9]{4}-[0-9]{2}(-[0-9]{2}|$)/.test(text) && Number.isFinite(Date.parse(text)),
  "a time such as 2026-01-08T12:00:00Z is expected",
);

/** Who reads, from where, and what it asks to see: the same for a page and for a stream. */
export const wantedInput = {
  cursor: z.string().optional(),
  session_id: sessionId.optional(),
  consumer: z.string().min(1).max(MAX_CONSUMER_LENGTH).optional(),
  channel: z.string().optional(),
  event_types: types.optional(),
  exclude_types: types.optional(),
  correlation_id: z.string().optional(),
  min_level: signalLevel.optional(),
  include_own: z.boolean().default(false),
};

export const wireEvent = z.object({
  id: z.int(),
  event_id: z.int(),
  event_type: z.string(),
  payload: z.string(),
  session_id: z.string(),
  timestamp: z.string(),
  sent_at: z.string().optional(),
  channel: z.string(),
  correlation_id: z.string().nullable(),
  signal_level: signalLevel,
  title: z.string().optional(),
  tags: z.array(z.string()).optional(),
  reply_to: z.int().optional(),
});

/** An event as callers see it; both spellings of its id, because the original used both. */
export function toWire(event: Event): z.output<typeof wireEvent> {
  return {
    id: event.id,
    event_id: event.id,
    event_type: event.event_type,
    payload: event.payload,
    session_id: event.session_id,
    timestamp: iso(event.at),
    ...(event.sent_at ? { sent_at: iso(event.sent_at) } : {}),
    channel: event.channel,
    correlation_id: event.correlation_id,
    signal_level: event.signal_level,
    ...(event.title === null ? {} : { title: event.title }),
    ...(event.tags.length === 0 ? {} : { tags: [...event.tags] }),
    ...(event.reply_to === null ? {} : { reply_to: event.reply_to }),
  };
}

/** Epoch milliseconds as ISO 8601, UTC. */
export function iso(at: number): string {
  return new Date(at).toISOString();
}
