/** A session as callers see it. */
import { z } from "zod";
import type { Bus } from "../bus.ts";
import { lastReadOf, reachableBy, stateOf } from "../bus/presence.ts";
import { unreadOf } from "../bus/reading.ts";
import { channelsOf } from "../channel.ts";
import { type Session, SESSION_STATES } from "../session.ts";
import { iso } from "./wire.ts";

export const sessionState = z.enum([...SESSION_STATES, "ended"]);

export const wireSession = z.object({
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
  state: sessionState,
  state_since: z.string(),
  status: z.string().nullable(),
  status_at: z.string().nullable(),
  unread: z.int(),
  last_read: z.object({ at: z.string(), consumer: z.string(), path: z.string() }).nullable(),
  reachable_by: z.array(z.string()),
});

/** Looks a session up in every respect, and changes nothing. */
export function sessionToWire(bus: Bus, session: Session, now: number): z.output<
  typeof wireSession
> {
  const { state, since } = stateOf(session, now);
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
    age_seconds: Math.max(0, (now - session.registered_at) / 1000),
    subscribed_channels: channelsOf(session),
    state,
    state_since: iso(since),
    status: session.status,
    status_at: session.status_at === null ? null : iso(session.status_at),
    unread: unreadOf(bus, session),
    last_read: read && { at: iso(read.moved_at), consumer: read.name, path: read.path },
    reachable_by: reachableBy(bus, session),
  };
}
