import { z } from "zod";
import { unregister } from "../bus/sessions.ts";
import { ENDS, operation } from "./operation.ts";

export const unregisterSession = operation({
  name: "unregister_session",
  title: "Unregister session",
  description: "End a session, by session_id or by client_id and machine.",
  input: z.strictObject({
    session_id: z.string().optional(),
    client_id: z.string().optional(),
    machine: z.string().optional(),
  }),
  output: z.object({
    success: z.literal(true),
    session_id: z.string(),
    display_id: z.string(),
    active_sessions: z.int(),
  }),
  annotations: ENDS,
  scope: "publish",
  tool: true,
  writes: true,
  run(bus, input, call) {
    const { session, active } = unregister(bus, input, call);
    return {
      success: true as const,
      session_id: session.id,
      display_id: session.display_id,
      active_sessions: active,
    };
  },
});
