import { z } from "zod";
import { MAX_PAGE_EVENTS, mayBegin, mayConsume, read } from "../bus/reading.ts";
import { APPENDS, operation } from "./operation.ts";
import { toWire, wantedInput, wireEvent } from "./wire.ts";

/** Longer than a client's patience; who wants to wait on asks again. */
const MAX_WAIT_SECONDS = 300;

export const getEvents = operation({
  name: "get_events",
  title: "Get events",
  description:
    "Read events. resume=true with your session_id returns what you have not read yet and marks " +
    "it read; repeat while has_more. peek marks nothing; wait_seconds waits until there is " +
    "something. cursor: read after this event id.",
  input: z.strictObject({
    ...wantedInput,
    limit: z.int().min(0).max(MAX_PAGE_EVENTS).default(50),
    order: z.enum(["desc", "asc"]).default("desc"),
    resume: z.boolean().default(false),
    peek: z.boolean().default(false),
    wait_seconds: z.int().min(0).max(MAX_WAIT_SECONDS).default(0),
  }),
  output: z.object({
    events: z.array(wireEvent),
    next_cursor: z.string().nullable(),
    has_more: z.boolean(),
    unread: z.int(),
    archived_through: z.string().optional(),
  }),
  annotations: APPENDS,
  scope: "read",
  tool: true,
  writes: (input) => mayConsume(input) || mayBegin(input),
  waits: {
    seconds: (input) => input.wait_seconds,
    // A read that goes forward and saw nothing in the rows it may look at goes on from there.
    isEmpty: (page, { resume, order, limit }) =>
      page.events.length === 0 && limit > 0 &&
      !(page.has_more && (resume || order === "asc")),
    as: (input) => input.session_id,
    alike: ({ session_id, consumer }) => !session_id && consumer === undefined,
  },
  run(bus, input, call) {
    const page = read(bus, input, call);
    return {
      events: page.events.map(toWire),
      next_cursor: page.next_cursor === null ? null : String(page.next_cursor),
      has_more: page.has_more,
      unread: page.unread,
      ...(page.archived_through === null
        ? {}
        : { archived_through: String(page.archived_through) }),
    };
  },
});
