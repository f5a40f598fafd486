/** What webhooks look like on the wire: in listings, and as the POSTs that they are. */
import { createHmac } from "node:crypto";
import { z } from "zod";
import { VERSION } from "../build.ts";
import type { Letter } from "../courier.ts";
import type { Event } from "../event.ts";
import type { Webhook } from "../store/webhooks.ts";
import { iso, toWire } from "./wire.ts";

/** The id of a webhook, as callers name it. */
export const webhookId = z.int();

const time = z.string().nullable();

/** Everything about a webhook but its secret. */
export const wireWebhook = z.object({
  webhook_id: webhookId,
  url: z.string(),
  channel: z.string().nullable(),
  event_types: z.array(z.string()).nullable(),
  active: z.boolean(),
  created_at: z.string(),
  has_secret: z.boolean(),
  delivered_at: time,
  attempts: z.int(),
  failing_since: time,
  retry_at: time,
  last_error: z.string().nullable(),
  paused_reason: z.string().nullable(),
  unread: z.int(),
});

/** A webhook as callers see it. */
export function toWireWebhook(
  webhook: Webhook & { unread: number },
): z.output<typeof wireWebhook> {
  return {
    webhook_id: webhook.id,
    url: webhook.url,
    channel: webhook.channel,
    event_types: webhook.event_types === null ? null : [...webhook.event_types],
    active: webhook.active,
    created_at: iso(webhook.created_at),
    has_secret: webhook.secret !== null,
    delivered_at: isoOrNull(webhook.delivered_at),
    attempts: webhook.attempts,
    failing_since: isoOrNull(webhook.failing_since),
    retry_at: isoOrNull(webhook.retry_at),
    last_error: webhook.last_error,
    paused_reason: webhook.paused_reason,
    unread: webhook.unread,
  };
}

const isoOrNull = (at: number | null): string | null => at === null ? null : iso(at);

/**
 * The POST that tells a webhook of an event. `delivery_id` is the same however often it is tried,
 * so that a receiver can drop repeats; it and the time are under the signature.
 */
export function letterOf(
  webhook: Webhook,
  event: Event,
  sent: { delivery_id: string; at: number },
): Letter {
  const { delivery_id, at } = sent;
  const body = JSON.stringify({ ...toWire(event), delivery_id, sent_at: iso(at) });
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    "User-Agent": `event-bus/${VERSION}`,
    "X-Event-Bus-Delivery": delivery_id,
    // A header takes no more than this; the body has the type as it is.
    "X-Event-Bus-Event": event.event_type.replace(/[^\x21-\x7e]/gu, "?"),
  };
  if (webhook.secret !== null) {
    const digest = createHmac("sha256", webhook.secret).update(body).digest("hex");
    headers["X-Event-Bus-Signature"] = `sha256=${digest}`;
  }
  return { url: webhook.url, headers, body };
}

/** The same for every attempt to send one event to one webhook, and for nothing else. */
export const deliveryId = (webhookId: number, eventId: number): string => `${webhookId}-${eventId}`;
