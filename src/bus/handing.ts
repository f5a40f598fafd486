/**
 * The rules of handing over: what a session has not seen, and how its positions move past exactly
 * what it was shown. Urgent first; `main` comes after and leaves out what urgent has shown.
 */
import type { Bus, Call } from "../bus.ts";
import type { Event } from "../event.ts";
import { channelOfSession } from "../channel.ts";
import { addressedTo, type EventFilter, urgencyOf } from "../filter.ts";
import type { Session } from "../session.ts";
import { countEvents, readEvents } from "../store/events.ts";
import { type Consumer, findPosition } from "../store/positions.ts";
import { newsAfter } from "./news.ts";
import {
  consumerOf,
  MAIN,
  move,
  shownBy,
  spanOf,
  standing,
  standingOfMain,
  URGENT,
} from "./positions.ts";

/** More than this is never shown at once, and does not have to be read. */
const PAGE = { limit: 50, maxBytes: 256 * 1024 };
/** Beyond this nobody counts. */
const MAX_COUNT = 1000;

/** A part of the log that a consumer has not seen. */
interface Stretch {
  readonly consumer: Consumer;
  /** Where the consumer stands. */
  readonly from: number;
  /** How far was looked. */
  readonly through: number;
  readonly filter: EventFilter;
  /** The oldest first. */
  readonly events: readonly Event[];
  /** Whether there may be more behind it. */
  readonly more: boolean;
}

/** What a session has not seen. Looking at it moves nothing. */
export interface Unseen {
  readonly urgent: Stretch;
  /** What else there is, without lifecycle noise; null when only the urgent was asked for. */
  readonly main: Stretch | null;
}

/** How many events of each stretch were shown, from its beginning. */
export interface Shown {
  readonly urgent: number;
  readonly main: number;
}

/** What follows from having shown something: a consumer has passed a part of the log. */
export interface Passed {
  readonly consumer: Consumer;
  readonly from: number;
  readonly through: number;
  readonly filter: EventFilter;
}

/** What a session has not seen: only what cannot wait, or everything that is worth telling. */
export function unseenBy(bus: Bus, session: Session, scope: "urgent" | "all"): Unseen {
  const urgent = stretch(bus, consumerOf(session.id, URGENT), {
    not_from: session.id,
    urgent: urgencyOf(session),
  });
  if (scope === "urgent") return { urgent, main: null };
  const shown = shownWith(bus, urgent, urgent.through);
  return { urgent, main: stretch(bus, consumerOf(session.id, MAIN), worthTelling(session, shown)) };
}

/** All but lifecycle noise, messages between others, and what was shown already. */
function worthTelling({ id }: Session, shown: EventFilter["shown"]): EventFilter {
  return { not_from: id, shown, min_level: "info", not_to_others: channelOfSession(id) };
}

/** How many events wait to be shown to a session at its next prompts, counted to 1,000. */
export function countUnseen({ store }: Bus, session: Session): number {
  const from = standingOfMain(store, session.id);
  const shown = shownBy(findPosition(store, consumerOf(session.id, URGENT)), from);
  const filter = { ...worthTelling(session, shown), ...newsAfter(store, from) };
  return countEvents(store, from, filter, MAX_COUNT);
}

/** Whether there is nothing to show, and nothing further to look for. */
export function isNothing({ urgent, main }: Unseen): boolean {
  return [urgent, main].every((part) => part === null || (part.events.length === 0 && !part.more));
}

/**
 * Whether anything addressed to the session is unseen after an id: that is what it is woken for.
 * Asked channel by channel, by their index: who slept long has more before it than one look goes through.
 */
export function isCalled({ store }: Bus, session: Session, after = 0): boolean {
  const from = Math.max(after, standing(store, consumerOf(session.id, URGENT)) ?? 0);
  const urgent = addressedTo(session);
  const filter = { not_from: session.id, urgent, ...newsAfter(store, from) };
  return [urgent.direct, ...urgent.wake_on ?? []].some((channel) =>
    countEvents(store, from, { ...filter, channel }, 1) > 0
  );
}

function stretch({ store }: Bus, consumer: Consumer, filter: EventFilter): Stretch {
  const from = standing(store, consumer) ?? 0;
  const news = { ...filter, ...newsAfter(store, from) };
  return { consumer, from, filter: news, ...readEvents(store, from, news, PAGE) };
}

/** What urgent has shown beyond where main stands, if it now passes its stretch through an id. */
function shownWith({ store }: Bus, { consumer, from, filter, events }: Stretch, through: number) {
  const main = standingOfMain(store, consumer.session_id);
  const position = findPosition(store, consumer);
  if (events.length === 0) return shownBy(position, main);
  const span = spanOf(position, { from, through, filter: JSON.stringify(filter) });
  return shownBy({ event_id: through, ...span }, main);
}

/** Which parts of the log are passed when so much was shown. Nothing shown passes nothing. */
export function passedBy({ urgent, main }: Unseen, shown: Shown): Passed[] {
  return [pass(urgent, shown.urgent), ...main === null ? [] : [pass(main, shown.main)]]
    .filter(({ from, through }) => through > from);
}

function pass({ consumer, from, through, filter, events, more }: Stretch, shown: number): Passed {
  // A look that was cut short without finding anything goes on behind it, or it would never end.
  const whole = shown === events.length && (shown > 0 || more);
  return { consumer, from, filter, through: whole ? through : events[shown - 1]?.id ?? from };
}

/** What is left unseen, and what was left out as noise, once so much was shown. Counted to 1,000. */
export function leftBy(bus: Bus, { urgent, main }: Unseen, shown: Shown) {
  const past = pass(urgent, shown.urgent).through;
  if (main === null) {
    return { left: countEvents(bus.store, past, urgent.filter, MAX_COUNT), noise: 0 };
  }
  const filter = { ...main.filter, shown: shownWith(bus, urgent, past) };
  const { through } = pass(main, shown.main);
  const all = { ...filter, min_level: undefined, not_to_others: undefined };
  return {
    left: countEvents(bus.store, through, filter, MAX_COUNT),
    noise: countEvents(bus.store, main.from, all, MAX_COUNT, through) - shown.main,
  };
}

/**
 * Moves the positions past what was handed over, and writes down by which path. Only in a batch.
 * Answers whether any of it was new.
 */
export function handOver(bus: Bus, passed: readonly Passed[], call: Call): boolean {
  let isNew = false;
  for (const { consumer, through, filter } of passed) {
    // Something else may have moved it meanwhile; it never goes back.
    const from = standing(bus.store, consumer) ?? 0;
    if (from >= through) continue;
    const count = countEvents(bus.store, from, filter, MAX_COUNT, through);
    move(bus, consumer, { from, through, filter: JSON.stringify(filter), count }, call);
    isNew = true;
  }
  return isNew;
}
