import { z } from "zod";
import type { Bus } from "../bus.ts";
import { publish, type Published } from "../bus/publishing.ts";
import { reachableBy } from "../bus/presence.ts";
import { endedDetails } from "../bus/speakers.ts";
import { addressesNobody } from "../channel.ts";
import { MAX_TAGS } from "../event.ts";
import type { Session } from "../session.ts";
import { APPENDS, operation } from "./operation.ts";
import { iso, label, moment, sessionId, signalLevel } from "./wire.ts";

export const publishEvent = operation({
  name: "publish_event",
  title: "Publish event",
  description:
    "Publish to a channel: all, session:{id} (direct message), repo:{name}, machine:{name} or any " +
    "other. session_id is yours, the sender's. reply_to: the event you answer; goes to its sender.",
  input: z.strictObject({
    event_type: label,
    payload: z.string(),
    session_id: sessionId.optional(),
    channel: z.string().optional(),
    title: label.optional(),
    tags: z.array(label).max(MAX_TAGS).optional(),
    correlation_id: label.optional(),
    signal_level: signalLevel.optional(),
    dedupe_key: label.optional(),
    reply_to: z.int().min(1).optional(),
    sent_at: moment.optional().meta({ "x-for-scripts": true }),
  }),
  output: z.object({
    event_id: z.int(),
    event_type: z.string(),
    payload: z.string(),
    channel: z.string(),
    signal_level: signalLevel,
    correlation_id: z.string().optional(),
    recipients: z.array(z.object({
      session_id: z.string(),
      display_id: z.string(),
      state: z.enum(["active", "ended"]),
      reachable_by: z.array(z.string()),
    })).optional(),
    duplicate: z.boolean().optional(),
    masked: z.array(z.string()).optional(),
    warning: z.string().optional(),
    session_deleted: z.boolean().optional(),
    session_id: z.string().optional(),
    display_id: z.string().optional(),
    deleted_at: z.string().optional(),
    hint: z.string().optional(),
  }),
  annotations: APPENDS,
  scope: "publish",
  tool: true,
  writes: true,
  spends: ({ session_id, payload }) => ({ session: session_id, bytes: payload.length }),
  run(bus, input, call) {
    const { sent_at } = input;
    const sent = sent_at === undefined ? undefined : Date.parse(sent_at);
    const published = publish(bus, { ...input, sent_at: sent }, call);
    const { id, duplicate, channel, signal_level, correlation_id, ended_sender } = published;
    const { recipient, direct } = published;
    const warning = input.channel === ""
      ? `The channel was empty: published to ${channel}`
      : warningAbout(published);
    return {
      event_id: id,
      event_type: published.event_type,
      payload: published.payload,
      channel,
      signal_level,
      ...(correlation_id === null ? {} : { correlation_id }),
      ...(duplicate ? { duplicate } : {}),
      ...(published.masked.length === 0 ? {} : { masked: [...published.masked] }),
      ...(direct ? { recipients: recipient === null ? [] : [describe(bus, recipient)] } : {}),
      ...(warning === null ? {} : { warning }),
      ...(ended_sender === null ? {} : endedDetails(ended_sender)),
    };
  },
});

function describe(bus: Bus, session: Session) {
  return {
    session_id: session.id,
    display_id: session.display_id,
    state: session.ended_at === null ? "active" as const : "ended" as const,
    reachable_by: reachableBy(bus, session),
  };
}

/** Stored all the same; but a message that nobody will read is worth a word to its sender. */
function warningAbout(published: Published): string | null {
  const { channel, direct, recipient, masked, isLoop } = published;
  if (masked.length > 0) {
    return `Masked before it was stored: ${masked.join(", ")}; a credential that was sent is no ` +
      "secret any more";
  }
  if (isLoop) {
    return "You two have gone back and forth for long without a human: this waits for the next " +
      "prompt of its reader";
  }
  if (addressesNobody(channel)) {
    return `Channel ${channel} names nobody: something is missing after the colon`;
  }
  if (!direct) return null;
  if (recipient === null) {
    return `No session is called ${JSON.stringify(channel.slice("session:".length))}`;
  }
  return recipient.ended_at === null
    ? null
    : `${recipient.display_id} ended at ${iso(recipient.ended_at)}` +
      " and will read this only if it comes back";
}
