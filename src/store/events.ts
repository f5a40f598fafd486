/** Queries of the log. Every one that runs per call walks an index and stops at a bound. */
import { type Event, levelRank, type NewEvent, SIGNAL_LEVELS } from "../event.ts";
import type { EventFilter, Shown, Urgency } from "../filter.ts";
import type { Store } from "./open.ts";

export interface Page {
  events: Event[];
  /** The id through which the log was looked at; `after` itself when there was nothing. */
  through: number;
  /** Whether looking further in the direction of the read may find more. */
  more: boolean;
}

/** No read looks at more rows than this: a filter that matches nothing must not stall the others. */
export const MAX_SCAN = 10_000;

/** Appends to the log and answers the id. Only inside a batch. */
export function insertEvent(store: Store, event: NewEvent): number {
  const { lastInsertRowid } = store.sql(
    `INSERT INTO event
       (event_type, payload, channel, session_id, at, signal_level, correlation_id, title, tags,
        principal, reply_to, dedupe_key, quiet, sent_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
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
    event.sent_at ?? null,
  );
  return Number(lastInsertRowid);
}

export function findEvent(store: Store, id: number): Event | null {
  const row = store.sql("SELECT * FROM event WHERE id = ?").get(id);
  return row === undefined ? null : eventOf(row as unknown as EventRow);
}

/**
 * The first event that a sender published with this key between two times, as it sent them; a session,
 * or a principal.
 */
export function findDuplicate(
  store: Store,
  key: string,
  sender: { session_id: string; principal: string | null },
  { since, before = Number.MAX_SAFE_INTEGER }: { since: number; before?: number | undefined },
): Event | null {
  // A name that anybody may sign with is another sender for each principal.
  const row = store.sql(
    `SELECT * FROM event WHERE dedupe_key = ? AND session_id = ?
       AND ifnull(sent_at, at) > ? AND ifnull(sent_at, at) < ?
       AND principal IS ifnull(?, principal) ORDER BY id LIMIT 1`,
  ).get(key, sender.session_id, since, before, sender.principal);
  return row === undefined ? null : eventOf(row as unknown as EventRow);
}

/** The newest id ever given out, 0 in an empty log; stays when the event itself is gone. */
export function tip(store: Store): number {
  const row = store.sql("SELECT seq FROM sqlite_sequence WHERE name = 'event'").get() as
    | { seq: number }
    | undefined;
  return row?.seq ?? 0;
}

/** How many events are kept: counted, because ids have gaps. About 20 ms for a million. */
export function countStored(store: Store): number {
  return (store.sql("SELECT count(*) AS n FROM event").get() as { n: number }).n;
}

/** Why there is no event of an id: none was given it so far, or it has left the log. */
export function whyAbsent(store: Store, id: number): string {
  return id > tip(store) ? "there is none" : "it is in the archive, or was never here";
}

/** What an event weighs beside its payload, about. */
const ENVELOPE_BYTES = 300;

/**
 * At most `limit` matching events after `after`, about `maxBytes` in all but never fewer than
 * one: the oldest in log order or, with `newest`, the latest, newest first. With `through`, none
 * beyond it.
 */
export function readEvents(
  store: Store,
  after: number,
  filter: EventFilter,
  page: { limit: number; maxBytes: number; newest?: boolean; through?: number },
): Page {
  const newest = page.newest ?? false;
  const end = Math.max(after, page.through ?? tip(store));
  const scan = scanOf(store, after, end, filter, newest);
  const rows = store.sql(
    `SELECT * FROM event WHERE ${scan.where} ORDER BY id ${newest ? "DESC" : "ASC"} LIMIT ?`,
  ).iterate(...scan.values, page.limit + 1);
  const events: Event[] = [];
  let bytes = 0;
  let full = false;
  for (const row of rows) {
    const event = eventOf(row as unknown as EventRow);
    bytes += event.payload.length + ENVELOPE_BYTES;
    full = events.length === page.limit || (events.length > 0 && bytes > page.maxBytes);
    if (full) break;
    events.push(event);
  }
  const through = newest ? end : full ? events.at(-1)?.id ?? after : scan.to;
  return { events, through, more: full || scan.cut };
}

/** How many matching events follow `after`, at most through another id; counted to `atMost`. */
export function countEvents(
  store: Store,
  after: number,
  filter: EventFilter,
  atMost: number,
  through = Math.max(after, tip(store)),
): number {
  const scan = scanOf(store, after, through, filter, false);
  const row = store.sql(
    `SELECT count(*) AS n FROM (SELECT 1 FROM event WHERE ${scan.where} ORDER BY id LIMIT ?)`,
  ).get(...scan.values, atMost);
  return (row as { n: number }).n;
}

interface Scan {
  where: string;
  values: (string | number)[];
  /** The last id, in log order, that the scan covers. */
  to: number;
  /** Whether the bound on rows cut it short of the end of the log (or of `after`, backwards). */
  cut: boolean;
}

/**
 * The rows to look at. An equality on channel, thread or a single type walks its index and every
 * row counts; whatever is checked row by row is bounded to MAX_SCAN rows.
 */
function scanOf(
  store: Store,
  after: number,
  end: number,
  filter: EventFilter,
  backwards: boolean,
): Scan {
  const { equal, checked } = conditionsOf(filter);

  // The first equality walks its index; a second one is checked on the rows that it finds.
  const [walked, ...rest] = equal;
  const walk = walked === undefined ? "" : `${walked[0]} = ? AND `;
  const conditions = [...rest.map(([column]) => `+${column} = ?`), ...checked.map(([c]) => c)];
  const range = { from: after, to: end };
  const isBounded = conditions.length > 0 && end - after > MAX_SCAN;
  const bound = isBounded ? lastScanned(store, walked, after, end, backwards) : null;
  if (bound !== null && backwards) range.from = bound - 1;
  else if (bound !== null) range.to = bound;
  return {
    where: [`${walk} id > ? AND id <= ?`, ...conditions].join(" AND "),
    values: [
      ...(walked === undefined ? [] : [walked[1]]),
      range.from,
      range.to,
      ...rest.map(([, value]) => value),
      ...checked.flatMap(([, ...values]) => values),
    ],
    to: range.to,
    cut: bound !== null,
  };
}

/** The id at which a scan of MAX_SCAN rows ends; null when there are not more than that. */
function lastScanned(
  store: Store,
  walked: [column: string, value: string] | undefined,
  after: number,
  end: number,
  backwards: boolean,
): number | null {
  const [walk, values] = walked === undefined ? ["", []] : [`${walked[0]} = ? AND`, [walked[1]]];
  // Along the log ids count the rows, or more than there are: the first one says where to stop.
  const offset = walked === undefined ? 0 : MAX_SCAN - 1;
  const row = store.sql(
    `SELECT id FROM event WHERE ${walk} id > ? AND id <= ?
     ORDER BY id ${backwards ? "DESC" : "ASC"} LIMIT 1 OFFSET ${offset}`,
  ).get(...values, after, end) as { id: number } | undefined;
  if (row === undefined) return null;
  if (walked !== undefined) return row.id;
  const last = backwards ? row.id - MAX_SCAN + 1 : row.id + MAX_SCAN - 1;
  return last > after && last < end ? last : null;
}

interface Conditions {
  /** What an index can walk. */
  equal: [column: string, value: string][];
  /** What is looked at row by row. */
  checked: [condition: string, ...values: (string | number)[]][];
}

/** A filter as conditions on rows of `event`. */
export function conditionsOf(filter: EventFilter): Conditions {
  const equal: Conditions["equal"] = [];
  const checked: Conditions["checked"] = [];
  if (filter.correlation_id !== undefined) equal.push(["correlation_id", filter.correlation_id]);
  if (filter.channel !== undefined) equal.push(["channel", filter.channel]);
  const [type, ...otherTypes] = filter.event_types ?? [];
  if (type !== undefined && otherTypes.length === 0) equal.push(["event_type", type]);
  else if (type !== undefined) checked.push([`+event_type IN ${LIST}`, json(filter.event_types)]);
  if (filter.channels !== undefined) {
    checked.push([`+channel IN ${LIST}`, json(filter.channels)]);
  }
  if (filter.channel_prefix !== undefined) {
    const { channel_prefix: prefix } = filter;
    checked.push(["substr(channel, 1, length(?)) = ?", prefix, prefix]);
  }
  if (filter.min_level !== undefined && filter.min_level !== "lifecycle") {
    checked.push(["signal_level >= ?", levelRank(filter.min_level)]);
  }
  if (filter.exclude_types !== undefined && filter.exclude_types.length > 0) {
    checked.push([`event_type NOT IN ${LIST}`, json(filter.exclude_types)]);
  }
  if (filter.not_from !== undefined) checked.push(["session_id <> ?", filter.not_from]);
  if (filter.not_to_others !== undefined) {
    checked.push(["(channel = ? OR substr(channel, 1, 8) <> 'session:')", filter.not_to_others]);
  }
  if (filter.not_imported === true) checked.push(["imported_at IS NULL"]);
  if (filter.urgent !== undefined) checked.push([URGENT, ...urgencyValues(filter.urgent)]);
  if (filter.shown !== undefined) checked.push(notShown(filter.shown));
  return { equal, checked };
}

/** `IS`, because a thread may be absent, and what is unknown would hide the event. */
function notShown({ from, through, filter }: Shown): Conditions["checked"][number] {
  const { equal, checked } = conditionsOf(filter);
  const conditions = [...equal.map(([column]) => `${column} IS ?`), ...checked.map(([c]) => c)];
  return [
    `NOT (${["id > ? AND id <= ?", ...conditions].join(" AND ")})`,
    from,
    through,
    ...equal.map(([, value]) => value),
    ...checked.flatMap(([, ...values]) => values),
  ];
}

/** A list bound as one JSON text, so that the statement is the same for lists of any length. */
const LIST = "(SELECT value FROM json_each(?))";

/** `+`, so that it is checked on the rows of the scan: by its indexes they would have to be sorted. */
const URGENT = `(quiet = 0 AND (+channel = ?
  OR (signal_level > ${levelRank("lifecycle")} AND +channel IN ${LIST})
  OR (signal_level = ${levelRank("actionable")} AND +channel IN ${LIST})))`;

const urgencyValues = ({ direct, channels, wake_on = [] }: Urgency): string[] => [
  direct,
  json(wake_on),
  json(channels),
];

const json = (values: readonly string[] | undefined): string => JSON.stringify(values);

/** An event as its row has it. */
export type EventRow = Omit<Event, "signal_level" | "tags"> & {
  signal_level: number;
  tags: string | null;
};

/** The event of a row; what the row has beside it comes along. */
export function eventOf<R extends EventRow>(row: R): Omit<R, "signal_level" | "tags"> & Event {
  return {
    ...row,
    signal_level: SIGNAL_LEVELS[row.signal_level] ?? "info",
    tags: row.tags === null ? [] : JSON.parse(row.tags) as string[],
  };
}
