import { z } from "zod";
import { MAX_CONSUMER_LENGTH } from "../bus/positions.ts";
import { MAX_PAGE_EVENTS, mayConsume, read } from "../bus/reading.ts";
import { operation } from "./operation.ts";
import { label, sessionId, signalLevel, toWire, wireEvent } from "./wire.ts";

/** Longer than a client's patience; who wants to wait on asks again. */
const MAX_WAIT_SECONDS = 300;

const consumer = z.string().min(1).max(MAX_CONSUMER_LENGTH);

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
    consumer: consumer.optional(),
    include_own: z.boolean().default(false),
    wait_seconds: z.int().min(0).max(MAX_WAIT_SECONDS).default(0),
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
  writes: mayConsume,
  waits: {
    seconds: (input) => input.wait_seconds,
    isEmpty: (page) => page.events.length === 0,
    as: (input) => input.session_id,
  },
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
