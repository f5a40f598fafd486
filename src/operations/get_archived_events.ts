import { z } from "zod";
import { readArchive } from "../bus/archived.ts";
import { MAX_PAGE_EVENTS } from "../bus/reading.ts";
import { operation, READS } from "./operation.ts";
import { moment, toWire, wantedInput, wireEvent } from "./wire.ts";

const { channel, event_types, exclude_types, correlation_id, min_level } = wantedInput;

export const getArchivedEvents = operation({
  name: "get_archived_events",
  title: "Get archived events",
  description:
    "Events that were moved to the archive, oldest first. Repeat with cursor until next_cursor is " +
    "null: a page may be empty and not the last. damaged: parts of files that cannot be read.",
  input: z.strictObject({
    ...{ channel, event_types, exclude_types, correlation_id, min_level },
    cursor: z.string().max(100).optional(),
    since: moment.optional(),
    until: moment.optional(),
    limit: z.int().min(1).max(MAX_PAGE_EVENTS).default(100),
  }),
  output: z.object({
    events: z.array(wireEvent),
    next_cursor: z.string().nullable(),
    damaged: z.array(z.object({ file: z.string(), at: z.int() })),
  }),
  annotations: READS,
  scope: "read",
  tool: false,
  writes: false,
  async run(bus, { since, until, ...input }) {
    const { events, next, damaged } = await readArchive(bus, {
      ...input,
      since: since === undefined ? -Infinity : Date.parse(since),
      until: until === undefined ? Infinity : Date.parse(until),
    });
    return { events: events.map(toWire), next_cursor: next, damaged: [...damaged] };
  },
});
