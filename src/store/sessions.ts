/** Queries of the sessions. Rows are never deleted: a name once given stays known. */
import type { EndReason, Session, SessionProcess, SessionState } from "../session.ts";
import type { Store } from "./open.ts";

type SessionRow = Omit<Session, "wake_on"> & { wake_on: string | null };

function sessionOf(found: unknown): Session {
  const row = found as SessionRow;
  return { ...row, wake_on: row.wake_on === null ? [] : JSON.parse(row.wake_on) as string[] };
}

const row = (found: unknown): Session | null => found === undefined ? null : sessionOf(found);
const rows = (found: unknown[]): Session[] => found.map(sessionOf);

export function insertSession(store: Store, session: Session): void {
  store.sql(
    `INSERT INTO session (id, display_id, name, machine, cwd, repo, client_id,
                          registered_at, last_seen, pid, pid_start, principal)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
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
    session.pid,
    session.pid_start,
    session.principal,
  );
}

/** Notes the event that announced a session. */
export function setStart(store: Store, id: string, eventId: number): void {
  store.sql("UPDATE session SET start_id = ? WHERE id = ?").run(eventId, id);
}

/** Notes what a session is doing; null leaves a part as it is. */
export function setStatus(
  store: Store,
  id: string,
  at: number,
  { state, status }: { state: SessionState | null; status: string | null },
): void {
  if (state !== null) {
    store.sql("UPDATE session SET state = ?, state_at = ? WHERE id = ? AND state IS NOT ?")
      .run(state, at, id, state);
  }
  if (status !== null) {
    store.sql("UPDATE session SET status = nullif(?, ''), status_at = ? WHERE id = ?")
      .run(status, at, id);
  }
}

/** Notes on which machine a session is. */
export function setMachine(store: Store, id: string, machine: string): void {
  store.sql("UPDATE session SET machine = ? WHERE id = ?").run(machine, id);
}

/** Notes the process that a session runs in. */
export function setProcess(store: Store, id: string, { pid, start }: SessionProcess): void {
  store.sql("UPDATE session SET pid = ?, pid_start = ? WHERE id = ?").run(pid, start, id);
}

/** Notes when the human of a session last said something to it. */
export function setPrompted(store: Store, id: string, at: number): void {
  store.sql("UPDATE session SET prompted_at = ? WHERE id = ?").run(at, id);
}

/** Notes the channels that a session is to be woken for, beside its own. */
export function setWakeOn(store: Store, id: string, channels: readonly string[]): void {
  store.sql("UPDATE session SET wake_on = ? WHERE id = ?")
    .run(channels.length === 0 ? null : JSON.stringify(channels), id);
}

/** Where a known session is working now, and as whom; it is live again if it had ended. */
export function reviveSession(
  store: Store,
  id: string,
  now: Pick<
    Session,
    "name" | "cwd" | "repo" | "client_id" | "last_seen" | "pid" | "pid_start" | "principal"
  >,
): void {
  store.sql(
    `UPDATE session SET name = ?, cwd = ?, repo = ?, client_id = ?, last_seen = ?, pid = ?,
       pid_start = ?, principal = ?, ended_at = NULL, end_reason = NULL WHERE id = ?`,
  ).run(
    now.name,
    now.cwd,
    now.repo,
    now.client_id,
    now.last_seen,
    now.pid,
    now.pid_start,
    now.principal,
    id,
  );
}

/** Marks a live session as ended; answers whether it was live. */
export function endSession(store: Store, id: string, at: number, reason: EndReason): boolean {
  return store.sql(
    "UPDATE session SET ended_at = ?, end_reason = ? WHERE id = ? AND ended_at IS NULL",
  ).run(at, reason, id).changes === 1;
}

/** Notes the last event of a session that has ended, or more than that. Only inside a batch. */
export function setLastEvent(store: Store, id: string, eventId: number): void {
  store.sql("UPDATE session SET last_event_id = ? WHERE id = ? AND ended_at IS NOT NULL")
    .run(eventId, id);
}

export function findSession(store: Store, id: string): Session | null {
  return row(store.sql("SELECT * FROM session WHERE id = ?").get(id));
}

export function findByDisplayId(store: Store, displayId: string): Session | null {
  return row(store.sql("SELECT * FROM session WHERE display_id = ?").get(displayId));
}

// What follows finds what is the principal's own, or nobody's yet.

/** The session that a client on a machine had: a live one first, then the latest. */
export function findByClient(
  store: Store,
  machine: string,
  clientId: string,
  principal: string,
): Session | null {
  return row(
    store.sql(
      `SELECT * FROM session
       WHERE machine = ? AND client_id = ? AND ifnull(principal, ?3) = ?3
       ORDER BY ended_at IS NOT NULL, last_seen DESC LIMIT 1`,
    ).get(machine, clientId, principal),
  );
}

/** The session that a client had on whatever machine: a live one first, then one of `machine`. */
export function findByClientAnywhere(
  store: Store,
  machine: string,
  clientId: string,
  principal: string,
): Session | null {
  return row(
    store.sql(
      `SELECT * FROM session WHERE client_id = ? AND ifnull(principal, ?3) = ?3
       ORDER BY ended_at IS NOT NULL, machine <> ?2, last_seen DESC LIMIT 1`,
    ).get(clientId, machine, principal),
  );
}

/** The live sessions that a process of a machine has had, the most recently heard first. */
export function sessionsOfProcess(
  store: Store,
  machine: string,
  { pid, start }: SessionProcess,
  principal: string,
): Session[] {
  return rows(
    store.sql(
      `SELECT * FROM session WHERE machine = ? AND pid = ? AND pid_start IS ?
         AND ifnull(principal, ?4) = ?4 AND ended_at IS NULL ORDER BY last_seen DESC`,
    ).all(machine, pid, start, principal),
  );
}

/** All sessions, living and ended, that were there before an event and not gone when it came. */
export function sessionsLivingAt(store: Store, eventId: number, at: number): Session[] {
  return rows(
    store.sql(
      `SELECT * FROM session
       WHERE (start_id IS NULL OR start_id <= ?) AND registered_at <= ?
         AND (ended_at IS NULL OR ended_at >= ?) ORDER BY id`,
    ).all(eventId, at, at),
  );
}

/** The sessions that ended most recently, at most `limit`. */
export function latestEnded(store: Store, limit: number): Session[] {
  return rows(
    store.sql(
      "SELECT * FROM session WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id LIMIT ?",
    ).all(limit),
  );
}

/** All live sessions, the most recently heard first. */
export function liveSessions(store: Store): Session[] {
  return rows(
    store.sql("SELECT * FROM session WHERE ended_at IS NULL ORDER BY last_seen DESC, id").all(),
  );
}

export function countLive(store: Store): number {
  const counted = store.sql("SELECT count(*) AS n FROM session WHERE ended_at IS NULL").get();
  return (counted as { n: number }).n;
}

/** Moves a session's heartbeat, forward only. */
export function setLastSeen(store: Store, id: string, at: number): void {
  store.sql("UPDATE session SET last_seen = ? WHERE id = ? AND last_seen < ?").run(at, id, at);
}

/** Nothing was heard later than now, but for clocks that were corrected a little. */
const AHEAD_MS = 60_000;

/** Whether a living session was last heard in what is the future by now: the clock was set back. */
export function isAnyAhead(store: Store, now: number): boolean {
  const found = store.sql(
    "SELECT 1 FROM session WHERE ended_at IS NULL AND last_seen > ? LIMIT 1",
  ).get(now + AHEAD_MS);
  return found !== undefined;
}

/** Counts those as heard now; else they would seem to be there until the clock is that far again. */
export function bringBack(store: Store, now: number): void {
  store.sql("UPDATE session SET last_seen = ? WHERE ended_at IS NULL AND last_seen > ?")
    .run(now, now + AHEAD_MS);
}
