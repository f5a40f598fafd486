import { z } from "zod";
import { register } from "../bus/sessions.ts";
import { MAX_CWD_LENGTH, MAX_NAME_LENGTH } from "../session.ts";
import { operation, SETS } from "./operation.ts";

export const registerSession = operation({
  name: "register_session",
  title: "Register session",
  description:
    "Announce this session; returns its session_id. Repeat with the same client_id to resume.",
  input: z.strictObject({
    name: z.string().min(1).max(MAX_NAME_LENGTH),
    machine: z.string().optional(),
    cwd: z.string().max(MAX_CWD_LENGTH).optional(),
    client_id: z.string().optional(),
  }),
  output: z.object({
    session_id: z.string(),
    display_id: z.string(),
    name: z.string(),
    machine: z.string(),
    cwd: z.string(),
    repo: z.string(),
    active_sessions: z.int(),
    cursor: z.string().nullable(),
    resumed: z.boolean(),
    tip: z.string(),
  }),
  annotations: SETS,
  scope: "publish",
  tool: true,
  writes: true,
  run(bus, input, call) {
    const { session, cursor, resumed, active } = register(bus, input, call);
    return {
      session_id: session.id,
      display_id: session.display_id,
      name: session.name,
      machine: session.machine,
      cwd: session.cwd,
      repo: session.repo,
      active_sessions: active,
      cursor: cursor === 0 ? null : String(cursor),
      resumed,
      tip: `You are ${session.display_id}. Read what is new with get_events` +
        `(session_id=${JSON.stringify(session.id)}, resume=true); it continues from your cursor.`,
    };
  },
});
