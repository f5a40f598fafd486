import { z } from "zod";
import { setActive } from "../bus/webhooks.ts";
import { operation, SETS } from "./operation.ts";
import { webhookId } from "./webhook_wire.ts";

export const setWebhookActive = operation({
  name: "set_webhook_active",
  title: "Pause or resume webhook",
  description: "Pause a webhook; resumed, it continues where it stopped.",
  input: z.strictObject({ webhook_id: webhookId, active: z.boolean() }),
  output: z.object({ success: z.literal(true), webhook_id: webhookId, active: z.boolean() }),
  annotations: { ...SETS, openWorldHint: true },
  scope: "admin",
  tool: true,
  writes: true,
  run(bus, { webhook_id, active }, call) {
    setActive(bus, webhook_id, active, call);
    return { success: true as const, webhook_id, active };
  },
});
