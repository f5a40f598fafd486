import type { Client } from "./client.ts";
import { diagnosisOf } from "./diagnosis.ts";
import { openSpool } from "../src/spool.ts";
import { pretty, safeLine } from "./format.ts";
import { EXIT, type Verb } from "./verb.ts";

interface Times {
  count: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export const verb: Verb = {
  help:
    `Say whether the bus answers, what it is, how many sessions are here and whether any of them cannot
be reached, and how soon events were seen in the last hour.

Usage: event-bus status [--json]

Exits 0 when it works, 1 when something is wrong with it, 3 when it cannot be reached. When it can
only read, it is degraded, and "writes" says why. It says how many events wait in the spool, too.

Example:
  event-bus status --json | jq -r .version
`,
  options: {},
  async run(_args, { json, config, client, out, err }) {
    const spooled = openSpool(config.dataDir).names().length;
    const health = await client.health().catch((failure) => {
      if (spooled > 0) {
        err(`${spooled} ${spooled === 1 ? "event waits" : "events wait"} in the spool`);
      }
      throw failure;
    });
    const works = health.status === "ok";
    const facts = {
      url: client.base,
      ...health,
      ...(spooled > 0 ? { spooled } : {}),
      ...(works ? { ...await sessionsOf(client), ...await seenWithin(client) } : {}),
    };
    out(json ? pretty(facts) : Object.entries(facts).map(line).join(""));
    return works ? EXIT.done : EXIT.refused;
  },
};

/** How many are here, and how many of them no message would reach unless they ask. */
interface Here {
  count: number;
  deaf: number;
}

/** Nothing, when the bus is too old to know. */
async function sessionsOf(client: Client): Promise<{ sessions?: Here }> {
  const sessions = (await diagnosisOf(client))?.sessions;
  if (sessions === undefined) return {};
  return { sessions: { count: sessions.length, deaf: sessions.filter(({ deaf }) => deaf).length } };
}

async function seenWithin(client: Client): Promise<{ delivery: Times }> {
  return { delivery: await client.call<Times>("get_delivery_times", {}) };
}

function line([name, value]: [string, unknown]): string {
  if (name === "sessions") return sessionsLine(value as Here);
  return name === "delivery"
    ? deliveryLine(value as Times)
    : `${name}: ${safeLine(String(value))}\n`;
}

function sessionsLine({ count, deaf }: Here): string {
  const unreached = `${deaf} that nothing reaches unless they ask, see event-bus doctor`;
  return `sessions: ${count}${deaf === 0 ? "" : `, ${unreached}`}\n`;
}

function deliveryLine({ count, p50_ms, p95_ms, p99_ms }: Times): string {
  return count === 0
    ? "seen in the last hour: nothing\n"
    : `seen in the last hour: ${count} events, p50 ${p50_ms} ms, p95 ${p95_ms} ms, p99 ${p99_ms} ms\n`;
}
