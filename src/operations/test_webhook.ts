import { z } from "zod";
import { webhookNamed } from "../bus/webhooks.ts";
import { DEFAULT_CHANNEL } from "../channel.ts";
import { ABSENT, ANONYMOUS, type Event } from "../event.ts";
import { operation, READS } from "./operation.ts";
import { letterOf, webhookId } from "./webhook_wire.ts";

export const testWebhook = operation({
  name: "test_webhook",
  title: "Test webhook",
  description:
    "Send a made-up event of type webhook_test to a webhook once, also to a paused one, and answer " +
    "how that went. Its position stays where it is.",
  input: z.strictObject({ webhook_id: webhookId }),
  output: z.object({
    success: z.boolean(),
    webhook_id: webhookId,
    status: z.int().nullable(),
    reason: z.string().optional(),
  }),
  annotations: { ...READS, idempotentHint: false, openWorldHint: true },
  scope: "admin",
  tool: false,
  writes: false,
  async run(bus, { webhook_id }, { now, uuid, caller }) {
    const webhook = webhookNamed(bus.store, webhook_id);
    const sent = { delivery_id: `${webhook_id}-test-${uuid()}`, at: now };
    const letter = letterOf(webhook, { ...TEST, at: now }, sent);
    const { taken, status, error } = await bus.courier.post(letter, caller.signal);
    return {
      success: taken,
      webhook_id,
      status,
      ...(error === null ? {} : { reason: error }),
    };
  },
});

/** No event of the log has this id. */
const TEST: Omit<Event, "at"> = {
  id: 0,
  event_type: "webhook_test",
  payload: "This webhook works",
  channel: DEFAULT_CHANNEL,
  session_id: ANONYMOUS,
  signal_level: "info",
  ...ABSENT,
};
