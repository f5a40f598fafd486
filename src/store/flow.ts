/** Queries about what was said lately on one channel; each looks at a few rows of its index. */
import type { NewEvent } from "../event.ts";
import type { Store } from "./open.ts";

/** Further back on a channel nobody looks for the same message. */
const MAX_LOOK = 500;

/** The latest events of the same text from the same sender since a time, newest first, at most `atMost`. */
export function latestAlike(
  store: Store,
  { event_type, payload, channel, session_id }: Pick<
    NewEvent,
    "event_type" | "payload" | "channel" | "session_id"
  >,
  since: number,
  atMost: number,
): number[] {
  const rows = store.sql(
    `SELECT id FROM (
       SELECT id, event_type, payload, session_id, at FROM event
       WHERE channel = ? ORDER BY id DESC LIMIT ${MAX_LOOK})
     WHERE session_id = ? AND event_type = ? AND at > ? AND payload = ? LIMIT ?`,
  ).all(channel, session_id, event_type, since, payload, atMost);
  return (rows as { id: number }[]).map(({ id }) => id);
}

/** How many of the last events of a channel a session sent since a time, counted to `atMost`. */
export function countFrom(
  store: Store,
  channel: string,
  sessionId: string,
  since: number,
  atMost: number,
): number {
  const row = store.sql(
    `SELECT count(*) AS n FROM (
       SELECT 1 FROM (
         SELECT session_id, at FROM event WHERE channel = ? ORDER BY id DESC LIMIT ${MAX_LOOK})
       WHERE session_id = ? AND at > ? LIMIT ?)`,
  ).get(channel, sessionId, since, atMost);
  return (row as { n: number }).n;
}
