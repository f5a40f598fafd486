/**
 * The rules of moving: what comes from another log is recognised, so that twice is once; it is
 * history here and no news, unless this log goes on that one.
 */
import type { Bus, Call } from "../bus.ts";
import { BusError } from "../errors.ts";
import { ANONYMOUS, MAX_EVENT_ID } from "../event.ts";
import { freshDisplayId } from "../session.ts";
import { tip } from "../store/events.ts";
import { logName, movedFrom, setImportedThrough, setMoved } from "../store/meta.ts";
import {
  candidatesFor,
  insertMoved,
  insertMovedSession,
  type MovedEvent,
  type MovedSession,
} from "../store/moving.ts";
import type { Store } from "../store/open.ts";
import { isFollowed } from "../store/search.ts";
import { findByDisplayId, findSession, setLastEvent } from "../store/sessions.ts";
import { consumerOf, MAIN, startAt } from "./positions.ts";

/** What came of a part of an import. */
export interface Imported {
  /** Those that are new here. */
  readonly imported: number;
  /** Those that were here already. */
  readonly known: number;
}

/**
 * Takes in events of the log called `log`, in its order, with their times, channels and senders.
 * Into an empty log they come with their ids, and are its own from then on. Into any other, and one that
 * a consumer or webhook follows already, they come with new ids and as history: nobody is woken,
 * notified or handed them. Only inside a batch.
 */
export function importEvents(
  bus: Bus,
  log: string,
  events: readonly MovedEvent[],
  call: Call,
): Imported {
  const { store } = bus;
  let imported = 0;
  const moves = (tip(store) === 0 || movedFrom(store) === log) && !isFollowed(store);
  for (const event of events) {
    if (event.id > MAX_EVENT_ID) {
      throw new BusError(
        "conflict",
        `Cannot import event ${event.id}: ids are at most ${MAX_EVENT_ID}`,
      );
    }
    const origin = event.origin ?? log;
    const origin_id = event.origin_id ?? event.id;
    if (isKnown(store, event, origin, origin_id)) continue;
    const imported_at = moves ? event.imported_at ?? null : call.now;
    const id = insertMoved(
      store,
      { ...event, origin, origin_id, reply_to: answered(store, log, event), imported_at },
      moves && event.id > tip(store) ? event.id : null,
    );
    setLastEvent(store, event.session_id, id);
    if (moves) setMoved(store, log, id);
    if (imported_at !== null) setImportedThrough(store, id);
    imported++;
  }
  // No bell: what moves here is news to nobody who waits, either.
  return { imported, known: events.length - imported };
}

/**
 * Whether an event is here. By what it says, too: logs that were restored or copied and went on
 * apart have the same ids for different events, and none of those may be taken for known.
 */
function isKnown(store: Store, event: MovedEvent, origin: string, originId: number): boolean {
  const ids: [string, number][] = [[origin, originId]];
  return ids.some(([log, id]) =>
    candidatesFor(store, log, id).some((found) =>
      found.at === event.at && found.event_type === event.event_type &&
      found.session_id === event.session_id && found.payload === event.payload
    )
  );
}

/** The event here that one of another log answers; null when it did not come along. */
function answered(store: Store, log: string, { reply_to }: MovedEvent): number | null {
  if (reply_to === null) return null;
  const found = candidatesFor(store, log, reply_to).find(({ origin, origin_id, id }) =>
    origin === null ? log === logName(store) && id === reply_to : origin_id === reply_to
  );
  return found?.id ?? null;
}

/**
 * Keeps the sessions of the log called `log` that are unknown here, as ended: whoever registers with
 * the same client id is them again. A session whose id is taken stays who it is here. Where their
 * consumers stood means something only when the log moved as a whole. Only inside a batch.
 */
export function importSessions(
  bus: Bus,
  log: string,
  sessions: readonly MovedSession[],
  call: Call,
): Imported {
  const { store } = bus;
  const moves = movedFrom(store) === log;
  const end = tip(store);
  let imported = 0;
  for (const session of sessions) {
    const { id } = session;
    if (id === ANONYMOUS || findSession(store, id) !== null) continue;
    if (findByDisplayId(store, id) !== null) continue;
    insertMovedSession(store, {
      ...session,
      display_id: displayIdFor(store, session, call),
      ended_at: session.ended_at ?? session.last_seen,
      end_reason: session.end_reason ?? "silent",
      start_id: moves ? session.start_id : null,
    });
    const positions = { [MAIN]: end, ...(moves ? session.positions : {}) };
    for (const [name, stands] of Object.entries(positions)) {
      startAt(store, consumerOf(id, name), Math.min(stands, end), call.now);
    }
    imported++;
  }
  return { imported, known: sessions.length - imported };
}

function displayIdFor(store: Store, { id, display_id }: MovedSession, call: Call): string {
  const taken = (name: string) =>
    name === ANONYMOUS || findByDisplayId(store, name) !== null ||
    (name !== id && findSession(store, name) !== null);
  return display_id === "" || taken(display_id) ? freshDisplayId(call.random, taken) : display_id;
}
