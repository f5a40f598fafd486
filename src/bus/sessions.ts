/** The rules of sessions: who is who, who is here, and when somebody has gone. */
import type { Bus, Call } from "../bus.ts";
import { BusError } from "../errors.ts";
import { ANONYMOUS } from "../event.ts";
import {
  checkPrintable,
  type EndReason,
  freshDisplayId,
  processOf,
  repoOf,
  type Session,
  type SessionProcess,
  SILENCE_MS,
} from "../session.ts";
import type { Store } from "../store/open.ts";
import {
  countLive,
  endSession,
  findByClient,
  findByClientAnywhere,
  findByDisplayId,
  findSession,
  insertSession,
  latestEnded,
  liveSessions,
  reviveSession,
  sessionsOfProcess,
  setLastEvent,
  setStart,
} from "../store/sessions.ts";
import { append } from "./log.ts";
import { consumerOf, MAIN, standingOfMain, startAt } from "./positions.ts";
import { checkOwn, sessionEnded, sessionNotFound } from "./speakers.ts";

export interface Registration {
  name: string;
  machine?: string | undefined;
  cwd?: string | undefined;
  client_id?: string | undefined;
  /** The process that it runs in. */
  process?: SessionProcess | undefined;
  /** The repository, when it is known better than its folder's name tells. */
  repo?: string | undefined;
  /** Whether the session that this process has been so far goes on, as another client. */
  goesOn?: boolean | undefined;
  /** What began it; its registration event is tagged so. */
  source?: string | undefined;
}

export interface Registered {
  session: Session;
  /** Where its reading stands. */
  cursor: number;
  resumed: boolean;
  active: number;
}

/**
 * Registers a session, or brings back the one that this client had on this machine: with its id,
 * display id and position, and without a second event.
 */
export function register(bus: Bus, registration: Registration, call: Call): Registered {
  const { store } = bus;
  const machine = machineOf(bus, registration.machine, call);
  const clientId = registration.client_id === undefined
    ? null
    : checkPrintable("client_id", registration.client_id);
  const { process = null } = registration;
  const { principal } = call.caller;
  const known = (clientId === null ? null : findByClient(store, machine, clientId, principal)) ??
    (process !== null && registration.goesOn
      ? sessionsOfProcess(store, machine, process, principal)[0] ?? null
      : null);
  // The process of a session that had ended is not the one that brings it back.
  const before = known === null || known.ended_at !== null || known.pid === null
    ? null
    : { pid: known.pid, start: known.pid_start };
  const runs = process ?? before;
  const cwd = registration.cwd ?? known?.cwd ?? (call.caller.local ? bus.cwd : "");
  const where = {
    name: registration.name,
    cwd,
    repo: registration.repo ?? (cwd === known?.cwd ? known.repo : repoOf(cwd)),
    client_id: clientId,
    last_seen: call.now,
    pid: runs?.pid ?? null,
    pid_start: runs?.start ?? null,
    // One from before anybody's name was kept is from now on whoever's brings it back.
    principal,
  };

  if (known !== null) {
    reviveSession(store, known.id, where);
    return {
      session: { ...known, ...where, ended_at: null, end_reason: null },
      cursor: standingOfMain(store, known.id),
      resumed: true,
      active: countLive(store),
    };
  }
  const session: Session = {
    ...where,
    id: freshSessionId(store, clientId, machine, call),
    display_id: freshDisplayId(call.random, (id) => isTaken(store, id)),
    machine,
    registered_at: call.now,
    ended_at: null,
    end_reason: null,
    start_id: null,
    state: null,
    state_at: null,
    status: null,
    status_at: null,
    wake_on: [],
    prompted_at: null,
  };
  insertSession(store, session);
  const cursor = append(bus, {
    event_type: "session_registered",
    payload: `${session.name} started on ${machine} in ${cwd || "an unknown folder"}`,
    session_id: session.id,
    tags: registration.source === undefined ? [] : [registration.source],
  }, call);
  setStart(store, session.id, cursor);
  startAt(store, consumerOf(session.id, MAIN), cursor, call.now);
  return { session, cursor, resumed: false, active: countLive(store) };
}

/** Ends the sessions that a process had before the one that it has now. */
export function endOthersOf(bus: Bus, session: Session, call: Call): void {
  const process = processOf(session);
  if (process === null) return;
  const { principal } = call.caller;
  for (const other of sessionsOfProcess(bus.store, session.machine, process, principal)) {
    if (other.id !== session.id) endWith(bus, other, "unregistered", call);
  }
}

/** Live sessions, the most recently heard first. */
export function livingSessions(bus: Bus): Session[] {
  return liveSessions(bus.store)
    .map((session) => lastHeard(bus.store, session))
    .sort((a, b) => b.last_seen - a.last_seen);
}

/** What was heard since the last write is in memory. */
function lastHeard({ heartbeats }: Store, session: Session): Session {
  return { ...session, last_seen: Math.max(session.last_seen, heartbeats.get(session.id) ?? 0) };
}

/** The session, living or ended, that has this id, display id or client id; null when none has. */
export function findKnown({ store, machine }: Bus, id: string, call: Call): Session | null {
  const found = findSession(store, id) ?? findByDisplayId(store, id) ??
    findByClientAnywhere(store, call.caller.local ? machine : "", id, call.caller.principal);
  return found === null ? null : lastHeard(store, found);
}

/** How many others are here. */
export function countPeers({ store }: Bus, session: Session): number {
  return countLive(store) - (session.ended_at === null ? 1 : 0);
}

/** The sessions that ended most recently, at most `limit`. */
export function endedSessions(bus: Bus, limit: number): Session[] {
  return latestEnded(bus.store, limit);
}

export interface Leaving {
  session_id?: string | undefined;
  client_id?: string | undefined;
  machine?: string | undefined;
}

/** Ends a session by its id, or by its client id and machine. */
export function unregister(
  bus: Bus,
  who: Leaving,
  call: Call,
): { session: Session; active: number } {
  const session = toUnregister(bus, who, call);
  if (session.ended_at !== null) throw sessionEnded(session);
  endWith(bus, session, "unregistered", call);
  return { session, active: countLive(bus.store) };
}

/** Ends a live session and tells everybody why. */
export function endWith(bus: Bus, session: Session, reason: EndReason, call: Call): void {
  if (!endSession(bus.store, session.id, call.now, reason)) return;
  const last = append(bus, {
    event_type: "session_unregistered",
    payload: `${session.name} ended on ${session.machine}${EXPLAINED[reason]}`,
    session_id: session.id,
    tags: [reason],
  }, call);
  setLastEvent(bus.store, session.id, last);
}

const EXPLAINED: Record<EndReason, string> = {
  unregistered: "",
  silent: " (not heard for 24 hours)",
  process_gone: " (its process is gone)",
};

/** The live sessions that have gone without telling, and how that shows. Looks, changes nothing. */
export function findGone(bus: Bus): { session: Session; reason: EndReason }[] {
  return livingSessions(bus).flatMap((session) => {
    const reason = reasonGone(bus, session);
    return reason === null ? [] : [{ session, reason }];
  });
}

function reasonGone(bus: Bus, session: Session): EndReason | null {
  const isSilent = bus.clock() - session.last_seen >= SILENCE_MS;
  if (isSilent && bus.readers.pathsTo(session.id).length === 0) return "silent";
  // Process numbers mean something on our own machine only.
  const process = session.machine === bus.machine ? processOf(session) : null;
  return process === null || bus.isAlive(process) ? null : "process_gone";
}

function toUnregister(
  bus: Bus,
  who: Leaving,
  call: Call,
): Session {
  if (who.session_id !== undefined) {
    const session = findSession(bus.store, who.session_id);
    if (session === null) throw sessionNotFound({ session_id: who.session_id });
    checkOwn(session, call.caller);
    return session;
  }
  if (who.client_id === undefined) {
    throw new BusError("invalid_argument", "Must provide either session_id or client_id");
  }
  const machine = machineOf(bus, who.machine, call);
  const session = findByClient(bus.store, machine, who.client_id, call.caller.principal);
  if (session === null) throw sessionNotFound({ client_id: who.client_id, machine });
  return session;
}

/** The caller's machine: what it says, else ours when it is here, else the address it calls from. */
function machineOf(bus: Bus, machine: string | undefined, call: Call): string {
  if (machine !== undefined && machine !== "") return checkPrintable("machine", machine);
  return call.caller.local ? bus.machine : call.caller.peer;
}

/** The client's own id when it is free; somebody from elsewhere who has the same gets a suffix. */
function freshSessionId(store: Store, clientId: string | null, machine: string, call: Call) {
  if (clientId === null) return call.uuid();
  const named = `${clientId}@${machine}`;
  let id = clientId;
  for (let n = 1; isTaken(store, id); n++) id = n === 1 ? named : `${named}-${n}`;
  return id;
}

/** Ids and display ids share one namespace, because a direct message may name either. */
function isTaken(store: Store, id: string): boolean {
  return id === ANONYMOUS || findSession(store, id) !== null || findByDisplayId(store, id) !== null;
}
