/** A bus that sends to webhooks, where waiting for the next attempt takes no time. */
import type { Courier } from "../../src/courier.ts";
import { standing } from "../../src/bus/positions.ts";
import { consumerOfWebhook } from "../../src/bus/webhooks.ts";
import { findWebhook, type Webhook } from "../../src/store/webhooks.ts";
import { startWebhooks } from "../../src/webhooks.ts";
import { type TestBus, testBus } from "./bus.ts";
import { until } from "./receiver.ts";

export const HOUR_MS = 60 * 60 * 1000;

export interface SendingBus extends AsyncDisposable {
  readonly bus: TestBus;
  /** How long it would have waited, in milliseconds, each time. */
  readonly waits: number[];
  register(args: Record<string, unknown>): Promise<number>;
  publish(args?: Record<string, unknown>): Promise<number>;
  webhook(id: number): Webhook;
  position(id: number): number | null;
  /** Resolves when a webhook has been sent everything through an event. */
  sent(id: number, through: number): Promise<void>;
  /** Resolves when a webhook is paused. */
  paused(id: number): Promise<void>;
}

export interface SendingParts {
  /** A database file, for a bus that is to be opened again. */
  readonly path?: string;
  readonly courier?: Courier;
  readonly giveUpMs?: number;
  /** What happens when it would wait; by default the clock moves on at once. */
  readonly sleep?: (ms: number, signal: AbortSignal, bus: TestBus) => Promise<void>;
  /** What the clock shows beyond the start, so that time goes on over a restart. */
  readonly later?: number;
}

export function sendingBus(parts: SendingParts = {}): SendingBus {
  const bus = testBus(parts.path);
  if (parts.courier !== undefined) Object.assign(bus, { courier: parts.courier });
  bus.pass(parts.later ?? 0);
  const waits: number[] = [];
  const sleep = parts.sleep ?? ((ms: number) => {
    bus.pass(ms);
    return Promise.resolve();
  });
  const webhooks = startWebhooks({
    bus,
    giveUpMs: parts.giveUpMs ?? 24 * HOUR_MS,
    sleep(ms, signal) {
      waits.push(ms);
      return sleep(ms, signal, bus);
    },
  });
  const webhook = (id: number): Webhook => {
    const found = findWebhook(bus.store, id);
    if (found === null) throw new Error(`no webhook ${id}`);
    return found;
  };
  const position = (id: number) => standing(bus.store, consumerOfWebhook(id));
  return {
    bus,
    waits,
    register: async (args) => (await bus.call("register_webhook", args)).webhook_id,
    publish: async (args = {}) =>
      (await bus.call("publish_event", { event_type: "note", payload: "p", ...args })).event_id,
    webhook,
    position,
    sent: (id, through) =>
      until(() => (position(id) ?? 0) >= through, `webhook ${id} never reached event ${through}`),
    paused: (id) => until(() => !webhook(id).active, `webhook ${id} never paused`),
    async [Symbol.asyncDispose]() {
      await webhooks.close(0);
      bus[Symbol.dispose]();
    },
  };
}

/** Never ends by itself, as the wait for an attempt that is not due in this test. */
export function forever(_ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
