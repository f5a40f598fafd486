/** Keeps the words of the log known: in steps, so that nobody else waits for long. */
import type { Bus } from "../bus.ts";
import { unknownWords } from "../bus/searching.ts";
import { indexSome } from "../store/search.ts";
import { IN_BACKGROUND_MS, pause } from "./pausing.ts";

/** What somebody who searches may wait for; about a fifth of a second. Mostly nothing is left to do. */
const STEPS_OF_A_SEARCH = 20;

/** The step that is under way: several that search at once are content with the same one. */
const underWay = new WeakMap<Bus, Promise<void>>();

/** Learns the words of events that came since; answers when all are known, or after some steps. */
export const learnWords = (bus: Bus): Promise<void> => learn(bus, STEPS_OF_A_SEARCH, 0);

/** Learns the words of all events that came since, and leaves most of the time to others. */
export const learnAllWords = (bus: Bus): Promise<void> => learn(bus, Infinity, IN_BACKGROUND_MS);

async function learn(bus: Bus, steps: number, pauseMs: number): Promise<void> {
  for (let step = 0; step < steps && unknownWords(bus.store) > 0; step++) {
    if (step > 0) await pause(pauseMs);
    if (bus.bell.stopped) return;
    await learnSome(bus);
  }
}

function learnSome(bus: Bus): Promise<void> {
  const present = underWay.get(bus);
  if (present !== undefined) return present;
  const step = bus.store.inBatch(() => indexSome(bus.store, bus.clock()))
    .finally(() => underWay.delete(bus));
  underWay.set(bus, step);
  return step;
}
