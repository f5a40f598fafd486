/** How far each named consumer of a session has read. */
import type { Store } from "./open.ts";

/** The id through which a consumer has read, or null when it has no position. */
export function findPosition(store: Store, sessionId: string, consumer: string): number | null {
  const row = store.sql("SELECT event_id FROM position WHERE session_id = ? AND consumer = ?")
    .get(sessionId, consumer) as { event_id: number } | undefined;
  return row?.event_id ?? null;
}

/** Sets a position; the rules decide which direction is allowed. Only inside a batch. */
export function setPosition(
  store: Store,
  sessionId: string,
  consumer: string,
  eventId: number,
  at: number,
): void {
  store.sql(
    `INSERT INTO position (session_id, consumer, event_id, moved_at) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET event_id = excluded.event_id, moved_at = excluded.moved_at`,
  ).run(sessionId, consumer, eventId, at);
}
