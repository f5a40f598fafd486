/**
 * `deno task bench [--quick]`: measures this checkout against what it is compared with, side by side,
 * and says which aims are met. Ends with 1 only when something could not be measured.
 */
import { parseArgs } from "node:util";
import { createWorld, type World } from "./children.ts";
import { compareClients } from "./cli.ts";
import { compareDoors } from "./doors.ts";
import { compareFanout } from "./fanout.ts";
import { compareHooks } from "./hooks.ts";
import { comparePages } from "./pages.ts";
import { Report } from "./report.ts";

/** The whole takes about three minutes; the quick one only shows that everything can be measured. */
const FULL = {
  clients: 20,
  doors: { rounds: 7, seconds: 1, ownGenerator: false },
  fanout: { rounds: 3, readers: [10, 100, 1000], publishes: 20 },
  hooks: { rounds: 15, sessions: 30, events: 10_000 },
  pages: { rounds: 41, short: 1_000, long: 1_000_000 },
};
const QUICK: typeof FULL = {
  clients: 1,
  doors: { rounds: 1, seconds: 0.2, ownGenerator: true },
  fanout: { rounds: 1, readers: [5, 20], publishes: 2 },
  hooks: { rounds: 1, sessions: 3, events: 50 },
  pages: { rounds: 3, short: 1_000, long: 20_000 },
};

const encoder = new TextEncoder();

async function bench(quick: boolean): Promise<number> {
  const sizes = quick ? QUICK : FULL;
  const report = new Report((text) => Deno.stdout.writeSync(encoder.encode(text)));
  await using world = await createWorld();
  const sections: Record<string, (world: World) => Promise<void>> = {
    "the clients": (world) => compareClients(report, world, sizes.clients),
    "the doors": (world) => compareDoors(report, world, sizes.doors),
    "the fan-out": (world) => compareFanout(report, world, sizes.fanout),
    "the hooks": (world) => compareHooks(report, world, sizes.hooks),
    "the pages": (world) => comparePages(report, world, sizes.pages),
  };
  for (const [name, section] of Object.entries(sections)) {
    try {
      await section(world);
    } catch (failure) {
      report.failed(name, (failure as Error).message);
    }
  }
  return report.unmeasured === 0 ? 0 : 1;
}

const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
Deno.exitCode = await bench(values.quick);
