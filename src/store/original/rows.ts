/** The original's rows as ours. Nothing in a row, however odd, may make the upgrade fail. */
import type { DatabaseSync } from "node:sqlite";
import { deriveSignalLevel, levelRank, SIGNAL_LEVELS, type SignalLevel } from "../../event.ts";
import { convertSessions } from "./sessions.ts";
import { column, originalTime, type Source } from "./source.ts";

export interface Counts {
  readonly events: number;
  readonly sessions: number;
  readonly webhooks: number;
}

/** Fills our empty tables from the original's, inside the caller's transaction. */
export function convertRows(db: DatabaseSync, source: Source): Counts {
  const events = convertEvents(db, source);
  const tip = continueSequence(db, "event", source.sequence("events"));
  const sessions = convertSessions(db, source, tip);
  const webhooks = convertWebhooks(db, source);
  continueSequence(db, "webhook", source.sequence("webhooks"));
  return { events, sessions, webhooks };
}

/** A million rows never pass through our memory: SQLite copies them, and asks us what to make of them. */
function convertEvents(db: DatabaseSync, source: Source): number {
  const columns = source.columns("events");
  const channel = column(columns, "channel", "'all'");
  const meta = column(columns, "payload_meta");
  let last = firstTime(db) ?? source.now;
  db.function("original_at", (text) => last = originalTime(text as string | null) ?? last);
  db.function(
    "original_level",
    (type, channel, meta) =>
      levelRank(
        metaOf(meta as string | null).level ?? deriveSignalLevel(type as string, channel as string),
      ),
  );
  db.function("original_title", (meta) => metaOf(meta as string | null).title);
  db.function("original_tags", (meta) => metaOf(meta as string | null).tags);
  const { changes } = db.prepare(
    `INSERT INTO event
       (id, event_type, payload, channel, session_id, at, signal_level, correlation_id, title, tags)
     SELECT id, CAST(event_type AS TEXT), CAST(payload AS TEXT), ${channel},
       CAST(session_id AS TEXT), original_at(CAST(timestamp AS TEXT)),
       original_level(CAST(event_type AS TEXT), ${channel}, ${meta}),
       nullif(${column(columns, "correlation_id")}, ''),
       original_title(${meta}), original_tags(${meta})
     FROM original_events ORDER BY id`,
  ).run();
  return Number(changes);
}

/** The time of the first event that has one; events before it happened no later. */
function firstTime(db: DatabaseSync): number | null {
  const times = db.prepare("SELECT CAST(timestamp AS TEXT) AS t FROM original_events ORDER BY id");
  for (const row of times.iterate()) {
    const at = originalTime((row as { t: string | null }).t);
    if (at !== null) return at;
  }
  return null;
}

interface Meta {
  level: SignalLevel | undefined;
  title: string | null;
  /** A JSON array. */
  tags: string | null;
}

const NO_META: Meta = { level: undefined, title: null, tags: null };

/** The optional fields that schema 4 added in one JSON object; what cannot be read says nothing. */
function metaOf(text: string | null): Meta {
  if (text === null) return NO_META;
  let meta: unknown;
  try {
    meta = JSON.parse(text);
  } catch {
    return NO_META;
  }
  if (typeof meta !== "object" || meta === null) return NO_META;
  const { title, tags, signal_level } = meta as Record<string, unknown>;
  const named = Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
  return {
    level: SIGNAL_LEVELS.find((level) => level === signal_level),
    title: typeof title === "string" && title !== "" ? title : null,
    tags: named.length === 0 ? null : JSON.stringify(named),
  };
}

interface OldWebhook {
  id: number;
  url: string;
  channel: string | null;
  types: string | null;
  created_at: string | null;
  active: number;
  secret: string | null;
}

function convertWebhooks(db: DatabaseSync, source: Source): number {
  const columns = source.columns("webhooks");
  if (!columns.has("id") || !columns.has("url")) return 0;
  const insert = db.prepare(
    `INSERT INTO webhook (id, url, channel, event_types, secret, active, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const webhooks = db.prepare(
    `SELECT id, CAST(url AS TEXT) AS url, nullif(${
      column(columns, "channel_filter")
    }, '') AS channel,
       ${column(columns, "event_types")} AS types, ${column(columns, "created_at")} AS created_at,
       ${columns.has("active") ? "coalesce(active, 1) <> 0" : "1"} AS active,
       nullif(${column(columns, "secret")}, '') AS secret
     FROM original_webhooks ORDER BY id`,
  ).all() as unknown as OldWebhook[];
  let last = source.now;
  for (const webhook of webhooks) {
    last = originalTime(webhook.created_at) ?? last;
    insert.run(
      webhook.id,
      webhook.url,
      channelFilter(webhook.channel),
      typesFilter(webhook.types),
      webhook.secret,
      webhook.active,
      last,
    );
  }
  return webhooks.length;
}

/** The original's filters were prefixes. `repo:` was meant as one, `repo:name` never was. */
function channelFilter(filter: string | null): string | null {
  return filter !== null && filter.endsWith(":") ? `${filter}*` : filter;
}

function typesFilter(joined: string | null): string | null {
  const types = (joined ?? "").split(",").map((type) => type.trim()).filter((type) => type !== "");
  return types.length === 0 ? null : JSON.stringify(types);
}

/** An id is never given out twice, also when the rows that had the highest ones are gone. */
function continueSequence(db: DatabaseSync, table: string, seq: number): number {
  const sequence = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = ?");
  const mine = sequence.get(table) as { seq: number } | undefined;
  if (mine === undefined) {
    if (seq > 0) {
      db.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)").run(table, seq);
    }
  } else if (seq > mine.seq) {
    db.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = ?").run(seq, table);
  }
  return Math.max(seq, mine?.seq ?? 0);
}
