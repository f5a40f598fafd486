import { z } from "zod";
import type { Bus, Caller } from "../bus.ts";
import { importEvents, importSessions } from "../bus/moving.ts";
import { type ForeignLog, withCopyOf } from "../store/foreign.ts";
import type { MovedPage } from "../store/moving.ts";
import { checkAbsolute, filePath } from "./backup.ts";
import { importedOutput, MAX_IMPORT_LINES } from "./import_events.ts";
import { operation, SETS } from "./operation.ts";
import { checkMayOperate } from "./operating.ts";
import { pause } from "./pausing.ts";
import { callBy } from "./perform.ts";

/** One transaction takes in so much; what others write comes in between. */
const PART = { limit: MAX_IMPORT_LINES, maxBytes: 4 * 1024 * 1024 };

export const importDatabase = operation({
  name: "import_database",
  title: "Import a database",
  description:
    "Take in the events and sessions of a database file on the bus's machine, of the original or " +
    "of another bus. What is here already stays as it is.",
  input: z.strictObject({ path: filePath }),
  output: importedOutput,
  annotations: SETS,
  scope: "admin",
  tool: false,
  // Each part is a batch of its own.
  writes: false,
  async run(bus, { path }, { caller }) {
    checkMayOperate("import", caller);
    checkAbsolute("import", path);
    return await withCopyOf(path, bus.store.path, (log) => importAll(bus, log, caller));
  },
});

async function importAll(bus: Bus, log: ForeignLog, caller: Caller) {
  const events = await each(
    (after) => log.events({ ...PART, after }),
    (items) => inBatch(bus, caller, (call) => importEvents(bus, log.name, items, call)),
  );
  const sessions = await each(
    (after) => log.sessions({ ...PART, after }),
    (items) => inBatch(bus, caller, (call) => importSessions(bus, log.name, items, call)),
  );
  return {
    ...events,
    sessions_imported: sessions.imported,
    sessions_known: sessions.known,
  };
}

function inBatch<T>(bus: Bus, caller: Caller, write: (call: ReturnType<typeof callBy>) => T) {
  return bus.store.inBatch(({ afterCommit }) => write(callBy(bus, caller, afterCommit)));
}

async function each<T>(
  page: (after: string) => Promise<MovedPage<T>>,
  take: (items: readonly T[]) => Promise<{ imported: number; known: number }>,
) {
  const sum = { imported: 0, known: 0 };
  for (let after: string | null = ""; after !== null;) {
    const { items, next }: MovedPage<T> = await page(after);
    const { imported, known } = await take(items);
    sum.imported += imported;
    sum.known += known;
    after = next;
    await pause();
  }
  return sum;
}
