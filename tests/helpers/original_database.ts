/** Builds databases as the original's versions left them, from what is published about its schemas. */
import { DatabaseSync } from "node:sqlite";

export type OriginalVersion = 1 | 2 | 3 | 4 | 5;

export interface OldSession {
  id: string | null;
  display_id?: string | null;
  name?: string;
  machine?: string;
  cwd?: string;
  repo?: string;
  registered_at?: string;
  last_heartbeat?: string;
  client_id?: string | null;
  last_cursor?: string | null;
  deleted_at?: string | null;
}

export interface OldEvent {
  id?: number;
  event_type?: string;
  payload?: string;
  session_id?: string;
  timestamp?: string;
  channel?: string;
  correlation_id?: string | null;
  payload_meta?: string | null;
}

export interface OldWebhook {
  url: string;
  channel_filter?: string | null;
  event_types?: string | null;
  created_at?: string;
  active?: number;
  secret?: string | null;
}

/**
 * A new database of the original at `path`, open for `add…` and more. Schema 1 has no display ids
 * and no ends; one that was upgraded from it allows absent display ids, so all of them do here.
 */
export function createOriginal(path: string, version: OriginalVersion): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec(`
    CREATE TABLE schema_version (version INTEGER PRIMARY KEY);
    INSERT INTO schema_version VALUES (${version});
    CREATE TABLE sessions (
      id TEXT PRIMARY KEY, ${version >= 2 ? "display_id TEXT," : ""}
      name TEXT NOT NULL, machine TEXT NOT NULL, cwd TEXT NOT NULL, repo TEXT NOT NULL,
      registered_at TIMESTAMP NOT NULL, last_heartbeat TIMESTAMP NOT NULL, client_id TEXT
      ${version >= 2 ? ", last_cursor TEXT, deleted_at TIMESTAMP" : ""});
    CREATE TABLE events (
      id INTEGER PRIMARY KEY AUTOINCREMENT, event_type TEXT NOT NULL, payload TEXT NOT NULL,
      session_id TEXT NOT NULL, timestamp TIMESTAMP NOT NULL
      ${version >= 2 ? ", channel TEXT NOT NULL DEFAULT 'all'" : ""}
      ${version >= 4 ? ", correlation_id TEXT, payload_meta TEXT" : ""});
    CREATE INDEX idx_events_id ON events(id);
    CREATE INDEX idx_sessions_heartbeat ON sessions(last_heartbeat);
    CREATE INDEX idx_sessions_dedup ON sessions(machine, client_id);`);
  if (version >= 3) {
    db.exec(`CREATE TABLE webhooks (
      id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT NOT NULL, channel_filter TEXT,
      event_types TEXT, created_at TIMESTAMP NOT NULL, active INTEGER NOT NULL DEFAULT 1,
      secret TEXT)`);
  }
  if (version >= 4) db.exec("CREATE INDEX idx_events_correlation ON events(correlation_id)");
  return db;
}

const AT = "2026-01-09T12:00:00.000000";

export function addSession(db: DatabaseSync, session: OldSession): void {
  add(db, "sessions", {
    name: "a name",
    machine: "mac",
    cwd: "/src/project",
    repo: "project",
    registered_at: AT,
    last_heartbeat: AT,
    ...session,
  });
}

export function addEvent(db: DatabaseSync, event: OldEvent = {}): void {
  add(db, "events", {
    event_type: "note",
    payload: "said",
    session_id: "anonymous",
    timestamp: AT,
    ...event,
  });
}

export function addWebhook(db: DatabaseSync, webhook: OldWebhook): void {
  add(db, "webhooks", { created_at: AT, ...webhook });
}

/** A small life in one database: what every version has, and what this one has beside it. */
export function fillOriginal(db: DatabaseSync, version: OriginalVersion): void {
  const since2 = (fields: object) => version >= 2 ? fields : {};
  const since4 = (fields: object) => version >= 4 ? fields : {};
  addSession(db, {
    id: version === 1 ? "brave-otter" : "c-1",
    name: "feature",
    client_id: "c-1",
    registered_at: "2026-01-09T10:00:00.000001",
    last_heartbeat: "2026-01-09T12:30:00",
    ...since2({ display_id: "brave-otter", last_cursor: "3" }),
  });
  addSession(db, {
    id: version === 1 ? "calm-newt" : "0f8b6f6e-9d2c-4a54-8f39-3f1f2d1e0c11",
    name: "überarbeitung 🦦",
    registered_at: "2026-01-09 10:05:00.123",
    last_heartbeat: "2026-01-09T10:06:00.5",
    ...since2({ display_id: "calm-newt", deleted_at: "2026-01-09T11:00:00.999999" }),
  });
  addEvent(db, {
    event_type: "session_registered",
    session_id: "brave-otter",
    timestamp: "2026-01-09T10:00:00.000001",
  });
  addEvent(db, { payload: 'line\n"quoted" ünï 🦦', timestamp: "2026-01-09T10:01:02.345678" });
  addEvent(db, {
    event_type: "help_needed",
    payload: "",
    session_id: version === 1 ? "calm-newt" : "0f8b6f6e-9d2c-4a54-8f39-3f1f2d1e0c11",
    timestamp: "2026-07-09T10:02:00",
    ...since2({ channel: "repo:project" }),
    ...since4({
      correlation_id: "thread-1",
      payload_meta: '{"title": "Help", "tags": ["a", "b,c"], "signal_level": "info"}',
    }),
  });
  addEvent(db, { ...since2({ channel: "session:brave-otter" }), id: 40 });
  if (version >= 3) {
    addWebhook(db, { url: "http://a/", channel_filter: "repo:", event_types: "x, y" });
    addWebhook(db, { url: "http://b/", channel_filter: "repo:foo", active: 0, secret: "s3cret" });
  }
}

function add(db: DatabaseSync, table: string, fields: object): void {
  const entries = Object.entries(fields);
  db.prepare(
    `INSERT INTO ${table} (${entries.map(([name]) => name).join()})
     VALUES (${entries.map(() => "?").join()})`,
  ).run(...entries.map(([, value]) => value));
}
