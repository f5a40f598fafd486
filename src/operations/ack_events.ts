import { z } from "zod";
import { acknowledge, MAX_CONSUMER_LENGTH } from "../bus/positions.ts";
import { operation, SETS } from "./operation.ts";
import { sessionId } from "./wire.ts";

export const ackEvents = operation({
  name: "ack_events",
  title: "Acknowledge events",
  description: "Mark everything through cursor as read, after a peek.",
  input: z.strictObject({
    session_id: sessionId.optional(),
    cursor: z.string(),
    consumer: z.string().min(1).max(MAX_CONSUMER_LENGTH).optional(),
    allow_rewind: z.boolean().default(false),
  }),
  output: z.object({
    success: z.literal(true),
    session_id: z.string().nullable(),
    consumer: z.string(),
    cursor: z.string(),
    previous_cursor: z.string().nullable(),
  }),
  annotations: SETS,
  scope: "read",
  tool: true,
  writes: true,
  run(bus, input, call) {
    const { session_id, consumer, cursor, previous } = acknowledge(bus, input, call);
    return {
      success: true as const,
      session_id,
      consumer,
      cursor: String(cursor),
      previous_cursor: previous === null ? null : String(previous),
    };
  },
});
