/**
 * `deno task soak [--minutes 30]`: a steady load on the real server, and how much memory it holds. Ends with
 * 1 when that grows after the first sixth of the time, or a call fails.
 */
import { parseArgs } from "node:util";
import { createWorld, startBus } from "./children.ts";
import { judge, type Sample } from "./memory.ts";
import { startLoad } from "./steady.ts";

/** Below this nothing is warm yet: the figure is told, and not judged. */
const SHORTEST_JUDGED_S = 110;
const SAMPLE_MS = 1000;

async function soak(minutes: number): Promise<number> {
  const total = minutes * 60;
  const warmUp = total / 6;
  const samples: Sample[] = [];
  await using world = await createWorld();
  await using bus = await startBus(world, "soak");
  const load = await startLoad(bus.url, world.folder);
  const started = performance.now();
  let told = 0;
  for (let seconds = 0; seconds < total && load.failures.length === 0;) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    seconds = (performance.now() - started) / 1000;
    const megabytes = await bus.memory();
    if (megabytes === null) {
      say("The memory cannot be measured: ps does not answer");
      await load.stop();
      return 1;
    }
    samples.push({ seconds, megabytes });
    if (seconds < told + total / 30) continue;
    told = seconds;
    say(`${seconds.toFixed(0).padStart(5)} s  ${megabytes.toFixed(1)} MB  ${load.calls} calls`);
  }
  await load.stop();
  for (const failure of load.failures.slice(0, 5)) say(`Failed: ${failure}`);
  return load.failures.length === 0 ? tell(samples, warmUp, total) : 1;
}

function tell(samples: readonly Sample[], warmUp: number, total: number): number {
  const verdict = judge(samples, warmUp);
  if (verdict === null) {
    say("Too short to compare anything");
    return 1;
  }
  const { warm, end, growth, isSteady } = verdict;
  const isJudged = total >= SHORTEST_JUDGED_S;
  const opinion = isJudged ? (isSteady ? "steady" : "it grows") : "too short to be judged";
  say(
    `Memory: ${warm.toFixed(1)} MB after the first ${warmUp.toFixed(0)} s, ${
      end.toFixed(1)
    } MB at ` +
      `the end, ${growth >= 0 ? "+" : ""}${growth.toFixed(1)} MB: ${opinion}`,
  );
  return isSteady || !isJudged ? 0 : 1;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

const { values } = parseArgs({ options: { minutes: { type: "string", default: "30" } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  say("Usage: deno task soak [--minutes N]");
  Deno.exitCode = 2;
} else Deno.exitCode = await soak(minutes);
