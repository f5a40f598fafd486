/** The lines of an export: what an event and a session are outside of their log, with every field. */
import { z } from "zod";
import { BusError } from "../errors.ts";
import { MAX_EVENT_ID, SIGNAL_LEVELS } from "../event.ts";
import { END_REASONS } from "../session.ts";
import type { MovedEvent, MovedSession } from "../store/moving.ts";
import { errorsOf } from "./refusal.ts";
import { iso } from "./wire.ts";

/** Grows when a reader of the version before would misunderstand a line. */
export const EXPORT_VERSION = 1;

const id = z.int().positive().max(MAX_EVENT_ID);
const idOrStart = z.int().min(0).max(MAX_EVENT_ID);
const time = z.iso.datetime({ error: "an ISO 8601 time in UTC is expected" });
const text = z.string().refine((value) => !value.includes("\0"), "contains a NUL character")
  .transform((value) => value.toWellFormed());

/** The name of a log. */
export const logName = z.string().regex(/^[0-9a-f]{16}$/, "the name of a log is expected");

const eventLine = z.strictObject({
  kind: z.literal("event"),
  id,
  event_type: text,
  payload: text,
  channel: text,
  session_id: text,
  timestamp: time,
  signal_level: z.enum(SIGNAL_LEVELS),
  correlation_id: text.nullable(),
  title: text.nullable(),
  tags: z.array(text),
  principal: text.nullable(),
  reply_to: id.nullable(),
  dedupe_key: text.nullable(),
  quiet: z.boolean(),
  origin: logName.nullable(),
  origin_id: id.nullable(),
  imported_at: time.nullable(),
  // Absent in the lines of older exports.
  sent_at: time.nullable().default(null),
});

const sessionLine = z.strictObject({
  kind: z.literal("session"),
  session_id: text,
  display_id: text,
  name: text,
  machine: text,
  cwd: text,
  repo: text,
  client_id: text.nullable(),
  registered_at: time,
  last_seen: time,
  ended_at: time.nullable(),
  end_reason: z.enum(END_REASONS).nullable(),
  start_id: idOrStart.nullable(),
  wake_on: z.array(text),
  principal: text.nullable(),
  positions: z.record(z.string(), idOrStart),
});

const line = z.discriminatedUnion("kind", [eventLine, sessionLine], {
  error: "a line of the kind event or session is expected",
});
export type Line = z.output<typeof line>;

const maybe = <T, R>(value: T | null, as: (value: T) => R): R | null =>
  value === null ? null : as(value);

/** An event as a line of an export. */
export function eventToLine(
  { at, imported_at = null, sent_at = null, ...event }: MovedEvent,
): Line {
  return {
    kind: "event",
    id: event.id,
    event_type: event.event_type,
    payload: event.payload,
    channel: event.channel,
    session_id: event.session_id,
    timestamp: iso(at),
    signal_level: event.signal_level,
    correlation_id: event.correlation_id,
    title: event.title,
    tags: [...event.tags],
    principal: event.principal,
    reply_to: event.reply_to,
    dedupe_key: event.dedupe_key,
    quiet: Boolean(event.quiet),
    origin: event.origin,
    origin_id: event.origin_id,
    imported_at: maybe(imported_at, iso),
    sent_at: maybe(sent_at, iso),
  };
}

/** A session as a line of an export. */
export function sessionToLine({ id, ...session }: MovedSession): Line {
  return {
    kind: "session",
    session_id: id,
    ...session,
    registered_at: iso(session.registered_at),
    last_seen: iso(session.last_seen),
    ended_at: maybe(session.ended_at, iso),
    wake_on: [...session.wake_on],
    positions: { ...session.positions },
  };
}

export interface Lines {
  readonly events: MovedEvent[];
  readonly sessions: MovedSession[];
}

/** What lines say. Throws naming the first that is damaged, counted from the number of the first. */
export function readLines(lines: readonly unknown[], first: number): Lines {
  const read: Lines = { events: [], sessions: [] };
  lines.forEach((raw, n) => {
    const parsed = line.safeParse(raw);
    if (!parsed.success) {
      throw new BusError(
        "invalid_argument",
        `Cannot import line ${first + n}: ${errorsOf(parsed.error)}`,
        { line: first + n },
      );
    }
    if (parsed.data.kind === "event") read.events.push(eventOfLine(parsed.data));
    else read.sessions.push(sessionOfLine(parsed.data));
  });
  return read;
}

function eventOfLine(
  { kind: _, timestamp, imported_at, sent_at, ...event }: z.output<typeof eventLine>,
) {
  return {
    ...event,
    at: Date.parse(timestamp),
    imported_at: maybe(imported_at, Date.parse),
    sent_at: maybe(sent_at, Date.parse),
  };
}

function sessionOfLine({ kind: _, session_id, ...session }: z.output<typeof sessionLine>) {
  return {
    ...session,
    id: session_id,
    registered_at: Date.parse(session.registered_at),
    last_seen: Date.parse(session.last_seen),
    ended_at: maybe(session.ended_at, Date.parse),
  };
}
