import { z } from "zod";
import { acknowledge } from "../bus/positions.ts";
import { operation } from "./operation.ts";
import { sessionId } from "./wire.ts";

export const ackEvents = operation({
  name: "ack_events",
  title: "Acknowledge events",
  description: "Mark everything up to cursor as read by this session.",
  input: z.strictObject({
    session_id: sessionId,
    cursor: z.string(),
    allow_rewind: z.boolean().default(false),
  }),
  output: z.object({
    success: z.literal(true),
    session_id: z.string(),
    cursor: z.string(),
    previous_cursor: z.string().nullable(),
  }),
  annotations: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  tool: false,
  writes: true,
  run(bus, input, call) {
    const { session_id, cursor, previous } = acknowledge(bus, input, call);
    return {
      success: true as const,
      session_id,
      cursor: String(cursor),
      previous_cursor: previous === null ? null : String(previous),
    };
  },
});
