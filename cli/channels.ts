import { channelsText, pretty } from "./format.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  help: `List the channels of active sessions, with how many listen to each.

Usage: event-bus channels [--json]

Example:
  event-bus channels
`,
  options: {},
  async run(_args, { json, client, out }) {
    const channels = await client.call<{ channel: string; subscribers: number }[]>(
      "list_channels",
      {},
    );
    out(json ? pretty(channels) : channelsText(channels));
    return 0;
  },
};
