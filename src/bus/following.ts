/** The rules of following: a stream reads on after an id of its own, and moves nothing. */
import type { Bus, Call } from "../bus.ts";
import { parseCursor } from "../event.ts";
import type { EventFilter } from "../filter.ts";
import { type Page, readEvents, tip } from "../store/events.ts";
import type { Consumer } from "../store/positions.ts";
import { remember, startAt } from "./positions.ts";
import { filterOf, readerOf, type Wanted } from "./reading.ts";
import { heard, sessionNotFound } from "./speakers.ts";

/** What a reader that stops reading keeps in our memory. */
const STREAM_PAGE = { limit: 100, maxBytes: 64 * 1024 };

export interface Following extends Wanted {
  cursor?: string | undefined;
}

/**
 * Where a stream begins: after its cursor when there is one, else where its consumer stands, else
 * at the tip. A consumer of no session that has never read begins there, too.
 */
export function beginningOf(bus: Bus, wanted: Following, call: Call): number {
  const { session, consumer, position } = readerOf(bus, wanted, call);
  if (session !== null) heard(bus, session, call);
  const end = tip(bus.store);
  const given = wanted.cursor ? parseCursor(wanted.cursor, end) : null;
  if (given === null && wanted.session_id && session === null) {
    throw sessionNotFound({ session_id: wanted.session_id });
  }
  const start = given ?? position ?? end;
  if (consumer !== null && position === null) startAt(bus.store, consumer, start, call.now);
  return start;
}

export interface Follower {
  readonly consumer: Consumer | null;
  readonly filter: EventFilter;
}

/** Who follows, and what it is shown as things are now; refuses a session that has ended. */
export function followerOf(bus: Bus, wanted: Wanted, call: Call): Follower {
  const reader = readerOf(bus, wanted, call);
  return { consumer: reader.consumer, filter: filterOf(bus.store, wanted, reader) };
}

/** The oldest matching events after an id, no more than a stream may hold. */
export function pageAfter(bus: Bus, after: number, filter: EventFilter): Page {
  return readEvents(bus.store, after, filter, STREAM_PAGE);
}

/** Notes what a stream has shown its consumer, for when that is acknowledged. */
export function noteShown(bus: Bus, { consumer, filter }: Follower, through: number): void {
  if (consumer !== null) remember(bus, consumer, { through, filter });
}
