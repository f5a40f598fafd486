import { z } from "zod";
import { webhooks } from "../bus/webhooks.ts";
import { operation, READS } from "./operation.ts";
import { toWireWebhook, wireWebhook } from "./webhook_wire.ts";

export const listWebhooks = operation({
  name: "list_webhooks",
  title: "List webhooks",
  description: "List webhooks, newest first: their failures, and the events that wait.",
  input: z.strictObject({ active_only: z.boolean().default(true) }),
  output: z.array(wireWebhook),
  annotations: READS,
  scope: "admin",
  tool: true,
  writes: false,
  run: (bus, { active_only }) => webhooks(bus, active_only).map(toWireWebhook),
});
