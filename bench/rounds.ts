/** Rounds: every contender once, then again, so that whatever drifts meanwhile hits all alike. */

/** Measures one thing once and answers its figure; throws when it could not be measured. */
export type Contender<T = number> = () => T | Promise<T>;

export type Measured<T = number> =
  | { readonly samples: readonly T[] }
  /** Why there are none. */
  | { readonly failure: string };

/**
 * Runs every contender `rounds` times, interleaved and starting with another one each round, after
 * one round that does not count. A contender that fails once is out, and says why.
 */
export async function interleave<T, K extends string>(
  rounds: number,
  contenders: { readonly [P in K]?: Contender<T> | undefined },
): Promise<Record<K, Measured<T>>> {
  const measured = Object.entries<Contender<T> | undefined>(contenders).flatMap((
    [name, measure],
  ) => measure === undefined ? [] : [{ name, measure, samples: [] as T[], failure: "" }]);
  for (let round = 0; round <= rounds; round++) {
    const first = round % measured.length;
    for (const one of [...measured.slice(first), ...measured.slice(0, first)]) {
      if (one.failure !== "") continue;
      try {
        const figure = await one.measure();
        if (round > 0) one.samples.push(figure);
      } catch (failure) {
        one.failure = (failure as Error).message || "it failed without a word";
      }
    }
  }
  return Object.fromEntries(
    measured.map((
      { name, samples, failure },
    ) => [name, failure === "" ? { samples } : { failure }]),
  ) as Record<K, Measured<T>>;
}

/** The same, one figure of each sample. */
export function each<T>(measured: Measured<T>, figure: (sample: T) => number): Measured {
  return "failure" in measured ? measured : { samples: measured.samples.map(figure) };
}

/** The middle of the figures; NaN of none. */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2;
}

/** How many times `base` a contender is: the median over rounds, each compared with itself. */
export function ratio(figures: readonly number[], base: readonly number[]): number {
  return median(figures.map((figure, round) => figure / (base[round] ?? NaN)));
}
