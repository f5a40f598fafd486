/**
 * The words of the log. Their index follows the log as a consumer with a position of its own: filled in
 * batches, it costs a thirtieth of what it would cost each publish.
 */
import type { EventFilter } from "../filter.ts";
import { conditionsOf, tip } from "./events.ts";
import type { Store } from "./open.ts";
import { type Consumer, findPosition, setPosition } from "./positions.ts";
import { startThread } from "./thread.ts";

/** Whose position says how far the words are known; no principal's name begins with a colon. */
export const INDEXER: Consumer = { session_id: "", principal: ":search", name: "words" };

/** About 10 ms of work in one transaction, however long the payloads are. */
const MAX_INDEXED = 1000;
const MAX_INDEXED_BYTES = 1024 * 1024;

/**
 * Common words are in most events, and each one that is ranked costs. What is older than this many
 * that match is not looked at.
 */
export const MAX_MATCHES = 5000;

/**
 * From so many events on a thread searches, for everybody else would wait: to rank a common word
 * means to count all that have it. Up to here it takes some milliseconds.
 */
export const MANY_EVENTS = 20_000;

/** Nothing is handed over on the way. */
const UNMOVED = { path: null, span_from: null, span_filter: null };

/** How far the words of the log are known. */
export function indexedThrough(store: Store): number {
  return findPosition(store, INDEXER)?.event_id ?? 0;
}

/** Whether anybody but the index, and but sessions, has a position in the log, or is about to. */
export function isFollowed(store: Store): boolean {
  return store.sql(
    `SELECT 1 FROM webhook UNION ALL
     SELECT 1 FROM position WHERE session_id = '' AND principal <> ? LIMIT 1`,
  ).get(INDEXER.principal) !== undefined;
}

/** Learns the words of the next events, through the end of the log or a part of it. Only inside a batch. */
export function indexSome(store: Store, now: number): void {
  const from = indexedThrough(store);
  const through = endOfPart(store, from);
  store.sql(
    `INSERT INTO event_words (rowid, title, event_type, tags, payload)
     SELECT id, title, event_type, tags, payload FROM event WHERE id > ? AND id <= ? ORDER BY id`,
  ).run(from, through);
  setPosition(store, INDEXER, { event_id: through, moved_at: now, ...UNMOVED });
}

function endOfPart(store: Store, from: number): number {
  const sizes = store.sql(
    "SELECT id, octet_length(payload) AS bytes FROM event WHERE id > ? ORDER BY id LIMIT ?",
  ).iterate(from, MAX_INDEXED);
  let through = from;
  let count = 0;
  let bytes = 0;
  for (const { id, bytes: more } of sizes as Iterable<{ id: number; bytes: number }>) {
    bytes += more;
    if (count > 0 && bytes > MAX_INDEXED_BYTES) return through;
    through = id;
    count++;
  }
  // The last ones given out may be gone already.
  return count < MAX_INDEXED ? Math.max(from, tip(store)) : through;
}

/**
 * Forgets the words of the events through an id. Only inside the batch that deletes those events, and
 * before it does: the index is told the very words that it learned. One that knows them no more, as a
 * damaged one or after an event was changed by hand, starts over: it is never a reason to keep events.
 */
export function unindex(store: Store, through: number, now: number): void {
  try {
    store.sql(
      `INSERT INTO event_words (event_words, rowid, title, event_type, tags, payload)
       SELECT 'delete', id, title, event_type, tags, payload FROM event WHERE id <= ?`,
    ).run(Math.min(through, indexedThrough(store)));
  } catch {
    forgetWords(store, now);
  }
}

/** Empties the index, to be learned anew from the log. Only inside a batch. */
export function forgetWords(store: Store, now: number): void {
  store.sql("INSERT INTO event_words (event_words) VALUES ('delete-all')").run();
  setPosition(store, INDEXER, { event_id: 0, moved_at: now, ...UNMOVED });
}

export interface Sought {
  /** In the language of the index; made by the rules, never a caller's own. */
  readonly match: string;
  readonly filter: EventFilter;
  readonly sender?: string | undefined;
  /** Epoch milliseconds. */
  readonly since?: number | undefined;
  readonly limit: number;
}

/** The weight of a hit in the title, the type, the tags and the payload. */
const WEIGHTS = "4.0, 2.0, 2.0, 1.0";

/** The ids of the best matches first; `cut` tells that older ones were not looked at. */
export interface Matches {
  readonly ids: readonly number[];
  readonly cut: boolean;
}

/** The search that a store's thread is at; one thread is enough for everybody. */
const underWay = new WeakMap<Store, Promise<unknown>>();

/** Finds what matches, and holds nobody up meanwhile, however large the log is. */
export async function findWords(store: Store, sought: Sought): Promise<Matches> {
  if (store.path === ":memory:" || indexedThrough(store) < MANY_EVENTS) {
    return bestMatches(store.sql, sought);
  }
  const before = underWay.get(store);
  const finding = inThread(store.path, sought, before);
  underWay.set(store, finding.catch(() => {}));
  return await finding;
}

async function inThread(path: string, sought: Sought, before?: Promise<unknown>): Promise<Matches> {
  await before;
  const { url } = await import("./search_thread.ts");
  const thread = startThread(url);
  try {
    return await thread.ask<Matches>("find", path, sought);
  } finally {
    thread.end();
  }
}

/** What `findWords` finds, at once, by whatever prepares a statement. */
export function bestMatches(sql: Store["sql"], sought: Sought): Matches {
  const { equal, checked } = conditionsOf(sought.filter);
  const conditions = [
    ...equal.map(([column]) => `+event.${column} = ?`),
    ...checked.map(([condition]) => condition),
    ...(sought.sender === undefined ? [] : ["event.session_id = ?"]),
    ...(sought.since === undefined ? [] : ["event.at >= ?"]),
  ];
  const values = [
    ...equal.map(([, value]) => value),
    ...checked.flatMap(([, ...bound]) => bound),
    ...[sought.sender, sought.since].filter((value) => value !== undefined),
  ];
  const rows = sql(
    `SELECT event.id FROM (
       SELECT rowid AS found, bm25(event_words, ${WEIGHTS}) AS rank FROM event_words
       WHERE event_words MATCH ? ORDER BY rowid DESC LIMIT ${MAX_MATCHES}
     ) CROSS JOIN event ON event.id = found ${conditions.length === 0 ? "" : "WHERE "}${
      conditions.join(" AND ")
    } ORDER BY rank, event.id DESC LIMIT ?`,
  ).all(sought.match, ...values, sought.limit);
  const last = sql(
    "SELECT 1 FROM event_words WHERE event_words MATCH ? ORDER BY rowid DESC LIMIT 1 OFFSET ?",
  ).get(sought.match, MAX_MATCHES);
  // Found first, fetched later: what is only looked at is not carried through the sorting.
  return { ids: rows.map((row) => (row as { id: number }).id), cut: last !== undefined };
}
