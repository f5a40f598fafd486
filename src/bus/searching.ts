/** The rules of searching: which words a caller may look for, and what is found. */
import type { Bus } from "../bus.ts";
import { BusError } from "../errors.ts";
import type { Event, SignalLevel } from "../event.ts";
import type { Store } from "../store/open.ts";
import { findEvent, tip } from "../store/events.ts";
import { findWords, indexedThrough } from "../store/search.ts";
import { resolveChannel } from "./publishing.ts";
import { MAX_PAGE_BYTES } from "./reading.ts";

/** Nobody remembers more than this of what they look for. */
export const MAX_QUERY_LENGTH = 400;
const MAX_WORDS = 8;
/** Each is read by whoever asked; the best come first. */
export const MAX_FOUND = 100;
/** A shorter beginning of a word is in nearly every event. */
const MIN_BEGINNING = 3;

export interface Search {
  readonly query: string;
  readonly channel?: string | undefined;
  readonly event_types?: readonly string[] | undefined;
  readonly min_level?: SignalLevel | undefined;
  readonly sender?: string | undefined;
  readonly since?: number | undefined;
  readonly limit: number;
}

export interface Found {
  readonly events: Event[];
  /** Whether there are more than these, or older ones that were not looked at. */
  readonly more: boolean;
  /** How many of the newest events could not be looked at, because their words are not known yet. */
  readonly unknown: number;
}

/** The live events that have all the words, the best first. Looks, and marks nothing. */
export async function search(
  bus: Bus,
  wanted: Search,
  maxBytes = MAX_PAGE_BYTES,
): Promise<Found> {
  const { store } = bus;
  const { event_types, min_level, sender, since, limit } = wanted;
  const channel = wanted.channel === undefined
    ? undefined
    : resolveChannel(store, wanted.channel).channel;
  // What is published while a thread searches is nobody's miss.
  const unknown = unknownWords(store);
  const { ids, cut } = await findWords(store, {
    match: matchOf(wanted.query),
    filter: { channel, event_types, min_level },
    sender,
    since,
    limit: limit + 1,
  });
  // One may have left the log meanwhile.
  const events = ids.map((id) => findEvent(store, id)).filter((event) => event !== null);
  const fitting = withinBytes(events.slice(0, limit), maxBytes);
  return {
    events: fitting,
    more: cut || fitting.length < events.length,
    unknown,
  };
}

/** How many events' words are not known yet, about. */
export function unknownWords(store: Store): number {
  return tip(store) - indexedThrough(store);
}

/** The best that fit, but never none. */
function withinBytes(events: readonly Event[], maxBytes: number): Event[] {
  let bytes = 0;
  return events.filter(({ payload }, i) => (bytes += payload.length + 300) <= maxBytes || i === 0);
}

/**
 * A query as the index reads it: every word must be there; `"several words"` next to each other; `word*`
 * begins a word. Nothing else means anything, so that no text is a mistake in a language.
 */
export function matchOf(query: string): string {
  const parts = [...query.matchAll(/"([^"]*)"?(\*?)|([^\s"]+)/g)].map(([, phrase, star, word]) => ({
    words: phrase ?? word?.replace(/\*+$/, "") ?? "",
    begins: phrase === undefined ? word?.endsWith("*") === true : star === "*",
  })).filter(({ words }) => /[\p{L}\p{N}]/u.test(words));
  if (parts.length === 0) {
    throw new BusError("invalid_argument", "Cannot search for nothing: a word or number is needed");
  }
  if (parts.length > MAX_WORDS) {
    throw new BusError(
      "invalid_argument",
      `Cannot search for ${parts.length} words: the limit is ${MAX_WORDS}`,
      { limit: MAX_WORDS },
    );
  }
  return parts.map(({ words, begins }) => {
    if (begins && [...words].length < MIN_BEGINNING) {
      throw new BusError(
        "invalid_argument",
        `Cannot search for what begins with fewer than ${MIN_BEGINNING} characters`,
        { limit: MIN_BEGINNING },
      );
    }
    return `"${words.replaceAll('"', '""')}"${begins ? "*" : ""}`;
  }).join(" AND ");
}
