import { z } from "zod";
import { registerWebhook as register } from "../bus/webhooks.ts";
import { MAX_URL_LENGTH } from "../webhook_url.ts";
import { APPENDS, operation } from "./operation.ts";
import { webhookId } from "./webhook_wire.ts";
import { iso, label } from "./wire.ts";

/** Twice what the longest hash can use. */
const MAX_SECRET_LENGTH = 256;

export const registerWebhook = operation({
  name: "register_webhook",
  title: "Register webhook",
  description:
    "POST every event to url from now on, signed with secret. channel is exact; repo:* is a prefix.",
  input: z.strictObject({
    url: z.string().max(MAX_URL_LENGTH),
    channel: z.string().optional(),
    event_types: z.array(label).max(100).optional(),
    secret: z.string().max(MAX_SECRET_LENGTH).optional(),
  }),
  output: z.object({
    webhook_id: webhookId,
    url: z.string(),
    channel: z.string().nullable(),
    event_types: z.array(z.string()).nullable(),
    created_at: z.string(),
  }),
  annotations: { ...APPENDS, openWorldHint: true },
  scope: "admin",
  tool: true,
  writes: true,
  run(bus, input, call) {
    const { id, url, channel, event_types, created_at } = register(bus, input, call);
    return {
      webhook_id: id,
      url,
      channel,
      event_types: event_types === null ? null : [...event_types],
      created_at: iso(created_at),
    };
  },
});
