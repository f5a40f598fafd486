import { z } from "zod";
import { livingSessions } from "../bus/sessions.ts";
import { channelsOf } from "../channel.ts";
import { operation } from "./operation.ts";
import { iso } from "./wire.ts";

export const listSessions = operation({
  name: "list_sessions",
  title: "List sessions",
  description: "List active sessions, most recently active first.",
  input: z.strictObject({}),
  output: z.array(z.object({
    session_id: z.string(),
    display_id: z.string(),
    name: z.string(),
    machine: z.string(),
    repo: z.string(),
    cwd: z.string(),
    client_id: z.string().nullable(),
    registered_at: z.string(),
    last_heartbeat: z.string(),
    age_seconds: z.number(),
    subscribed_channels: z.array(z.string()),
  })),
  annotations: {
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  tool: true,
  writes: false,
  endsTheGone: true,
  run: (bus, _input, call) =>
    livingSessions(bus).map((session) => ({
      session_id: session.id,
      display_id: session.display_id,
      name: session.name,
      machine: session.machine,
      repo: session.repo,
      cwd: session.cwd,
      client_id: session.client_id,
      registered_at: iso(session.registered_at),
      last_heartbeat: iso(session.last_seen),
      age_seconds: Math.max(0, (call.now - session.registered_at) / 1000),
      subscribed_channels: channelsOf(session),
    })),
});
