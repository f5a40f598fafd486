/** What an event is: one immutable entry of the log. */
import { BusError, quoted } from "./errors.ts";

/** Ordered: a reader that asks for `info` also gets `actionable`. */
export const SIGNAL_LEVELS = ["lifecycle", "info", "actionable"] as const;
export type SignalLevel = (typeof SIGNAL_LEVELS)[number];

export interface NewEvent {
  event_type: string;
  payload: string;
  channel: string;
  /** The sender's session id, or `anonymous`. */
  session_id: string;
  /** Epoch milliseconds, UTC. */
  at: number;
  signal_level: SignalLevel;
  correlation_id: string | null;
  title: string | null;
  tags: readonly string[];
  /** Who was calling, as the door found out; null for events older than that knowledge. */
  principal: string | null;
  /** The event that this one answers. */
  reply_to: number | null;
  dedupe_key: string | null;
  /** When its sender published it, if it had to wait for the bus. */
  sent_at?: number | null;
  /** Of a conversation that runs away: it interrupts nobody. */
  quiet?: boolean | number;
}

export interface Event extends NewEvent {
  /** Strictly increasing, never reused once committed. */
  id: number;
  /** When it was imported as history; null for what happened here. */
  imported_at?: number | null;
}

/** What an event has that says no more than it must. */
export const ABSENT = {
  correlation_id: null,
  title: null,
  tags: [],
  principal: null,
  reply_to: null,
  dedupe_key: null,
} as const;

/** The sender of an event that no session signed. */
export const ANONYMOUS = "anonymous";

/**
 * An event is a message, not a file: one page of a hundred should still fit into a model's context,
 * and a line of the log into a terminal.
 */
export const MAX_PAYLOAD_BYTES = 256 * 1024;
/** Types, titles, tags and threads are labels; they are indexed and shown on one line. */
export const MAX_LABEL_LENGTH = 200;
export const MAX_TAGS = 20;

const LIFECYCLE_TYPES = new Set([
  "session_registered",
  "session_unregistered",
  "ci_watching",
  "ci_rerun",
  "task_started",
  "parallel_work_started",
]);
const ACTIONABLE_TYPES = new Set(["help_needed", "blocker_found", "ci_failed", "error_broadcast"]);

/** The level of an event whose publisher named none: direct messages always ask for attention. */
export function deriveSignalLevel(eventType: string, channel: string): SignalLevel {
  if (channel.startsWith("session:")) return "actionable";
  if (LIFECYCLE_TYPES.has(eventType)) return "lifecycle";
  return ACTIONABLE_TYPES.has(eventType) ? "actionable" : "info";
}

/** Position of a level in the order, as it is stored. */
export function levelRank(level: SignalLevel): number {
  return SIGNAL_LEVELS.indexOf(level);
}

/**
 * No id is higher, and no log gets there by itself: what comes from elsewhere may say anything, and after
 * the highest number that is exact there would be no next one.
 */
export const MAX_EVENT_ID = 2 ** 48;

/** The cursor a caller sent, as an event id. Absent, `""` and `"0"` are the start of the log. */
export function parseCursor(cursor: string | null | undefined, tip: number): number {
  if (cursor === null || cursor === undefined || cursor === "") return 0;
  const id = /^[0-9]{1,16}$/.test(cursor) ? Number(cursor) : NaN;
  if (!(id <= tip)) {
    throw new BusError(
      "invalid_argument",
      `Cannot read from cursor ${quoted(cursor, 40)}: ` +
        `a cursor is an event id from 0 to ${tip}, the newest`,
      { tip: String(tip) },
    );
  }
  return id;
}
