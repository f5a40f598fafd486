import { z } from "zod";
import { livingSessions } from "../bus/sessions.ts";
import { channelsOf } from "../channel.ts";
import { operation, READS } from "./operation.ts";

export const listChannels = operation({
  name: "list_channels",
  title: "List channels",
  description: "List the channels of active sessions with subscriber counts.",
  input: z.strictObject({}),
  output: z.array(z.object({ channel: z.string(), subscribers: z.int() })),
  annotations: READS,
  scope: "read",
  tool: true,
  writes: false,
  endsTheGone: true,
  run(bus) {
    const counts = new Map<string, number>();
    for (const channel of livingSessions(bus).flatMap(channelsOf)) {
      counts.set(channel, (counts.get(channel) ?? 0) + 1);
    }
    return [...counts]
      .map(([channel, subscribers]) => ({ channel, subscribers }))
      .sort((a, b) => a.channel < b.channel ? -1 : 1);
  },
});
