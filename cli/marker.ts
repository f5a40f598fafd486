/** Marks as read what was printed: once a second while it goes on, and at the end. */
import type { Path } from "../src/delivery.ts";
import { type Client, Refusal } from "./client.ts";
import { isAway } from "./follow.ts";

/** Whose position it is. */
export interface Who {
  readonly session_id: string | undefined;
  readonly consumer: string | undefined;
}

/** The filters that leave out what a session would still want to see. */
export interface Narrowing {
  readonly channel: string | undefined;
  readonly event_types: readonly string[] | undefined;
  readonly correlation_id: string | undefined;
}

/**
 * Whether what was read this way may be marked as read: always on a consumer of its own, whose
 * subscription it is, and on the built-in ones when nothing was left out.
 */
export function mayMark(consumer: string | undefined, narrowing: Narrowing): boolean {
  const builtIn = consumer === undefined || consumer === "main" || consumer === "urgent";
  return !builtIn || Object.values(narrowing).every((value) => value === undefined);
}

/** Marks everything through `cursor` as read. */
export async function markRead(
  client: Client,
  who: Who,
  cursor: string,
  path: Path = "cli",
): Promise<void> {
  try {
    await client.call("ack_events", { ...who, cursor }, { path });
  } catch (refusal) {
    // Somebody else has read further meanwhile: then this is read, too.
    if (!(refusal instanceof Refusal && refusal.body.code === "conflict")) throw refusal;
  }
}

const EVERY_MS = 1000;

/** For a reader that prints on and on. */
export interface Marker {
  /** Everything through `cursor` was dealt with. */
  reached(cursor: string): void;
  /** Marks the rest; throws when that fails. */
  close(): Promise<void>;
}

/** `failed` is called when marking can never succeed; what may pass is tried again. */
export function createMarker(client: Client, who: Who, failed: (why: unknown) => void): Marker {
  let reached: string | undefined;
  let marked: string | undefined;
  let marking = Promise.resolve();

  async function mark(): Promise<void> {
    const cursor = reached;
    if (cursor === undefined || cursor === marked) return;
    await markRead(client, who, cursor, "stream");
    marked = cursor;
  }

  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    marking = mark()
      .catch((failure) => isAway(failure) ? undefined : failed(failure))
      .finally(() => busy = false);
  }, EVERY_MS);
  return {
    reached: (cursor) => void (reached = cursor),
    async close() {
      clearInterval(timer);
      await marking;
      await mark();
    },
  };
}
