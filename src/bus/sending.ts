/** The rules of sending to webhooks: what is next, when it is tried again, and when no more. */
import type { Bus, Call } from "../bus.ts";
import type { Event } from "../event.ts";
import { MAX_SCAN, readEvents } from "../store/events.ts";
import {
  findWebhook,
  setWebhookActive,
  type Webhook,
  webhookFailed,
  webhookSucceeded,
} from "../store/webhooks.ts";
import { append } from "./log.ts";
import { newsAfter } from "./news.ts";
import { move } from "./positions.ts";
import { begin, consumerOfWebhook, filterOfWebhook } from "./webhooks.ts";

/** The first wait after a failure; each further one is twice as long, up to the longest. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 5 * 60 * 1000;
/** An attempt so much later than it was due tells that the bus itself was off or asleep. */
const OVERDUE_MS = 2 * LONGEST_RETRY_MS;

const HOUR_MS = 60 * 60 * 1000;

/** How a webhook stands, and what was looked at beyond its position without finding anything. */
export interface Outlook {
  readonly webhook: Webhook;
  readonly position: number;
  readonly scanned: number;
}

/** How an active webhook stands; null for one that is gone or paused. Only inside a batch. */
export function takeUp(bus: Bus, id: number, call: Call): Outlook | null {
  const webhook = findWebhook(bus.store, id);
  if (webhook === null || !webhook.active) return null;
  const position = begin(bus.store, id, call.now);
  return { webhook, position, scanned: position };
}

export interface Next {
  /** The oldest event that was not sent yet; null when there is none as far as was looked. */
  readonly event: Event | null;
  /** What comes after the event, or was looked at, and is not for this webhook. */
  readonly through: number;
  /** Whether there is more to look at now. */
  readonly more: boolean;
}

/** What a webhook is to be sent next. */
export function next(bus: Bus, { webhook, scanned }: Outlook): Next {
  const filter = { ...filterOfWebhook(webhook), ...newsAfter(bus.store, scanned) };
  const page = readEvents(bus.store, scanned, filter, { limit: 1, maxBytes: 0 });
  return { event: page.events[0] ?? null, through: page.through, more: page.more };
}

/** Whether enough was passed over that the next start of the bus should not look at it again. */
export function isFarBehind({ position, scanned }: Outlook): boolean {
  return scanned - position >= MAX_SCAN;
}

/** Moves a webhook on: past an event that it took, or with a count of 0 past what is not for it. */
export function noteMoved(
  bus: Bus,
  { webhook, position }: Outlook,
  done: { through: number; count: number },
  call: Call,
): void {
  // Removed meanwhile: then nothing of it must come back.
  if (findWebhook(bus.store, webhook.id) === null) return;
  const filter = JSON.stringify({ ...filterOfWebhook(webhook), ...newsAfter(bus.store, position) });
  move(bus, consumerOfWebhook(webhook.id), { from: position, ...done, filter }, call);
  if (done.count > 0) webhookSucceeded(bus.store, webhook.id, call.now);
}

export interface Failure {
  readonly error: string;
  /** Whether trying again is of no use. */
  readonly hopeless: boolean;
  /** When the attempt began. */
  readonly began: number;
}

/**
 * Notes a failed attempt and when the next is due; after `giveUpMs` of failures the webhook is
 * paused, and everybody told so. Nothing is skipped: resumed, it goes on where it stands.
 */
export function noteFailed(
  bus: Bus,
  id: number,
  { error, hopeless, began }: Failure,
  giveUpMs: number,
  call: Call,
): void {
  const { store } = bus;
  const webhook = findWebhook(store, id);
  if (webhook === null || !webhook.active) return;
  const retry_at = call.now + retryDelay(webhook.attempts + 1, call.random());
  webhookFailed(store, id, { at: call.now, error, retry_at });
  const failing = call.now - (webhook.failing_since ?? call.now);
  // Time in which nobody tried says nothing about the receiver: then it gets one more attempt.
  const overdue = webhook.retry_at !== null && began - webhook.retry_at > OVERDUE_MS;
  if (hopeless) giveUp(bus, webhook, error, call);
  else if (failing >= giveUpMs && !overdue) {
    giveUp(bus, webhook, `gave up after ${hours(failing)} of failures: ${error}`, call);
  }
}

function giveUp(bus: Bus, { id, url }: Webhook, reason: string, call: Call): void {
  setWebhookActive(bus.store, id, false, reason);
  append(bus, {
    event_type: "webhook_paused",
    payload: `Webhook ${id} to ${URL.parse(url)?.origin ?? "nowhere"} is paused: ${reason}. ` +
      "Its events are kept: event-bus webhook resume " + id,
    signal_level: "actionable",
    tags: [`webhook:${id}`],
  }, call);
  call.afterCommit(() => bus.webhookBell.ring());
}

/**
 * How long to wait after so many failures in a row: between half and all of a second, doubled each
 * time up to five minutes. `random` in [0, 1) keeps webhooks that failed together apart.
 */
export function retryDelay(attempts: number, random: number): number {
  const full = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1));
  return Math.round(full * (1 + random) / 2);
}

/** How long until the next attempt is due. */
export function dueIn({ retry_at }: Webhook, now: number): number {
  const wait = (retry_at ?? now) - now;
  // Further away than any wait is: the clock was set back.
  return wait > LONGEST_RETRY_MS ? 0 : Math.max(0, wait);
}

function hours(ms: number): string {
  const count = Math.round(ms / HOUR_MS * 10) / 10;
  return `${count} ${count === 1 ? "hour" : "hours"}`;
}
