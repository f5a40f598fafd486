/** A bus with a folder for its archive, and what is in both. */
import { type TestBus, testBus } from "./bus.ts";
import { tempHome } from "./home.ts";

export const DAY_MS = 24 * 60 * 60 * 1000;

export interface ArchivingBus extends TestBus {
  readonly folder: string;
  /** Prunes what is older than so many days, to the end; answers how many events went. */
  prune(days: number): Promise<number>;
  /** The ids that are in the log, in order. */
  live(): number[];
  /** The ids that the archive shows, in its order, read in pages of `limit`. */
  archived(limit?: number): Promise<number[]>;
}

/** A bus in a folder of its own, with a clock that only tests move. */
export function archivingBus(): ArchivingBus {
  const home = tempHome();
  const bus = testBus(`${home.path}/data.db`);
  return Object.assign(bus, {
    folder: `${home.path}/archive`,
    async prune(days: number) {
      let events = 0;
      for (let more = true; more;) {
        const part = await bus.call("prune", { older_than_seconds: days * DAY_MS / 1000 });
        events += part.events;
        more = part.has_more;
      }
      return events;
    },
    live: () =>
      bus.store.db.prepare("SELECT id FROM event ORDER BY id").all().map(({ id }) => Number(id)),
    async archived(limit = 100) {
      const ids: number[] = [];
      let cursor: string | undefined;
      do {
        const page = await bus.call("get_archived_events", { cursor, limit });
        ids.push(...page.events.map(({ id }: { id: number }) => id));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      return ids;
    },
    [Symbol.dispose]() {
      bus.store.close();
      home[Symbol.dispose]();
    },
  });
}
