import { z } from "zod";
import { unregisterWebhook as unregister } from "../bus/webhooks.ts";
import { ENDS, operation } from "./operation.ts";
import { webhookId } from "./webhook_wire.ts";

export const unregisterWebhook = operation({
  name: "unregister_webhook",
  title: "Unregister webhook",
  description: "Remove a webhook for good.",
  input: z.strictObject({ webhook_id: webhookId }),
  output: z.object({ success: z.literal(true), webhook_id: webhookId }),
  annotations: ENDS,
  scope: "admin",
  tool: true,
  writes: true,
  run(bus, { webhook_id }, call) {
    unregister(bus, webhook_id, call);
    return { success: true as const, webhook_id };
  },
});
