/** Keeps the words of the log known: in steps, so that nobody else waits for long. */
import type { Bus } from "../bus.ts";
import { unknownWords } from "../bus/searching.ts";
import { indexSome } from "../store/search.ts";

/** What somebody who searches may wait for; about a fifth of a second. Mostly nothing is left to do. */
const STEPS_OF_A_SEARCH = 20;

/** Learns the words of events that came since; answers when all are known, or after `steps` steps. */
export async function learnWords(bus: Bus, steps = STEPS_OF_A_SEARCH): Promise<void> {
  for (let step = 0; step < steps && !bus.bell.stopped; step++) {
    if (unknownWords(bus.store) <= 0) return;
    await bus.store.inBatch(() => indexSome(bus.store, bus.clock()));
  }
}
