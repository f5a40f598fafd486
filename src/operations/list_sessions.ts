import { z } from "zod";
import { lastReadOf, reachableBy, stateOf } from "../bus/presence.ts";
import { unreadOf } from "../bus/reading.ts";
import { endedSessions, livingSessions } from "../bus/sessions.ts";
import { channelsOf } from "../channel.ts";
import { SESSION_STATES } from "../session.ts";
import { operation, READS } from "./operation.ts";
import { iso } from "./wire.ts";

/** The latest who have gone; nobody looks for older ones here. */
const MAX_ENDED = 50;

export const listSessions = operation({
  name: "list_sessions",
  title: "List sessions",
  description: "List active sessions, most recently active first.",
  input: z.strictObject({ include_ended: z.boolean().default(false) }),
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
    state: z.enum([...SESSION_STATES, "ended"]),
    state_since: z.string(),
    status: z.string().nullable(),
    status_at: z.string().nullable(),
    unread: z.int(),
    last_read: z.object({ at: z.string(), consumer: z.string(), path: z.string() }).nullable(),
    reachable_by: z.array(z.string()),
  })),
  annotations: READS,
  scope: "read",
  tool: true,
  writes: false,
  endsTheGone: true,
  run(bus, { include_ended }, call) {
    const ended = include_ended ? endedSessions(bus, MAX_ENDED) : [];
    return [...livingSessions(bus), ...ended].map((session) => {
      const { state, since } = stateOf(session, call.now);
      const read = lastReadOf(bus, session);
      return {
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
        state,
        state_since: iso(since),
        status: session.status,
        status_at: session.status_at === null ? null : iso(session.status_at),
        unread: unreadOf(bus, session),
        last_read: read && { at: iso(read.moved_at), consumer: read.name, path: read.path },
        reachable_by: reachableBy(bus, session),
      };
    });
  },
});
