/** The record: one row for each move of a position, so that nobody has to guess what reached whom. */
import type { Store } from "./open.ts";
import type { Consumer } from "./positions.ts";

export interface Delivery {
  /** The consumer was moved from here, exclusive, … */
  readonly from_id: number;
  /** … to here, inclusive; below `from_id` for a rewind. */
  readonly through_id: number;
  /** JSON of the filter that decided what was handed over. */
  readonly filter: string;
  readonly path: string;
  readonly at: number;
  readonly count: number;
}

/** Writes down a move. Only inside the batch that makes it. */
export function insertDelivery(store: Store, consumer: Consumer, delivery: Delivery): void {
  store.sql(
    `INSERT INTO delivery
       (session_id, principal, consumer, from_id, through_id, filter, path, at, count)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    consumer.session_id,
    consumer.principal,
    consumer.name,
    delivery.from_id,
    delivery.through_id,
    delivery.filter,
    delivery.path,
    delivery.at,
    delivery.count,
  );
}

/** The moves of a consumer over an event, the first in time first. */
export function deliveriesOf(store: Store, consumer: Consumer, eventId: number): Delivery[] {
  return store.sql(
    `SELECT from_id, through_id, filter, path, at, count FROM delivery
     WHERE session_id = ? AND principal = ? AND consumer = ? AND through_id >= ? AND from_id < ?
     ORDER BY id`,
  ).all(
    consumer.session_id,
    consumer.principal,
    consumer.name,
    eventId,
    eventId,
  ) as unknown as Delivery[];
}

/** The latest moves since a time that handed something over, at most `limit`, newest first. */
export function recentDeliveries(store: Store, since: number, limit: number): Delivery[] {
  return store.sql(
    `SELECT from_id, through_id, filter, path, at, count FROM delivery
     WHERE at >= ? AND count > 0 ORDER BY at DESC LIMIT ?`,
  ).all(since, limit) as unknown as Delivery[];
}

/** When each path last moved a position of a session. */
export function lastMovesOf(store: Store, sessionId: string): { path: string; at: number }[] {
  return store.sql(
    "SELECT path, max(at) AS at FROM delivery WHERE session_id = ? GROUP BY path",
  ).all(sessionId) as { path: string; at: number }[];
}
