/** What came out of spools, remembered longer than any event has to stay in the log. */
import type { Store } from "./open.ts";

export interface SpooledKey {
  readonly dedupe_key: string;
  readonly session_id: string;
  readonly sent_at: number;
}

/** The event as which a spooled one came before; null when it is new. */
export function findSpooled(store: Store, key: SpooledKey): number | null {
  const row = store.sql(
    "SELECT event_id FROM spooled WHERE dedupe_key = ? AND session_id = ? AND sent_at = ?",
  ).get(key.dedupe_key, key.session_id, key.sent_at);
  return (row as { event_id: number } | undefined)?.event_id ?? null;
}

/**
 * Remembers that a spooled event came, and forgets those that came before a time. Only inside a
 * batch.
 */
export function rememberSpooled(
  store: Store,
  key: SpooledKey,
  came: { id: number; at: number; forgetBefore: number },
): void {
  store.sql("DELETE FROM spooled WHERE at < ?").run(came.forgetBefore);
  store.sql(
    `INSERT INTO spooled (dedupe_key, session_id, sent_at, event_id, at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  ).run(key.dedupe_key, key.session_id, key.sent_at, came.id, came.at);
}
