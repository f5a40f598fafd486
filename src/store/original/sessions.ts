/** The original's sessions as ours: who is who, under which names, and how far each has read. */
import type { DatabaseSync } from "node:sqlite";
import { ANONYMOUS } from "../../event.ts";
import { freshDisplayId, type Presence, type Session } from "../../session.ts";
import { column, originalTime, type Source } from "./source.ts";

interface OldSession {
  id: string | null;
  display_id: string | null;
  name: string;
  machine: string;
  cwd: string;
  repo: string;
  client_id: string | null;
  registered_at: string | null;
  last_heartbeat: string | null;
  deleted_at: string | null;
  last_cursor: string | null;
}

/** A session under way from the original to us. */
interface Moving extends
  Omit<
    Session,
    keyof Presence | "start_id" | "pid" | "pid_start" | "wake_on" | "prompted_at" | "principal"
  > {
  old: OldSession;
}

/**
 * Carries over all sessions with a position each, inside the caller's transaction and after the
 * events. Answers how many.
 */
export function convertSessions(db: DatabaseSync, source: Source, tip: number): number {
  const columns = source.columns("sessions");
  const sessions = readOld(db, columns).map((old) => moving(old, source.now)).sort(byRank);
  if (!columns.has("display_id")) giveClientIds(sessions);
  settleAnonymous(sessions);
  settleDisplayIds(sessions);

  const registered = registrations(db);
  const insert = db.prepare(
    `INSERT INTO session (id, display_id, name, machine, cwd, repo, client_id,
                          registered_at, last_seen, ended_at, end_reason, start_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const place = db.prepare(
    "INSERT INTO position (session_id, consumer, event_id, moved_at) VALUES (?, 'main', ?, ?)",
  );
  for (const s of sessions) {
    const announced = registered.get(s.old.id ?? s.id) ?? registered.get(s.display_id) ?? null;
    const stands = usableCursor(s.old.last_cursor, tip) ?? announced ?? tip;
    insert.run(
      s.id,
      s.display_id,
      s.name,
      s.machine,
      s.cwd,
      s.repo,
      s.client_id,
      s.registered_at,
      s.last_seen,
      s.ended_at,
      s.end_reason,
      announced ?? stands,
    );
    place.run(s.id, stands, s.last_seen);
  }
  return sessions.length;
}

function readOld(db: DatabaseSync, columns: ReadonlySet<string>): OldSession[] {
  const text = (name: string) => `coalesce(${column(columns, name)}, '') AS ${name}`;
  const known = (name: string) => `nullif(${column(columns, name)}, '') AS ${name}`;
  return db.prepare(
    `SELECT ${known("id")}, ${known("display_id")}, ${text("name")}, ${text("machine")},
       ${text("cwd")}, ${text("repo")}, ${known("client_id")}, ${known("registered_at")},
       ${known("last_heartbeat")}, ${known("deleted_at")}, ${known("last_cursor")}
     FROM original_sessions`,
  ).all() as unknown as OldSession[];
}

/** A time that cannot be read is taken from the session's others. */
function moving(old: OldSession, now: number): Moving {
  const registered = originalTime(old.registered_at);
  const heard = originalTime(old.last_heartbeat);
  const ended = originalTime(old.deleted_at);
  const last_seen = heard ?? ended ?? registered ?? now;
  const id = old.id ?? crypto.randomUUID();
  return {
    old,
    id,
    display_id: old.display_id ?? (/^[a-z]+-[a-z]+$/.test(id) ? id : ""),
    name: old.name,
    machine: old.machine,
    cwd: old.cwd,
    repo: old.repo,
    client_id: old.client_id,
    registered_at: registered ?? last_seen,
    last_seen,
    ended_at: old.deleted_at === null ? null : ended ?? last_seen,
    end_reason: old.deleted_at === null ? null : "unregistered",
  };
}

/** Who keeps a name that several have: the living, then the latest heard. */
function byRank(a: Moving, b: Moving): number {
  return Number(a.ended_at !== null) - Number(b.ended_at !== null) || b.last_seen - a.last_seen ||
    b.registered_at - a.registered_at || (a.id < b.id ? -1 : 1);
}

/**
 * Schema 1 knew one name, the two words. They become the display id, as the original did it, and the
 * session is called by its client id, which is what its hooks go on sending. One whose client id
 * is taken keeps the old words, by which its events know it anyway.
 */
function giveClientIds(sessions: readonly Moving[]): void {
  const taken = new Set(sessions.map((session) => session.id));
  for (const session of sessions) {
    session.display_id = session.id;
    if (session.client_id === null || taken.has(session.client_id)) continue;
    session.id = session.client_id;
    taken.add(session.id);
  }
}

/** Nobody may be called what stands for nobody, or events without a sender would be theirs. */
function settleAnonymous(sessions: readonly Moving[]): void {
  const session = sessions.find(({ id }) => id === ANONYMOUS);
  if (session === undefined) return;
  const taken = new Set(sessions.map(({ id }) => id));
  session.id = unique(`${ANONYMOUS}@${session.machine}`, (id) => taken.has(id));
}

/** Makes display ids unique, also against the ids of others: a direct message may name either. */
function settleDisplayIds(sessions: readonly Moving[]): void {
  const ids = new Set(sessions.map(({ id }) => id)).add(ANONYMOUS);
  const given = new Set<string>();
  const isFree = (name: string, own: string) =>
    name !== "" && !given.has(name) && (name === own || !ids.has(name));
  // First everybody who can keeps the name it has, so that nobody's new one takes it away.
  const renamed = sessions.filter(({ id, display_id }) => {
    if (!isFree(display_id, id)) return true;
    given.add(display_id);
    return false;
  });
  for (const session of renamed) {
    const taken = (name: string) => !isFree(name, session.id);
    session.display_id = session.display_id === ""
      ? freshDisplayId(Math.random, taken)
      : unique(session.display_id, taken);
    given.add(session.display_id);
  }
}

function unique(name: string, taken: (name: string) => boolean): string {
  let id = name;
  for (let n = 2; taken(id); n++) id = `${name}-${n}`;
  return id;
}

/** The last registration event of each session. */
function registrations(db: DatabaseSync): Map<string, number> {
  const rows = db.prepare(
    `SELECT session_id, max(id) AS id FROM event WHERE event_type = 'session_registered'
     GROUP BY session_id`,
  ).all() as { session_id: string; id: number }[];
  return new Map(rows.map(({ session_id, id }) => [session_id, id]));
}

function usableCursor(cursor: string | null, tip: number): number | null {
  if (cursor === null || !/^[0-9]{1,16}$/.test(cursor)) return null;
  return Number(cursor) <= tip ? Number(cursor) : null;
}
