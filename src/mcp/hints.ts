/**
 * Change hints: who follows the inbox of a session is told that there is something new, and reads
 * for itself. While nobody follows, nothing runs.
 */
import { getLogger } from "@logtape/logtape";
import type { Bus } from "../bus.ts";
import { newsAfter } from "../bus/news.ts";
import { attend } from "../bus/presence.ts";
import { readEvents, tip } from "../store/events.ts";
import { findSession } from "../store/sessions.ts";

const log = getLogger(["event-bus", "mcp"]);

export interface Hints {
  /**
   * Calls `tell` when the log has something after `after` that the session did not send itself, at
   * most once a ring, and when the session ends; until the answer is called, which says up to where
   * was looked.
   */
  watch(sessionId: string, after: number, tell: () => void): () => number;
}

interface Watched {
  readonly watchers: Set<() => void>;
  /** Whether its end was told: from then on it is silent until it is back. */
  ended: boolean;
}

/** Hints about what is in the log of `bus`, given when its bell rings. */
export function createHints(bus: Bus): Hints {
  const { store, bell } = bus;
  const watched = new Map<string, Watched>();
  let seen = 0;
  let asleep = new AbortController();

  async function follow(signal: AbortSignal): Promise<void> {
    do {
      look();
    } while (await bell.wait(bell.rings, signal));
  }

  /** One look serves everybody: what is new is new for all but its sender. */
  function look(): void {
    try {
      const newest = tip(store);
      const [first] = readEvents(store, seen, newsAfter(store, seen), ONE).events;
      if (first !== undefined) {
        for (const [sessionId, inbox] of watched) {
          const ended = hasEnded(sessionId);
          const news = ended
            ? !inbox.ended
            : first.session_id !== sessionId || hasNews(sessionId, seen);
          inbox.ended = ended;
          if (news) tell(inbox);
        }
      }
      seen = newest;
    } catch (failure) {
      // Whoever reads now is told what is wrong; silence would look like "nothing new".
      log.error("cannot look for changes: {failure}", { failure });
      for (const inbox of watched.values()) tell(inbox);
    }
  }

  function hasNews(sessionId: string, after: number): boolean {
    const filter = { not_from: sessionId, ...newsAfter(store, after) };
    const { events, more } = readEvents(store, after, filter, ONE);
    return events.length > 0 || more;
  }

  const hasEnded = (sessionId: string) => findSession(store, sessionId)?.ended_at !== null;

  return {
    watch(sessionId, after, told) {
      if (watched.size === 0) {
        seen = tip(store);
        asleep = new AbortController();
        void follow(asleep.signal);
      }
      const inbox = watched.get(sessionId) ?? { watchers: new Set(), ended: false };
      watched.set(sessionId, inbox);
      // A closure of its own: the same function may watch twice.
      const watcher = () => told();
      inbox.watchers.add(watcher);
      const leave = attend(bus, sessionId, "subscription");
      if (after < seen && (hasNews(sessionId, after) || hasEnded(sessionId))) told();
      return () => {
        leave();
        inbox.watchers.delete(watcher);
        if (inbox.watchers.size === 0) watched.delete(sessionId);
        if (watched.size === 0) asleep.abort();
        return seen;
      };
    },
  };
}

function tell({ watchers }: Watched): void {
  for (const told of watchers) told();
}

/** Whether there is one at all is what a hint says. */
const ONE = { limit: 1, maxBytes: 1 };
