import { z } from "zod";
import { beginningOf } from "../bus/following.ts";
import { archivedAfter } from "../bus/reading.ts";
import { operation, READS } from "./operation.ts";
import { wantedInput } from "./wire.ts";

/** Opens a stream; the door over HTTP keeps it going. No door beside `GET /v1/events/stream` has it. */
export const streamEvents = operation({
  name: "stream_events",
  title: "Stream events",
  description:
    "Server-sent events as they come. Begins after Last-Event-ID, else cursor, else where the " +
    "session or consumer stands, else now. Marks nothing as read: ack_events does. A block with " +
    "an id and no data says how far the filters were looked through; an event called archived, " +
    "through which id events have left the log; one called end, why the stream ends.",
  input: z.strictObject(wantedInput),
  output: z.object({ start: z.int(), archived_through: z.int().nullable() }),
  annotations: READS,
  scope: "read",
  tool: false,
  // A consumer of no session gets its start with its first call.
  writes: ({ session_id, consumer }) => !session_id && consumer !== undefined,
  run(bus, input, call) {
    const start = beginningOf(bus, input, call);
    return { start, archived_through: archivedAfter(bus.store, start) };
  },
});
