/** How long after a publish every reader has the event, against the same fan-out of a constant. */
import { type Child, startBaseline, startBus, type World } from "./children.ts";
import { type Kind, openReaders, POLLS, STREAMS } from "./readers.ts";
import { KILOBYTES, type Line, MILLISECONDS, type Report } from "./report.ts";
import { each, interleave, type Measured } from "./rounds.ts";

export interface FanoutRounds {
  readonly rounds: number;
  /** How many readers there are, in turn. */
  readonly readers: readonly number[];
  /** How often each is told in one round. */
  readonly publishes: number;
}

interface Times {
  readonly p50: number;
  readonly p99: number;
}

const AIM = { atMost: 2 };
const MAX_KILOBYTES = 100;

/** Prints publish-to-read for streams and long-polls, and what one reader costs the server. */
export async function compareFanout(
  report: Report,
  world: World,
  { rounds, readers, publishes }: FanoutRounds,
): Promise<void> {
  await using bus = await startBus(world, "fanout");
  await using constant = await startBaseline(world, "baseline_fanout.ts");
  await using kept = await startBaseline(world, "baseline_fanout.ts", "fanout.kept");
  for (const count of readers) {
    const told = ({ url }: Child, kind: Kind) => async (): Promise<Times> => {
      using open = await openReaders(url, kind, count);
      const times: number[] = [];
      for (let n = 0; n < publishes; n++) times.push(...await open.publish());
      return percentiles(times);
    };
    const measured = await interleave(rounds, {
      constantStreams: told(constant, STREAMS),
      keptStreams: told(kept, STREAMS),
      streams: told(bus, STREAMS),
      constantPolls: told(constant, POLLS),
      keptPolls: told(kept, POLLS),
      polls: told(bus, POLLS),
    });
    report.section(`Publish to read with ${count} readers, rounds: ${rounds} of ${publishes}`);
    describe(report, STREAMS, measured.streams, measured.constantStreams, measured.keptStreams);
    describe(report, POLLS, measured.polls, measured.constantPolls, measured.keptPolls);
  }
  report.section("Resident memory of the server for one reader more");
  for (const kind of [STREAMS, POLLS]) {
    report.line(await memoryOf(world, kind, Math.max(...readers)));
  }
}

function percentiles(times: readonly number[]): Times {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.ceil(sorted.length * part) - 1] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

function describe(
  report: Report,
  { name }: Kind,
  ours: Measured<Times>,
  constant: Measured<Times>,
  kept: Measured<Times>,
): void {
  for (const part of ["p50", "p99"] as const) {
    const figures = (measured: Measured<Times>) => each(measured, (times) => times[part]);
    const floor = figures(constant);
    report.contender(`constant, ${name}, ${part}`, floor, MILLISECONDS);
    report.contender(`${name}, ${part}`, figures(ours), MILLISECONDS, {
      to: floor,
      of: "constant",
      aim: part === "p99" ? AIM : undefined,
    });
    if (part === "p50") continue;
    // With few readers it is the disk that takes the time: what is told must be durable before.
    report.contender(`  ${name}, by a constant that is synced first`, figures(ours), MILLISECONDS, {
      to: figures(kept),
      of: "synced constant",
    });
  }
}

/** On a server of its own that has had a few such readers before, and none now. */
async function memoryOf(world: World, kind: Kind, count: number): Promise<Line> {
  await using bus = await startBus(world, `fanout-${kind.name}`);
  {
    using first = await openReaders(bus.url, kind, Math.ceil(count / 20));
    await first.publish();
  }
  const before = await bus.memory();
  using readers = await openReaders(bus.url, kind, count);
  await readers.publish();
  const after = await bus.memory();
  const name = `${kind.name}, of ${count}`;
  if (before === null || after === null) {
    return { name, figure: "not available: there is no ps" };
  }
  const each = Math.max(0, after - before) * 1024 / count;
  return { name, figure: KILOBYTES(each), aim: { atMost: MAX_KILOBYTES }, judged: each };
}
