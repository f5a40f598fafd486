import { deliveryText, pretty, type WireDelivery } from "./format.ts";
import { usageError, type Verb } from "./verb.ts";

export const verb: Verb = {
  help:
    `Tell who has an event: whom it was for, by which path it reached them and when, who has not and why.

Usage: event-bus delivery EVENT_ID [--json]

Examples:
  event-bus delivery 42
  event-bus delivery 42 --json | jq -r '.audience[] | select(.state == "waiting") | .display_id'
`,
  options: {},
  positionals: ["event_id"],
  async run({ positionals: [event_id] }, { json, client, out }) {
    if (event_id === undefined || !/^[0-9]{1,16}$/.test(event_id)) {
      throw usageError("delivery requires an event's id, a number; see event-bus help delivery");
    }
    const report = await client.call<WireDelivery>("get_delivery", { event_id: Number(event_id) });
    out(json ? pretty(report) : deliveryText(report));
    return 0;
  },
};
