/**
 * Waking a session that does nothing: a long-poll of its own, which ends when the session is called,
 * goes away, or is waited for by somebody newer.
 */
import type { Bus, Caller } from "../bus.ts";
import { handOver, isCalled, type Passed, type Unseen, unseenBy } from "../bus/handing.ts";
import { attend, WAKING, type Waking } from "../bus/presence.ts";
import { tokenOver } from "../operations/access.ts";
import { callBy, serverStopping } from "../operations/perform.ts";
import type { Session } from "../session.ts";
import { findSession } from "../store/sessions.ts";
import type { Claims } from "./claims.ts";

/**
 * - `called`: what to show, what to acknowledge once it is shown, and how far it goes: who cannot
 *   know whether it was shown asks on `past` that.
 * - `nothing`: the time is over; ask again.
 * - `leave`: another listener does it from now on, or the session is gone.
 */
export type Summons =
  | {
    readonly kind: "called";
    readonly text: string;
    readonly ack: string;
    readonly through: number;
  }
  | { readonly kind: "nothing" }
  | { readonly kind: "leave"; readonly why: string };

interface Parts {
  readonly bus: Bus;
  readonly claims: Claims;
  readonly digest: (session: Session, unseen: Unseen) => { text: string; passed: Passed[] };
}

interface Asked {
  /** The session as it is now. */
  find(): Session | null;
  readonly query: Record<string, string>;
  readonly caller: Caller;
}

/** Longer ones are cut by what stands between client and server. */
const MAX_WAIT_S = 300;
/** A session that works is told by its next hook; one whose hooks fell silent is woken after all. */
const GRACE_MS = 10_000;
/** A listener may start before its session is registered. */
const REGISTRATION_MS = 5_000;

/** Who listens, to be sent away by the next one of its kind. */
const listeners = new WeakMap<Bus, Map<string, AbortController>>();

/** Waits until the session is called. Throws `unavailable` when the server stops meanwhile. */
export async function summon({ bus, claims, digest }: Parts, asked: Asked): Promise<Summons> {
  const { find, query, caller } = asked;
  const kind = WAKING.find((way) => way === query.by) ?? "wake";
  const past = Number(query.past) || 0;
  const asks = query.wait ? Number(query.wait) : NaN;
  const seconds = asks >= 0 ? asks : MAX_WAIT_S;
  const over = timer(Math.min(seconds, MAX_WAIT_S) * 1000);
  const session = await registered(bus, find, over.signal, caller);
  if (session === null) {
    over.clear();
    return { kind: "leave", why: "no such session" };
  }
  // A channel that is not on looks like one that is, until what was pushed is seen or is not.
  if (kind === "channel") await claims.free(session.id);
  const mine = takeOver(bus, `${kind} ${session.id}`);
  const leave = claims.isDoubtful(session.id, kind) ? () => {} : attend(bus, session.id, kind);
  // The process that came before it has nothing left to do.
  if (kind === "mod") listeners.get(bus)?.get(`wake ${session.id}`)?.abort();
  const signal = AbortSignal.any([
    over.signal,
    mine.signal,
    ...caller.signal ? [caller.signal] : [],
    ...caller.revoked ? [caller.revoked] : [],
  ]);
  try {
    for (;;) {
      if (caller.revoked?.aborted) throw tokenOver();
      if (isDeferred(bus, kind, session.id)) return { kind: "leave", why: "its mod listens" };
      if (mine.signal.aborted) return { kind: "leave", why: "another listener took over" };
      if (signal.aborted) return { kind: "nothing" };
      const seen = bus.bell.rings;
      // By the bus's own id: after /clear the session goes on under another one of its client.
      const now = livingById(bus, session.id);
      if (now === null) return { kind: "leave", why: "the session has ended" };
      if (isCalled(bus, now, past) && await isReady(bus, kind, session.id, signal)) {
        await claims.free(session.id);
        if (!claims.isFree(session.id)) continue;
        const { text, passed } = digest(now, unseenBy(bus, now, "urgent"));
        if (text === "" && passed.length === 0) {
          await bus.bell.wait(seen, signal);
          continue;
        }
        if (text === "") {
          // So much lay before it that one look does not reach it: the next goes on from there.
          await bus.store.inBatch(({ afterCommit }) =>
            handOver(bus, passed, callBy(bus, { ...caller, path: kind }, afterCommit))
          );
          continue;
        }
        if (isCalled(bus, now, past) && !signal.aborted) {
          return {
            kind: "called",
            text,
            ack: claims.open({ sessionId: now.id, path: kind, passed, text }),
            through: Math.max(...passed.map(({ through }) => through)),
          };
        }
        continue;
      }
      await bus.bell.wait(seen, signal);
      if (bus.bell.stopped) throw serverStopping();
    }
  } finally {
    leave();
    mine.end();
    over.clear();
  }
}

/** The session once it is there; a listener and its session's registration start together. */
async function registered(
  bus: Bus,
  find: () => Session | null,
  over: AbortSignal,
  { signal }: Caller,
): Promise<Session | null> {
  const late = timer(REGISTRATION_MS);
  const until = AbortSignal.any([over, late.signal, ...signal ? [signal] : []]);
  try {
    for (;;) {
      const seen = bus.bell.rings;
      const session = find();
      if (session !== null && session.ended_at === null) return session;
      if (!await bus.bell.wait(seen, until)) return null;
    }
  } finally {
    late.clear();
  }
}

/**
 * Waits until a session does not work, or has worked on without a hook for the time of grace. What is
 * pushed into a channel meanwhile would be shown by a hook first, and then once more.
 */
async function isReady(
  bus: Bus,
  kind: Waking,
  id: string,
  signal: AbortSignal,
): Promise<boolean> {
  const grace = timer(GRACE_MS);
  const until = AbortSignal.any([signal, grace.signal]);
  try {
    for (;;) {
      const seen = bus.bell.rings;
      const session = livingById(bus, id);
      if (session === null || !isCalled(bus, session)) return false;
      if (!isBusy(session, kind) || (grace.signal.aborted && kind !== "channel")) return true;
      if (!await bus.bell.wait(seen, kind === "channel" ? signal : until)) {
        if (signal.aborted || bus.bell.stopped) return false;
      }
    }
  } finally {
    grace.clear();
  }
}

/** A dialog is a pause in its work, in which only the process can tell it. */
const isBusy = ({ state }: Session, kind: Waking): boolean =>
  state === "working" || (state === "waiting" && kind === "channel");

function livingById({ store }: Bus, id: string): Session | null {
  const session = findSession(store, id);
  return session === null || session.ended_at !== null ? null : session;
}

/** A mod costs no process: where it listens, a process need not. */
function isDeferred(bus: Bus, kind: Waking, sessionId: string): boolean {
  return kind === "wake" && bus.readers.pathsTo(sessionId).includes("mod");
}

function takeOver(bus: Bus, key: string) {
  const known = listeners.get(bus) ?? new Map<string, AbortController>();
  listeners.set(bus, known);
  known.get(key)?.abort();
  const mine = new AbortController();
  known.set(key, mine);
  const end = () => {
    if (known.get(key) === mine) known.delete(key);
  };
  return { signal: mine.signal, end };
}

function timer(ms: number) {
  const over = new AbortController();
  const id = setTimeout(() => over.abort(), ms);
  return { signal: over.signal, clear: () => clearTimeout(id) };
}
