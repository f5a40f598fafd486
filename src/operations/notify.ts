import { z } from "zod";
import { APPENDS, operation } from "./operation.ts";

export const notify = operation({
  name: "notify",
  title: "Notify the human",
  description: "Show the human a desktop notification.",
  input: z.strictObject({
    title: z.string().min(1).max(200),
    message: z.string().max(2000),
    sound: z.boolean().default(false),
  }),
  output: z.object({
    success: z.boolean(),
    title: z.string(),
    message: z.string(),
    reason: z.string().optional(),
  }),
  annotations: { ...APPENDS, openWorldHint: true },
  scope: "publish",
  tool: true,
  writes: false,
  async run(bus, { title, message, sound }) {
    const { success, reason } = await bus.desktop.show({ title, message, sound });
    return { success, title, message, ...(reason === undefined ? {} : { reason }) };
  },
});
