/** The rules of webhooks: consumers of the log that the bus itself calls. */
import type { Bus, Call } from "../bus.ts";
import { addressesNobody, checkChannel } from "../channel.ts";
import { BusError } from "../errors.ts";
import type { EventFilter } from "../filter.ts";
import { countEvents, tip } from "../store/events.ts";
import type { Store } from "../store/open.ts";
import { type Consumer, removeConsumer } from "../store/positions.ts";
import {
  allWebhooks,
  countWebhooks,
  deleteWebhook,
  findWebhook,
  insertWebhook,
  setWebhookActive,
  type Webhook,
} from "../store/webhooks.ts";
import { checkUrl } from "../webhook_url.ts";
import { standing, startAt } from "./positions.ts";
import { newsAfter } from "./news.ts";
import { resolveChannel } from "./publishing.ts";
import { MAX_UNREAD } from "./reading.ts";

export interface WantedWebhook {
  readonly url: string;
  readonly channel?: string | undefined;
  readonly event_types?: readonly string[] | undefined;
  readonly secret?: string | undefined;
}

/** Registers a webhook; it is sent what is published from now on. */
export function registerWebhook(bus: Bus, wanted: WantedWebhook, call: Call): Webhook {
  const { store } = bus;
  checkUrl(wanted.url);
  const { principal } = call.caller;
  bus.limits.webhook(countWebhooks(store, principal));
  const types = wanted.event_types ?? [];
  const id = insertWebhook(store, {
    url: wanted.url,
    channel: channelPattern(store, wanted.channel),
    event_types: types.length === 0 ? null : types,
    secret: wanted.secret || null,
    created_at: call.now,
    principal,
  });
  startAt(store, consumerOfWebhook(id), tip(store), call.now);
  call.afterCommit(() => bus.webhookBell.ring());
  return webhookNamed(store, id);
}

/** Webhooks, newest first, and how many events wait for each. */
export function webhooks(bus: Bus, activeOnly: boolean): (Webhook & { unread: number })[] {
  const { store } = bus;
  return allWebhooks(store).filter(({ active }) => active || !activeOnly).map((webhook) => {
    const position = standing(store, consumerOfWebhook(webhook.id)) ?? tip(store);
    const unread = countEvents(
      store,
      position,
      { ...filterOfWebhook(webhook), ...newsAfter(store, position) },
      MAX_UNREAD,
    );
    return { ...webhook, unread };
  });
}

/** Pauses a webhook, or resumes it where it stands: at once, and with its failures forgotten. */
export function setActive(bus: Bus, id: number, active: boolean, call: Call): void {
  webhookNamed(bus.store, id);
  setWebhookActive(bus.store, id, active);
  if (active) begin(bus.store, id, call.now);
  call.afterCommit(() => bus.webhookBell.ring());
}

/** Removes a webhook, its position and its record. */
export function unregisterWebhook(bus: Bus, id: number, call: Call): void {
  webhookNamed(bus.store, id);
  deleteWebhook(bus.store, id);
  removeConsumer(bus.store, consumerOfWebhook(id));
  call.afterCommit(() => bus.webhookBell.ring());
}

/** Where a webhook stands; one that never stood anywhere begins at the tip. Only inside a batch. */
export function begin(store: Store, id: number, now: number): number {
  const consumer = consumerOfWebhook(id);
  const position = standing(store, consumer);
  if (position !== null) return position;
  startAt(store, consumer, tip(store), now);
  return tip(store);
}

/** The webhook with this id; throws `not_found`. */
export function webhookNamed(store: Store, id: number): Webhook {
  const webhook = findWebhook(store, id);
  if (webhook !== null) return webhook;
  throw new BusError("not_found", "Webhook not found", { success: false, webhook_id: id });
}

/** Whose position a webhook's is; no principal's name begins with a colon. */
export const consumerOfWebhook = (id: number): Consumer => ({
  session_id: "",
  principal: ":webhook",
  name: String(id),
});

/** What a webhook is sent: every kind of event, unless it asked for less. */
export function filterOfWebhook({ channel, event_types }: Webhook): EventFilter {
  const types = event_types === null ? {} : { event_types };
  if (channel === null) return types;
  return channel.endsWith("*")
    ? { channel_prefix: channel.slice(0, -1), ...types }
    : { channel, ...types };
}

/** `session:` alone names nobody; the original's clients ask so for all that begin with it. */
function channelPattern(store: Store, wanted: string | undefined): string | null {
  if (!wanted) return null;
  const channel = checkChannel(wanted);
  if (channel.endsWith("*")) return channel;
  return addressesNobody(channel) ? `${channel}*` : resolveChannel(store, channel).channel;
}
