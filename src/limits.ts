/** How much one session or principal may ask of the bus: named limits, kept in memory. */
import { BusError } from "./errors.ts";

/**
 * The limits and what they are by default. They stop what runs away, not what works hard: a session
 * that publishes two hundred times a second for a minute, or waits two thousand times at once, is broken.
 */
export const DEFAULT_LIMITS = {
  /** A session is one model and its scripts. */
  session_publishes_per_minute: 12_000,
  /** A principal may be a whole machine, its scripts and hooks. */
  principal_publishes_per_minute: 600_000,
  /** What a disk stands for a day until somebody looks. */
  session_bytes_per_minute: 64 * 1024 * 1024,
  principal_bytes_per_minute: 1024 * 1024 * 1024,
  /** Each holds a connection and some memory; one process holds a few thousand with ease. */
  session_waits: 2_000,
  principal_waits: 4_000,
  session_streams: 2_000,
  principal_streams: 4_000,
  /** Each may hold a connection at a time, and looks at the log when the bell rings. */
  principal_webhooks: 100,
} as const satisfies Record<string, number>;

export type LimitName = keyof typeof DEFAULT_LIMITS;
export type LimitValues = Readonly<Record<LimitName, number>>;

/** Who asks: the session that it names, if it does, and its principal. */
export interface Asker {
  readonly session: string | undefined;
  readonly principal: string;
}

export interface Limits {
  /**
   * Counts one publish of so many bytes. Throws `too_many`, with the time to wait, when that exceeds
   * a limit per minute.
   */
  publish(asker: Asker, bytes: number): void;
  /** Throws `conflict` when a principal that has so many webhooks wants one more: waiting frees none. */
  webhook(has: number): void;
  /** Counts somebody as there until the answer is called. Throws `too_many` when too many are. */
  enter(what: "waits" | "streams", asker: Asker): () => void;
  /** How many are there now. */
  there(what: "waits" | "streams"): number;
}

const MINUTE_MS = 60_000;
/** Those who were not heard for long are full again, and need not be remembered. */
const MAX_BUCKETS = 10_000;

/** Limits over a clock in epoch milliseconds; a minute's worth may be spent at once. */
export function createLimits(values: LimitValues, clock: () => number): Limits {
  const buckets = new Map<string, { left: number; at: number }>();
  const places = new Map<string, number>();

  function spend(name: LimitName, who: string, amount: number): void {
    const limit = values[name];
    const now = clock();
    const key = `${name} ${who}`;
    const { left, at } = buckets.get(key) ?? { left: limit, at: now };
    const refilled = Math.min(limit, left + (Math.max(0, now - at) * limit) / MINUTE_MS);
    // What is larger than the whole limit waits for a full minute's worth, and is let through.
    const needed = Math.min(amount, limit);
    if (refilled < needed) {
      throw tooMany(name, limit, Math.ceil(((needed - refilled) * MINUTE_MS) / limit / 1000));
    }
    buckets.delete(key);
    buckets.set(key, { left: refilled - needed, at: now });
    if (buckets.size > MAX_BUCKETS) buckets.delete(buckets.keys().next().value ?? "");
  }

  function enter(name: LimitName, who: string): () => void {
    const key = `${name} ${who}`;
    const there = places.get(key) ?? 0;
    if (there >= values[name]) throw tooMany(name, values[name], 1);
    places.set(key, there + 1);
    return () => {
      const now = (places.get(key) ?? 1) - 1;
      if (now === 0) places.delete(key);
      else places.set(key, now);
    };
  }

  return {
    publish({ session, principal }, bytes) {
      if (session) {
        // Anybody may name any session: what strangers do in its name is not its own.
        const own = `${principal} ${session}`;
        spend("session_publishes_per_minute", own, 1);
        spend("session_bytes_per_minute", own, bytes);
      }
      spend("principal_publishes_per_minute", principal, 1);
      spend("principal_bytes_per_minute", principal, bytes);
    },
    webhook(has) {
      const limit = values.principal_webhooks;
      if (has < limit) return;
      throw new BusError(
        "conflict",
        `Cannot register a webhook: the limit principal_webhooks is ${limit}; unregister one`,
        { limit_name: "principal_webhooks", limit },
      );
    },
    enter(what, { session, principal }) {
      const leave = [enter(`principal_${what}`, principal)];
      try {
        if (session) leave.push(enter(`session_${what}`, `${principal} ${session}`));
      } catch (refusal) {
        leave.forEach((one) => one());
        throw refusal;
      }
      return () => leave.splice(0).forEach((one) => one());
    },
    there: (what) =>
      [...places].reduce(
        (all, [key, n]) => key.startsWith(`principal_${what} `) ? all + n : all,
        0,
      ),
  };
}

function tooMany(name: LimitName, limit: number, seconds: number): BusError {
  return new BusError(
    "too_many",
    `Cannot do this now: the limit ${name} is ${limit}; try again in ${seconds} s`,
    { limit_name: name, limit, retry_after_seconds: seconds },
  );
}
