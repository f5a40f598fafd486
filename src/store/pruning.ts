/** Queries of pruning: what is old, who holds it, and what goes with it. Each is bounded. */
import type { Event } from "../event.ts";
import { eventOf, type EventRow, tip } from "./events.ts";
import type { Store } from "./open.ts";
import type { Consumer } from "./positions.ts";
import { unindex } from "./search.ts";

/** The oldest events after an id, at most `limit` and about `maxBytes`, but never none. */
export function oldestEvents(
  store: Store,
  after: number,
  { limit, maxBytes }: { limit: number; maxBytes: number },
): Event[] {
  const rows = store.sql("SELECT * FROM event WHERE id > ? ORDER BY id LIMIT ?")
    .iterate(after, limit);
  const events: Event[] = [];
  let bytes = 0;
  for (const row of rows) {
    const event = eventOf(row as unknown as EventRow);
    bytes += event.payload.length;
    if (events.length > 0 && bytes > maxBytes) break;
    events.push(event);
  }
  return events;
}

/** When the first event after an id was published; null when it is the last. */
export function dateAfter(store: Store, after: number): number | null {
  const row = store.sql("SELECT at FROM event WHERE id > ? ORDER BY id LIMIT 1").get(after);
  return (row as { at: number } | undefined)?.at ?? null;
}

/** When the first event after an id was published that is not dated later than `now`. */
export function nextDate(store: Store, after: number, now: number): number | null {
  const row = store.sql("SELECT at FROM event WHERE id > ? AND at <= ? ORDER BY id LIMIT 1")
    .get(after, now);
  return (row as { at: number } | undefined)?.at ?? null;
}

/** How many events there are through an id. */
export function countThrough(store: Store, through: number): number {
  const row = store.sql("SELECT count(*) AS n FROM event WHERE id <= ?").get(through);
  return (row as { n: number }).n;
}

/** The consumers behind an id that have moved since a time: those that somebody named, of whomever. */
export function movingConsumers(
  store: Store,
  behind: number,
  since: number,
): (Consumer & { event_id: number })[] {
  return store.sql(
    `SELECT session_id, principal, consumer AS name, event_id FROM position
     WHERE event_id < ? AND moved_at >= ? AND consumer NOT IN ('main', 'urgent')
       AND principal NOT LIKE ':%'`,
  ).all(behind, since) as unknown as (Consumer & { event_id: number })[];
}

/** Deletes the events through an id, and their words. Only inside a batch. */
export function deleteEvents(store: Store, through: number, now: number): void {
  unindex(store, through, now);
  store.sql("DELETE FROM event WHERE id <= ?").run(through);
}

/**
 * Deletes the record's rows that span only events through an id and were written before a time. By
 * time, because that is what an index knows: a late reader's rows go with later events. Only inside a
 * batch.
 */
export function deleteDeliveries(
  store: Store,
  { through, before, atMost }: { through: number; before: number; atMost: number },
): void {
  store.sql(
    `DELETE FROM delivery WHERE id IN (
       SELECT id FROM delivery WHERE at < ? AND max(from_id, through_id) <= ? ORDER BY at LIMIT ?)`,
  ).run(before, through, atMost);
}

/**
 * Sessions that ended before a time, that no message waits for and that have no event after an id, at
 * most so many.
 */
export function forgettable(
  store: Store,
  { endedBefore, through, atMost }: { endedBefore: number; through: number; atMost: number },
): string[] {
  return store.sql(
    `SELECT id FROM session WHERE ended_at < ? AND last_event_id <= ?
       AND NOT EXISTS (SELECT 1 FROM event WHERE channel = 'session:' || session.id) LIMIT ?`,
  ).all(endedBefore, through, atMost).map((row) => (row as { id: string }).id);
}

/** Gives the ended of whom that is not known a last event: the last of all. Only inside a batch. */
export function closeUnknown(store: Store): void {
  store.sql("UPDATE session SET last_event_id = ? WHERE ended_at < ? AND last_event_id IS NULL")
    .run(tip(store), Number.MAX_SAFE_INTEGER);
}

/** Deletes a session, its consumers and their record. Only inside a batch. */
export function deleteSession(store: Store, id: string): void {
  store.sql("DELETE FROM delivery WHERE session_id = ?").run(id);
  store.sql("DELETE FROM position WHERE session_id = ?").run(id);
  store.sql("DELETE FROM session WHERE id = ?").run(id);
}

/** Gives back a part of what is free in the file: as much as takes a moment. Only inside a batch. */
export function giveBack(store: Store): void {
  store.sql("PRAGMA incremental_vacuum(256)").all();
}
