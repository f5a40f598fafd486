/** What the server does by itself, beside answering: it learns the words of the log, and keeps to the retention. */
import { getLogger } from "@logtape/logtape";
import type { Bus, Caller } from "./bus.ts";
import { learnAllWords } from "./operations/indexing.ts";
import { endTheGone } from "./operations/perform.ts";
import { isPruning, prune } from "./operations/pruning.ts";

export interface Upkeep {
  /** Waits for the step that is under way; the bell must have been stopped before. */
  close(): Promise<void>;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const log = getLogger(["event-bus", "upkeep"]);

/** Starts it: at once, then the words every minute and the retention every hour. `retention` is null for ever. */
export function startUpkeep(bus: Bus, retention: number | null, caller: Caller): Upkeep {
  let work = Promise.resolve();
  const after = (what: string, job: () => Promise<void>) => {
    work = work.then(job).catch((failure) => log.error(`${what}: {failure}`, { failure }));
  };
  const learn = () => after("new words cannot be learned", () => learnAllWords(bus));
  const keep = () =>
    retention !== null &&
    after("the retention cannot be kept", () => keepRetention(bus, retention, caller));
  const timers = [setInterval(learn, MINUTE_MS), setInterval(keep, HOUR_MS)];
  learn();
  keep();
  return {
    async close() {
      for (const timer of timers) clearInterval(timer);
      await work;
    },
  };
}

/** Moves what is older than the retention to the archive, and logs what went and what stays. */
export async function keepRetention(bus: Bus, retention: number, caller: Caller): Promise<void> {
  await endTheGone(bus, caller);
  // Somebody prunes by hand just now: the next hour is early enough.
  if (isPruning(bus)) return;
  const horizon = bus.clock() - retention;
  const { events, through, holders } = await prune(bus, caller, horizon, Infinity);
  if (events > 0) {
    log.info("moved {events} events, through {through}, to the archive", { events, through });
  }
  if (holders.length > 0) {
    log.warn("older events stay, for they have yet to be handed to {holders}", {
      holders: holders.map(({ who }) => who).join(", "),
    });
  }
}
