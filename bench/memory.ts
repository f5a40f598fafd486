/** Whether memory grows: what it was once everything was warm, against what it is at the end. */
import { median } from "./rounds.ts";

export interface Sample {
  /** Since the start of the load. */
  readonly seconds: number;
  readonly megabytes: number;
}

export interface Verdict {
  readonly warm: number;
  readonly end: number;
  /** Megabytes between the two. */
  readonly growth: number;
  readonly isSteady: boolean;
}

/** The engine gives memory back when it likes; what leaks goes beyond any of it within half an hour. */
const MAX_GROWTH = 0.1;

/**
 * Compares the medians of two stretches of the same length: right after the first `warmUp` seconds, and
 * the last ones. Null when there is nothing in either.
 */
export function judge(samples: readonly Sample[], warmUp: number): Verdict | null {
  const total = samples.at(-1)?.seconds ?? 0;
  const within = (from: number, to: number) =>
    samples.filter(({ seconds }) => seconds > from && seconds <= to).map((one) => one.megabytes);
  const [first, last] = [within(warmUp, 2 * warmUp), within(total - warmUp, total)];
  if (first.length === 0 || last.length === 0 || total < 3 * warmUp) return null;
  const [warm, end] = [median(first), median(last)];
  return { warm, end, growth: end - warm, isSteady: end <= warm * (1 + MAX_GROWTH) };
}
