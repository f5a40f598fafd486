import { z } from "zod";
import { importEvents as takeIn, importSessions } from "../bus/moving.ts";
import { BusError } from "../errors.ts";
import { operation, SETS } from "./operation.ts";
import { checkMayOperate } from "./operating.ts";
import { EXPORT_VERSION, logName, readLines } from "./moving_wire.ts";

/** One transaction holds up everybody else as long as it takes. */
export const MAX_IMPORT_LINES = 500;

const count = z.int();
/** What came of an import. */
export const importedOutput = z.object({
  imported: count,
  known: count,
  sessions_imported: count,
  sessions_known: count,
});

export const importEvents = operation({
  name: "import_events",
  title: "Import events",
  description:
    "Take in lines of an export, all of them or, when one is damaged, none. What is here already " +
    "stays as it is.",
  input: z.strictObject({
    version: z.int(),
    log: logName,
    /** What the first line is called in a refusal. */
    first_line: z.int().min(1).default(1),
    lines: z.array(z.unknown()).max(MAX_IMPORT_LINES),
  }),
  output: importedOutput,
  annotations: SETS,
  scope: "admin",
  tool: false,
  writes: true,
  run(bus, { version, log, first_line, lines }, call) {
    checkMayOperate("import", call.caller);
    if (version > EXPORT_VERSION) {
      throw new BusError(
        "invalid_argument",
        `Cannot import version ${version}: this bus knows ${EXPORT_VERSION}; use a newer event-bus`,
      );
    }
    const { events, sessions } = readLines(lines, first_line);
    const taken = takeIn(bus, log, events, call);
    const known = importSessions(bus, log, sessions, call);
    return { ...taken, sessions_imported: known.imported, sessions_known: known.known };
  },
});
