/**
 * The rules of pruning: what is old leaves the log from its oldest end, in steps, after it was archived.
 * Nothing leaves that somebody who is there has yet to be handed.
 */
import type { Bus, Call } from "../bus.ts";
import { BusError, quoted } from "../errors.ts";
import type { Event } from "../event.ts";
import type { EventFilter } from "../filter.ts";
import { readEvents } from "../store/events.ts";
import { setPrunedThrough } from "../store/meta.ts";
import type { Store } from "../store/open.ts";
import {
  closeUnknown,
  countThrough,
  dateAfter,
  deleteDeliveries,
  deleteEvents,
  deleteSession,
  forgettable,
  giveBack,
  movingConsumers,
  nextDate,
  oldestEvents,
} from "../store/pruning.ts";
import { liveSessions } from "../store/sessions.ts";
import { allWebhooks } from "../store/webhooks.ts";
import { consumerOf, MAIN, standing } from "./positions.ts";
import { DEDUPE_MS } from "./publishing.ts";
import { filterOf } from "./reading.ts";
import { consumerOfWebhook, filterOfWebhook } from "./webhooks.ts";

/** One step holds nobody else up for longer than a few readings do. */
const STEP = { limit: 500, maxBytes: 1024 * 1024 };
/** What one step takes from the tables beside the log. */
const MAX_ROWS = 5000;
const MAX_SESSIONS = 100;

/** Why events that are old enough stay. */
export interface Holder {
  readonly who: string;
  /** It has yet to be handed what comes after this id. */
  readonly after: number;
}

/** What one step takes out of the log. */
export interface Part {
  /** The oldest that may go; none when there is nothing more to do. */
  readonly events: readonly Event[];
  /** Who keeps what would go next. */
  readonly holders: readonly Holder[];
}

/** The oldest events after `after` that may leave the log: older than `horizon`, and held by nobody. */
export function partToPrune(bus: Bus, after: number, horizon: number, now: number): Part {
  const { store } = bus;
  const old = oldOnes(store, oldestEvents(store, after, STEP), horizon, now);
  const end = old.at(-1)?.id;
  if (end === undefined) return { events: [], holders: [] };
  const holders = holdersOf(bus, end, horizon).filter((holder) => holder.after < end);
  const through = Math.min(end, ...holders.map((holder) => holder.after));
  return {
    events: old.filter(({ id }) => id <= through),
    holders: holders.filter((holder) => holder.after === through),
  };
}

/**
 * Those that are old, up to the first that is not: ids are the order of the log, and a clock that was
 * wrong for a while must not tear a hole into it. One dated in the future is as old as what follows it.
 */
function oldOnes(store: Store, events: Event[], horizon: number, now: number): Event[] {
  const end = events.findIndex(({ at, dedupe_key }) =>
    (at >= horizon && at <= now) || (dedupe_key !== null && at > now - DEDUPE_MS)
  );
  const candidates = end === -1 ? events : events.slice(0, end);
  const last = candidates.findLastIndex(({ at }) => at < horizon);
  if (last === candidates.length - 1) return candidates;
  const next = nextDate(store, candidates.at(-1)?.id ?? 0, now);
  return next !== null && next < horizon ? candidates : candidates.slice(0, last + 1);
}

/** Everybody who has yet to be handed something through an id, and from where on. */
function holdersOf(bus: Bus, end: number, horizon: number): Holder[] {
  const { store } = bus;
  const sessions = liveSessions(store);
  const unread = sessions.map((session) => {
    const consumer = consumerOf(session.id, MAIN);
    const position = standing(store, consumer) ?? end;
    const filter = filterOf(store, { include_own: false }, { session, consumer, position });
    return {
      who: `session ${session.display_id}`,
      after: handedThrough(store, position, end, filter),
    };
  });
  const living = new Set(sessions.map(({ id }) => id));
  // One that nobody has moved since the horizon belongs to a script that was given up.
  const named = movingConsumers(store, end, horizon)
    .filter(({ session_id }) => session_id === "" || living.has(session_id))
    .map(({ name, event_id }) => ({ who: `consumer ${quoted(name)}`, after: event_id }));
  // A paused one, too: it was promised that its events are kept.
  const unsent = allWebhooks(store).map((webhook) => {
    const position = standing(store, consumerOfWebhook(webhook.id)) ?? end;
    const after = handedThrough(store, position, end, filterOfWebhook(webhook));
    return { who: `webhook ${webhook.id}${webhook.active ? "" : " (paused)"}`, after };
  });
  return [...unread, ...named, ...unsent];
}

/** Through which id, at most `end`, there is nothing that a reader has yet to be handed. */
function handedThrough(store: Store, position: number, end: number, filter: EventFilter): number {
  if (position >= end) return end;
  const page = readEvents(store, position, filter, { limit: 1, maxBytes: 0, through: end });
  const [first] = page.events;
  return first === undefined ? page.through : first.id - 1;
}

/**
 * Takes archived events out of the log, with the record of what reached whom and the sessions that
 * nothing speaks of any more. Who holds them is asked once more: somebody may have gone back meanwhile.
 * Answers how many left. Only inside a batch.
 */
export function remove(bus: Bus, archived: readonly Event[], horizon: number, call: Call): number {
  const { store } = bus;
  const { events } = partToPrune(bus, 0, horizon, call.now);
  const last = events.filter(({ id }) => id <= (archived.at(-1)?.id ?? 0)).at(-1);
  if (last === undefined) return 0;
  const kept = archived.filter(({ id }) => id <= last.id).length;
  const leaving = countThrough(store, last.id);
  if (leaving !== kept) {
    throw new BusError(
      "conflict",
      `Cannot prune ${leaving} events: ${kept} of them were archived; prune again`,
    );
  }
  deleteEvents(store, last.id, call.now);
  setPrunedThrough(store, last.id);
  // What was written before the oldest that is left was published can only be about what went.
  const before = Math.min(horizon, dateAfter(store, last.id) ?? horizon);
  deleteDeliveries(store, { through: last.id, before, atMost: MAX_ROWS });
  closeUnknown(store);
  const over = { endedBefore: before, through: last.id, atMost: MAX_SESSIONS };
  for (const id of forgettable(store, over)) deleteSession(store, id);
  giveBack(store);
  // Until it rings the log is taken to be as it was.
  call.afterCommit(() => bus.bell.ring());
  return leaving;
}
