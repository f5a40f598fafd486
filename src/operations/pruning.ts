/** Carries out pruning: archives, then deletes, step by step, and gives everybody else their turn. */
import type { Bus, Caller } from "../bus.ts";
import { type Holder, type Part, partToPrune, remove } from "../bus/pruning.ts";
import { BusError } from "../errors.ts";
import { IN_BACKGROUND_MS, pause } from "./pausing.ts";
import { callBy } from "./perform.ts";

export interface Pruned {
  readonly events: number;
  /** The last that went, and when it was published; null when none did. */
  readonly through: number | null;
  readonly at: number | null;
  /** Whether there is more to do. */
  readonly more: boolean;
  /** Who keeps events that are old enough. */
  readonly holders: readonly Holder[];
}

/** Two at a time would archive everything twice. */
const underWay = new WeakSet<Bus>();

/** Whether somebody prunes this bus now. */
export const isPruning = (bus: Bus): boolean => underWay.has(bus);

/**
 * Moves the events from before `horizon` to the archive, for about `budgetMs`. Each step is on the disk
 * in the archive before it leaves the log: whatever happens in between, no event is in neither.
 */
export async function prune(
  bus: Bus,
  caller: Caller,
  horizon: number,
  budgetMs: number,
): Promise<Pruned> {
  const { archive } = bus;
  if (archive === null) {
    throw new BusError("conflict", "Cannot prune a database in memory: it has no archive");
  }
  if (isPruning(bus)) {
    throw new BusError("conflict", "Cannot prune: a prune is under way; try again when it is done");
  }
  underWay.add(bus);
  try {
    // Without a budget nobody waits for it.
    const pauseMs = budgetMs === Infinity ? IN_BACKGROUND_MS : 0;
    return await inSteps(budgetMs, pauseMs, async () => {
      if (bus.bell.stopped) return { events: [], holders: [] };
      const part = partToPrune(bus, 0, horizon, bus.clock());
      if (part.events.length === 0) return part;
      await archive.append(part.events);
      const left = await bus.store.inBatch(({ afterCommit }) =>
        remove(bus, part.events, horizon, callBy(bus, caller, afterCommit))
      );
      return { ...part, events: part.events.slice(0, left) };
    });
  } finally {
    underWay.delete(bus);
  }
}

/** What `prune` would do now, without doing it. */
export async function wouldPrune(bus: Bus, horizon: number): Promise<Pruned> {
  let after = 0;
  return await inSteps(Infinity, 0, () => {
    const part = partToPrune(bus, after, horizon, bus.clock());
    after = part.events.at(-1)?.id ?? after;
    return part;
  });
}

async function inSteps(
  budgetMs: number,
  pauseMs: number,
  step: () => Part | Promise<Part>,
): Promise<Pruned> {
  const started = performance.now();
  let [events, through, at]: [number, number | null, number | null] = [0, null, null];
  for (;;) {
    const part = await step();
    const last = part.events.at(-1);
    const progress = { events: events += part.events.length, holders: part.holders };
    if (last === undefined) return { ...progress, through, at, more: false };
    ({ id: through, at } = last);
    if (performance.now() - started >= budgetMs) return { ...progress, through, at, more: true };
    await pause(pauseMs);
  }
}
