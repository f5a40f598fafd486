/** Queries for what leaves one log whole and comes into another: events and the sessions behind them. */
import { type Event, levelRank } from "../event.ts";
import type { Session } from "../session.ts";
import { eventOf, type EventRow } from "./events.ts";
import type { Store } from "./open.ts";
import { type Consumer, consumersOf, type Position } from "./positions.ts";

/** The log that an event came from, and its id there; both null for one that was published here. */
interface Origin {
  origin: string | null;
  origin_id: number | null;
}

export type MovedEvent = Event & Origin;

/** What is kept of a session when it moves: who it is, not what it is doing. */
export type MovedSession =
  & Pick<
    Session,
    | "id"
    | "display_id"
    | "name"
    | "machine"
    | "cwd"
    | "repo"
    | "client_id"
    | "registered_at"
    | "last_seen"
    | "ended_at"
    | "end_reason"
    | "start_id"
    | "wake_on"
    | "principal"
  >
  & {
    /** Where its consumers stand, by name. */
    positions: Readonly<Record<string, number>>;
  };

export interface MovedPage<T> {
  readonly items: readonly T[];
  /** Where the next page begins; null when there is none. */
  readonly next: string | null;
}

/** No page looks at more rows than this, whatever it leaves out. */
const MAX_ROWS = 5000;
/** What an event weighs beside its payload, about. */
const ENVELOPE_BYTES = 500;

export interface Part {
  /** Exclusive: the id of an event or a session, `""` for the start. */
  readonly after: string;
  readonly limit: number;
  readonly maxBytes: number;
}

/** Events after an id through another, of a time or later; about `maxBytes`, never fewer than one. */
export function eventsToMove(
  store: Store,
  { after, limit, maxBytes }: Part,
  { through, since }: { through: number; since: number },
): MovedPage<MovedEvent> {
  // Ids may have gaps: the rows begin at the first that there is.
  const { first } = store.sql("SELECT min(id) AS first FROM event WHERE id > ?")
    .get(Number(after)) as { first: number | null };
  const end = Math.min(through, (first ?? through) + MAX_ROWS - 1);
  const rows = store.sql(
    "SELECT * FROM event WHERE id > ? AND id <= ? AND at >= ? ORDER BY id LIMIT ?",
  ).iterate(Number(after), end, since, limit);
  const items: MovedEvent[] = [];
  let bytes = 0;
  for (const row of rows) {
    const event = movedOf(row);
    bytes += event.payload.length + ENVELOPE_BYTES;
    if (items.length > 0 && bytes > maxBytes) return { items, next: String(items.at(-1)?.id) };
    items.push(event);
  }
  const last = items.length === limit ? items.at(-1)?.id ?? end : end;
  return { items, next: last < through ? String(last) : null };
}

/** Sessions after an id, living and ended. */
export function sessionsToMove(store: Store, { after, limit }: Part): MovedPage<MovedSession> {
  const rows = store.sql(
    `SELECT id, display_id, name, machine, cwd, repo, client_id, registered_at, last_seen, ended_at,
       end_reason, start_id, wake_on, principal FROM session WHERE id > ? ORDER BY id LIMIT ?`,
  ).all(after, limit) as unknown as (Omit<MovedSession, "wake_on"> & { wake_on: string | null })[];
  const items = rows.map((row) => ({
    ...row,
    wake_on: row.wake_on === null ? [] : JSON.parse(row.wake_on) as string[],
    positions: Object.fromEntries(
      consumersOf(store, row.id).map(({ name, event_id }: Consumer & Position) => [name, event_id]),
    ),
  }));
  return { items, next: items.length === limit ? items.at(-1)?.id ?? null : null };
}

/** What an event of another log may be here: the one with its id, or those imported under it. */
export function candidatesFor(store: Store, origin: string, originId: number): MovedEvent[] {
  return store.sql(
    `SELECT * FROM event WHERE id = ?2
     UNION ALL SELECT * FROM event WHERE origin = ?1 AND origin_id = ?2`,
  ).all(origin, originId).map(movedOf);
}

const movedOf = (row: unknown): MovedEvent => eventOf(row as EventRow & Origin);

/** Appends an event of another log, under `id` or else the next one, and answers it. Only inside a batch. */
export function insertMoved(
  store: Store,
  event: MovedEvent,
  id: number | null,
): number {
  const { lastInsertRowid } = store.sql(
    `INSERT INTO event
       (id, event_type, payload, channel, session_id, at, signal_level, correlation_id, title, tags,
        principal, reply_to, dedupe_key, quiet, origin, origin_id, imported_at,
        sent_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    id,
    event.event_type,
    event.payload,
    event.channel,
    event.session_id,
    event.at,
    levelRank(event.signal_level),
    event.correlation_id,
    event.title,
    event.tags.length === 0 ? null : JSON.stringify(event.tags),
    event.principal,
    event.reply_to,
    event.dedupe_key,
    event.quiet ? 1 : 0,
    event.origin,
    event.origin_id,
    event.imported_at ?? null,
    event.sent_at ?? null,
  );
  return Number(lastInsertRowid);
}

/** Keeps a session of another log. Only inside a batch, and only under ids that are free. */
export function insertMovedSession(store: Store, session: MovedSession): void {
  store.sql(
    `INSERT INTO session (id, display_id, name, machine, cwd, repo, client_id, registered_at,
                          last_seen, ended_at, end_reason, start_id, wake_on, principal)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    session.id,
    session.display_id,
    session.name,
    session.machine,
    session.cwd,
    session.repo,
    session.client_id,
    session.registered_at,
    session.last_seen,
    session.ended_at,
    session.end_reason,
    session.start_id,
    session.wake_on.length === 0 ? null : JSON.stringify(session.wake_on),
    session.principal,
  );
}
