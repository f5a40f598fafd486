/** How far each consumer has read; the record of its moves is in `deliveries.ts`. */
import type { Store } from "./open.ts";

/** Whose consumer it is: a session's, or without a session a principal's. The other is empty. */
export interface Consumer {
  readonly session_id: string;
  readonly principal: string;
  readonly name: string;
}

export interface Position {
  /** Read through this id, inclusive. */
  readonly event_id: number;
  readonly moved_at: number;
  /** How it was last moved; null when it only was set to its start. */
  readonly path: string | null;
  /** From here, exclusive, it has read with one filter; null when nothing was handed over. */
  readonly span_from: number | null;
  /** JSON of that filter. */
  readonly span_filter: string | null;
}

/** Where a consumer stands, or null when it has never read. */
export function findPosition(store: Store, consumer: Consumer): Position | null {
  const row = store.sql(
    `SELECT event_id, moved_at, path, span_from, span_filter FROM position
     WHERE session_id = ? AND principal = ? AND consumer = ?`,
  ).get(consumer.session_id, consumer.principal, consumer.name);
  return (row ?? null) as Position | null;
}

/** Sets a position; the rules decide which direction is allowed. Only inside a batch. */
export function setPosition(store: Store, consumer: Consumer, position: Position): void {
  store.sql(
    `INSERT INTO position
       (session_id, principal, consumer, event_id, moved_at, path, span_from, span_filter)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET event_id = excluded.event_id, moved_at = excluded.moved_at,
       path = excluded.path, span_from = excluded.span_from, span_filter = excluded.span_filter`,
  ).run(
    consumer.session_id,
    consumer.principal,
    consumer.name,
    position.event_id,
    position.moved_at,
    position.path,
    position.span_from,
    position.span_filter,
  );
}

/** Forgets a consumer, its record included. */
export function removeConsumer(store: Store, consumer: Consumer): void {
  const key = [consumer.session_id, consumer.principal, consumer.name];
  for (const table of ["position", "delivery"] as const) {
    store.sql(`DELETE FROM ${table} WHERE session_id = ? AND principal = ? AND consumer = ?`)
      .run(...key);
  }
}

/** The consumers of a session, or of all principals (`""`). */
export function consumersOf(store: Store, sessionId: string): (Consumer & Position)[] {
  return store.sql(
    `SELECT session_id, principal, consumer AS name, event_id, moved_at, path, span_from,
       span_filter FROM position WHERE session_id = ?`,
  ).all(sessionId) as unknown as (Consumer & Position)[];
}
