import { pretty, safeLine } from "./format.ts";
import { EXIT, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Say whether the bus answers, and what it is.

Usage: event-bus status [--json]

Exits 0 when it works, 1 when something is wrong with it, 3 when it cannot be reached.

Example:
  event-bus status --json | jq -r .version
`,
  options: {},
  async run(_args, { json, client, out }) {
    const health = await client.health();
    if (json) out(pretty({ url: client.base, ...health }));
    else {
      const facts = { url: client.base, ...health };
      out(Object.entries(facts).map(([k, v]) => `${k}: ${safeLine(String(v))}\n`).join(""));
    }
    return health.status === "ok" ? EXIT.done : EXIT.refused;
  },
};
