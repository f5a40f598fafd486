import { z } from "zod";
import { endedSessions, livingSessions } from "../bus/sessions.ts";
import { operation, READS } from "./operation.ts";
import { sessionToWire, wireSession } from "./session_wire.ts";

/** The latest who have gone; nobody looks for older ones here. */
const MAX_ENDED = 50;

export const listSessions = operation({
  name: "list_sessions",
  title: "List sessions",
  description: "List active sessions, most recently active first.",
  input: z.strictObject({ include_ended: z.boolean().default(false) }),
  output: z.array(wireSession),
  annotations: READS,
  scope: "read",
  tool: true,
  writes: false,
  endsTheGone: true,
  run(bus, { include_ended }, call) {
    const ended = include_ended ? endedSessions(bus, MAX_ENDED) : [];
    return [...livingSessions(bus), ...ended].map((session) =>
      sessionToWire(bus, session, call.now)
    );
  },
});
