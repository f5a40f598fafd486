import { z } from "zod";
import { consumes, MAX_PAGE_EVENTS, read } from "../bus/events.ts";
import { operation } from "./operation.ts";
import { label, sessionId, signalLevel, toWire, wireEvent } from "./wire.ts";

/** Room for a long list of types, and a bound on what one filter costs. */
const types = z.array(label).max(100);

export const getEvents = operation({
  name: "get_events",
  title: "Get events",
  description:
    "Read events. resume=true with your session_id returns what you have not read yet and marks " +
    "it read; repeat while has_more. peek marks nothing. cursor: read after this event id.",
  input: z.strictObject({
    cursor: z.string().optional(),
    limit: z.int().min(0).max(MAX_PAGE_EVENTS).default(50),
    session_id: sessionId.optional(),
    order: z.enum(["desc", "asc"]).default("desc"),
    channel: z.string().optional(),
    resume: z.boolean().default(false),
    event_types: types.optional(),
    exclude_types: types.optional(),
    peek: z.boolean().default(false),
    correlation_id: z.string().optional(),
    min_level: signalLevel.optional(),
  }),
  output: z.object({
    events: z.array(wireEvent),
    next_cursor: z.string().nullable(),
    has_more: z.boolean(),
    unread: z.int(),
  }),
  annotations: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: false,
    openWorldHint: false,
  },
  tool: true,
  writes: consumes,
  run(bus, input, call) {
    const page = read(bus, input, call);
    return {
      events: page.events.map(toWire),
      next_cursor: page.next_cursor === null ? null : String(page.next_cursor),
      has_more: page.has_more,
      unread: page.unread,
    };
  },
});
