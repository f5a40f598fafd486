/** What reached whom, by which way and when: read from the record, never guessed. */
import type { Bus } from "../bus.ts";
import { addressee, channelsOf } from "../channel.ts";
import { BusError } from "../errors.ts";
import type { Event } from "../event.ts";
import { type EventFilter, matches } from "../filter.ts";
import type { Session } from "../session.ts";
import { deliveriesOf, recentDeliveries } from "../store/deliveries.ts";
import { findEvent, readEvents, whyAbsent } from "../store/events.ts";
import { type Consumer, consumersOf, type Position } from "../store/positions.ts";
import { findSession, sessionsLivingAt } from "../store/sessions.ts";
import { standingOfMain } from "./positions.ts";
import { reachableBy } from "./presence.ts";

/**
 * - `has`: it was handed over.
 * - `passed_over`: its reader went past it, and its filter left it out.
 * - `waiting`: nobody has read so far.
 * - `ended`: the session ended without reading so far.
 * - `unrecorded`: read before there was a record.
 */
export const DELIVERY_STATES = ["has", "passed_over", "waiting", "ended", "unrecorded"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface Receipt {
  readonly session: Session | null;
  /** By which consumer; for a reader without a session, whose it is as well. */
  readonly consumer: Consumer | null;
  readonly state: DeliveryState;
  readonly path: string | null;
  /** When it was handed over or passed over. */
  readonly at: number | null;
  /** The ways by which a message would reach the session now. */
  readonly reachable_by: readonly string[];
}

export interface DeliveryReport {
  readonly event: Event;
  /** Whom it concerned when it was published, without its sender. */
  readonly audience: readonly Receipt[];
  /** Everybody else who has it. */
  readonly others: readonly Receipt[];
}

/** For one event: whom it was for, who has it, by which path and since when, and who has not. */
export function deliveryOf(bus: Bus, eventId: number): DeliveryReport {
  const { store } = bus;
  const event = findEvent(store, eventId);
  if (event === null) {
    throw new BusError(
      "not_found",
      `Cannot tell who has event ${eventId}: ${whyAbsent(store, eventId)}`,
    );
  }
  const living = sessionsLivingAt(store, event.id, event.at)
    .filter((session) => session.id !== event.session_id);
  const concerned = audienceOf(bus, event, living);
  const ids = new Set(concerned.map(({ id }) => id));
  const bystanders = living.filter(({ id }) => !ids.has(id)).map((s) => receiptOf(bus, event, s));
  const outsiders = consumersOf(store, "").map((consumer) => passage(bus, event, consumer));
  return {
    event,
    audience: concerned.map((session) => receiptOf(bus, event, session)),
    others: [...bystanders, ...outsiders].filter((receipt) =>
      receipt?.state === "has"
    ) as Receipt[],
  };
}

/** The target of a direct message, else whoever was there and hears the channel. */
function audienceOf(bus: Bus, event: Event, living: readonly Session[]): Session[] {
  const target = addressee(event.channel);
  if (target === null) return living.filter((s) => channelsOf(s).includes(event.channel));
  const session = findSession(bus.store, target);
  return session === null || session.id === event.session_id ? [] : [session];
}

function receiptOf(bus: Bus, event: Event, session: Session): Receipt {
  const passages = consumersOf(bus.store, session.id)
    .map((consumer) => passage(bus, event, consumer))
    .filter((receipt) => receipt !== null);
  const best = earliest(passages.filter(({ state }) => state === "has")) ?? earliest(passages);
  const reachable_by = reachableBy(bus, session);
  if (best !== null) return { ...best, session, reachable_by };
  const read = standingOfMain(bus.store, session.id) >= event.id;
  const state = read ? "unrecorded" : session.ended_at === null ? "waiting" : "ended";
  return { session, consumer: null, state, path: null, at: null, reachable_by };
}

/** How a consumer first went past an event, or null when it has not. */
function passage(bus: Bus, event: Event, consumer: Consumer & Position): Receipt | null {
  const moves = deliveriesOf(bus.store, consumer, event.id);
  const handed = moves.find(({ filter }) => matches(event, JSON.parse(filter) as EventFilter));
  const move = handed ?? moves[0];
  if (move === undefined) return null;
  return {
    session: null,
    consumer,
    state: handed === undefined ? "passed_over" : "has",
    path: move.path,
    at: move.at,
    reachable_by: [],
  };
}

function earliest(receipts: readonly Receipt[]): Receipt | null {
  return receipts.toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0))[0] ?? null;
}

export interface DeliveryTimes {
  readonly count: number;
  /** Milliseconds from publish to hand-over; null when nothing was handed over. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** Enough moves, and events of each, for a distribution; the latest count. */
const MAX_MOVES = 500;
const MAX_EVENTS_OF_A_MOVE = 50;

/** The distribution of publish-to-seen since a time, over the latest deliveries. */
export function deliveryTimes(bus: Bus, since: number): DeliveryTimes {
  const times = recentDeliveries(bus.store, since, MAX_MOVES).flatMap((move) => {
    const filter = JSON.parse(move.filter) as EventFilter;
    // No further than the move went: most are short, and the log behind them may be long.
    const page = { limit: MAX_EVENTS_OF_A_MOVE, maxBytes: Infinity, through: move.through_id };
    return readEvents(bus.store, move.from_id, filter, page).events
      .map(({ at }) => Math.max(0, move.at - at));
  }).sort((a, b) => a - b);
  const percentile = (part: number) => times[Math.ceil(times.length * part) - 1] ?? null;
  return {
    count: times.length,
    p50: percentile(0.5),
    p95: percentile(0.95),
    p99: percentile(0.99),
  };
}
