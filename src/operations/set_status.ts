import { z } from "zod";
import { describeSession } from "../bus/presence.ts";
import { MAX_CHANNEL_LENGTH } from "../channel.ts";
import { MAX_WAKE_CHANNELS, SESSION_STATES } from "../session.ts";
import { operation, SETS } from "./operation.ts";
import { iso, sessionId } from "./wire.ts";

export const setStatus = operation({
  name: "set_status",
  title: "Set status",
  description: "Say in one line what this session does, for list_sessions; and which channels, " +
    "beside direct messages, wake it.",
  input: z.strictObject({
    session_id: sessionId,
    status: z.string().max(200).optional(),
    state: z.enum(SESSION_STATES).optional(),
    wake_on: z.array(z.string().min(1).max(MAX_CHANNEL_LENGTH)).max(MAX_WAKE_CHANNELS).optional(),
  }),
  output: z.object({
    session_id: z.string(),
    status: z.string().nullable(),
    status_at: z.string().nullable(),
    state: z.enum(SESSION_STATES).nullable(),
    wake_on: z.array(z.string()),
  }),
  annotations: SETS,
  scope: "publish",
  tool: true,
  writes: true,
  run(bus, input, call) {
    const session = describeSession(bus, input, call);
    return {
      session_id: session.id,
      status: session.status,
      status_at: session.status_at === null ? null : iso(session.status_at),
      state: session.state,
      wake_on: [...session.wake_on],
    };
  },
});
