import { z } from "zod";
import { DELIVERY_STATES, deliveryOf, type Receipt } from "../bus/delivery.ts";
import { stateOf } from "../bus/presence.ts";
import { operation, READS } from "./operation.ts";
import { iso } from "./wire.ts";

const receipt = z.object({
  session_id: z.string().nullable(),
  display_id: z.string().nullable(),
  name: z.string().nullable(),
  state: z.enum(DELIVERY_STATES),
  consumer: z.string().nullable(),
  principal: z.string().nullable(),
  path: z.string().nullable(),
  at: z.string().nullable(),
  after_ms: z.int().nullable(),
  reachable_by: z.array(z.string()),
  why: z.string().optional(),
});

export const getDelivery = operation({
  name: "get_delivery",
  title: "Get delivery",
  description: "Who an event was for, who has it, how and since when, and who has not and why.",
  input: z.strictObject({ event_id: z.int().min(1) }),
  output: z.object({
    event_id: z.int(),
    event_type: z.string(),
    channel: z.string(),
    session_id: z.string(),
    timestamp: z.string(),
    audience: z.array(receipt),
    others: z.array(receipt),
  }),
  annotations: READS,
  scope: "read",
  tool: true,
  writes: false,
  endsTheGone: true,
  run(bus, { event_id }, call) {
    const { event, audience, others } = deliveryOf(bus, event_id);
    const describe = (found: Receipt): z.output<typeof receipt> => ({
      session_id: found.session?.id ?? null,
      display_id: found.session?.display_id ?? null,
      name: found.session?.name ?? null,
      state: found.state,
      consumer: found.consumer?.name ?? null,
      principal: found.consumer?.principal || null,
      path: found.path,
      at: found.at === null ? null : iso(found.at),
      after_ms: found.at === null ? null : Math.max(0, found.at - event.at),
      reachable_by: [...found.reachable_by],
      ...explanation(found, call.now),
    });
    return {
      event_id: event.id,
      event_type: event.event_type,
      channel: event.channel,
      session_id: event.session_id,
      timestamp: iso(event.at),
      audience: audience.map(describe),
      others: others.map(describe),
    };
  },
});

/** Why somebody whom it concerns does not have it. */
function explanation({ state, session, reachable_by }: Receipt, now: number): { why?: string } {
  if (state === "passed_over") return { why: "its reader's filter left it out" };
  if (state === "unrecorded") return { why: "read before there was a record" };
  if (session === null || state === "has") return {};
  const { state: is, since } = stateOf(session, now);
  if (is === "ended") return { why: `ended at ${iso(since)} without reading so far` };
  const heard = `not read so far; ${is} since ${iso(since)}`;
  return {
    why: reachable_by.length === 0 ? `${heard}, and nothing reaches it unless it asks` : heard,
  };
}
