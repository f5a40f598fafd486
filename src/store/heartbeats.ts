/**
 * When each session was last heard. Kept in memory and written only along with somebody's
 * transaction, or once a minute: a poll that finds nothing costs no write.
 */
import type { Transaction } from "./batch.ts";
import type { Store } from "./open.ts";
import { setLastSeen } from "./sessions.ts";

/** Session id to epoch milliseconds; what is not yet in the database. */
export type Heartbeats = Map<string, number>;

/** Writes what is pending into the open transaction; forgets it when that has committed. */
export function writeHeartbeats(store: Store, transaction: Transaction): void {
  const pending = [...store.heartbeats];
  for (const [id, at] of pending) setLastSeen(store, id, at);
  transaction.afterCommit(() => {
    for (const [id, at] of pending) {
      if (store.heartbeats.get(id) === at) store.heartbeats.delete(id);
    }
  });
}
