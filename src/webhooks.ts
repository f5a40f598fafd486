/**
 * Sends to webhooks what the log has for them. One loop for each active one; it holds a position
 * and waits for the bell, or after a failure for its next attempt. A paused one has no loop.
 */
import { getLogger } from "@logtape/logtape";
import type { Bus, Caller } from "./bus.ts";
import {
  dueIn,
  isFarBehind,
  type Next,
  next,
  noteFailed,
  noteMoved,
  type Outlook,
  takeUp,
} from "./bus/sending.ts";
import { callBy } from "./operations/perform.ts";
import { deliveryId, letterOf } from "./operations/webhook_wire.ts";
import { activeWebhooks, type Webhook } from "./store/webhooks.ts";
import { EVERY_SCOPE } from "./token.ts";

export interface Webhooks {
  /** Begins no attempt any more, and gives up those under way after `patienceMs`. */
  close(patienceMs: number): Promise<void>;
}

export interface WebhookParts {
  readonly bus: Bus;
  /** After so long of failures a webhook is paused. */
  readonly giveUpMs: number;
  /** Resolves after `ms`, or as soon as `signal` aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** After a failure of our own, such as a full disk: the receiver is not to blame. */
const FAULT_PAUSE_MS = 5000;

const SENDER: Caller = {
  principal: "server",
  scopes: EVERY_SCOPE,
  local: true,
  peer: "",
  path: "webhook",
};

const log = getLogger(["event-bus", "webhooks"]);

/** Starts sending, from where every webhook stands. */
export function startWebhooks({ bus, giveUpMs, sleep = pause }: WebhookParts): Webhooks {
  const loops = new Map<number, { stop: AbortController; ended: Promise<void> }>();
  const closing = new AbortController();
  const late = new AbortController();

  /** Whenever a webhook came, went, was paused or resumed, every loop ends and those needed begin. */
  async function oversee(): Promise<void> {
    for (;;) {
      const seen = bus.webhookBell.rings;
      startMissing();
      if (!await bus.webhookBell.wait(seen, closing.signal)) return;
      for (const { stop } of loops.values()) stop.abort();
    }
  }

  function startMissing(): void {
    if (closing.signal.aborted || bus.bell.stopped) return;
    for (const id of activeOnes()) {
      if (loops.has(id)) continue;
      const stop = new AbortController();
      const ended = follow(id, stop.signal).finally(() => {
        // An attempt may have taken long, and the webhook been resumed meanwhile.
        loops.delete(id);
        startMissing();
      });
      loops.set(id, { stop, ended });
    }
  }

  function activeOnes(): number[] {
    try {
      return activeWebhooks(bus.store);
    } catch (failure) {
      // The next change of any webhook looks again.
      log.error("the webhooks cannot be read: {failure}", { failure });
      return [];
    }
  }

  async function follow(id: number, stop: AbortSignal): Promise<void> {
    let outlook: Outlook | null = null;
    while (!stop.aborted && !bus.bell.stopped) {
      try {
        outlook ??= await inBatch((call) => takeUp(bus, id, call));
        if (outlook === null) return;
        outlook = await advance(outlook, stop);
      } catch (failure) {
        log.error("webhook {id}: {failure}", { id, failure });
        outlook = null;
        await sleep(FAULT_PAUSE_MS, stop);
      }
    }
  }

  /** One step: look, wait or send. Answers the new outlook, or null when it is to be taken up anew. */
  async function advance(outlook: Outlook, stop: AbortSignal): Promise<Outlook | null> {
    const seen = bus.bell.rings;
    const ahead = next(bus, outlook);
    if (ahead.event !== null) return await send(outlook, ahead, ahead.event, stop);
    const looked = { ...outlook, scanned: ahead.through };
    if (isFarBehind(looked)) {
      await inBatch((call) => noteMoved(bus, looked, { through: looked.scanned, count: 0 }, call));
      return { ...looked, position: looked.scanned };
    }
    if (!ahead.more) await bus.bell.wait(seen, stop);
    return looked;
  }

  async function send(
    outlook: Outlook,
    { through }: Next,
    event: NonNullable<Next["event"]>,
    stop: AbortSignal,
  ): Promise<Outlook | null> {
    const { webhook } = outlook;
    const wait = dueIn(webhook, bus.clock());
    if (wait > 0) {
      await sleep(wait, stop);
      return outlook;
    }
    const began = bus.clock();
    const sent = { delivery_id: deliveryId(webhook.id, event.id), at: began };
    const answer = await bus.courier.post(letterOf(webhook, event, sent), late.signal);
    if (answer.taken) {
      await inBatch((call) => noteMoved(bus, outlook, { through, count: 1 }, call));
      log.debug(`webhook ${webhook.id} took event ${event.id}`);
      return afterSuccess(outlook, through);
    }
    // Nobody knows whether it arrived; the next start of the bus sends it again.
    if (late.signal.aborted) return null;
    const failure = { error: answer.error ?? "", hopeless: answer.hopeless, began };
    await inBatch((call) => noteFailed(bus, webhook.id, failure, giveUpMs, call));
    log.warn("webhook {id}: attempt {attempt} to send event {event} failed: {error}", {
      id: webhook.id,
      attempt: webhook.attempts + 1,
      event: event.id,
      error: failure.error,
    });
    return null;
  }

  const inBatch = <T>(write: (call: ReturnType<typeof callBy>) => T): Promise<T> =>
    bus.store.inBatch(({ afterCommit }) => write(callBy(bus, SENDER, afterCommit)));

  const overseen = oversee();
  return {
    async close(patienceMs) {
      closing.abort();
      const ends = [...loops.values()].map(({ stop, ended }) => {
        stop.abort();
        return ended;
      });
      const timer = setTimeout(() => late.abort(), patienceMs);
      await Promise.all([overseen, ...ends]);
      clearTimeout(timer);
    },
  };
}

/** What was read before is still true: only this loop moves the position, and changes end the loop. */
function afterSuccess({ webhook }: Outlook, through: number): Outlook {
  const well: Webhook = { ...webhook, attempts: 0, failing_since: null, retry_at: null };
  return { webhook: well, position: through, scanned: through };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake);
  });
}
