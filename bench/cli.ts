/** One publish as a process of its own, the way a hook or a shell script does it. */
import { join } from "node:path";
import { outputOf, ROOT, startBus, type World } from "./children.ts";
import { type Aim, MILLISECONDS, type Report } from "./report.ts";
import { type Contender, interleave, type Measured, ratio } from "./rounds.ts";

const CHANNEL = "repo:bench";
const TYPE = "done";
const PAYLOAD = "Finished";

const URLLIB = `import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], data=sys.argv[2].encode()) as answer:
    answer.read()`;
const REQUESTS = `import sys, requests
requests.post(sys.argv[1], data=sys.argv[2].encode()).raise_for_status()`;

/** Prints how long one publish takes with us and with what people would use instead. */
export async function compareClients(report: Report, world: World, rounds: number): Promise<void> {
  await using bus = await startBus(world, "cli");
  const { curl, binary, python, requests } = await findPrograms(world);
  const url = `${bus.url}/publish/${CHANNEL}?type=${TYPE}`;
  const options = ["--url", bus.url, "--type", TYPE, "--payload", PAYLOAD, "--channel", CHANNEL];
  const timed = (program: string, ...args: string[]): Contender => async () => {
    const started = performance.now();
    await outputOf(program, args, world.env);
    return performance.now() - started;
  };
  const measured: Readonly<Record<string, Measured | undefined>> = await interleave(rounds, {
    ...(curl && { curl: timed("curl", "-fsS", "-d", PAYLOAD, url) }),
    ...(python && { urllib: timed(python, "-c", URLLIB, url, PAYLOAD) }),
    ...(requests && { requests: timed(requests, "-c", REQUESTS, url, PAYLOAD) }),
    sources: timed(Deno.execPath(), "run", "-q", "-P", "main.ts", "publish", ...options),
    ...(binary && { binary: timed(binary.path, "publish", ...options) }),
  });

  report.section(`One publish by a process of its own, rounds: ${rounds}`);
  const line = (name: string, program: string, absent: string, aim?: Aim) => {
    const found = measured[program];
    if (found === undefined) return report.absent(name, absent);
    const base = program === "curl" ? undefined : measured.curl;
    report.contender(name, found, MILLISECONDS, base && { to: base, of: "curl", aim });
  };
  line("curl", "curl", "there is no curl");
  line("python3, urllib", "urllib", "there is no python3");
  line("python3, requests", "requests", "no python3 here has it");
  line("event-bus publish, from sources", "sources", "");
  line("event-bus publish, built", "binary", "no dist/event-bus", { atMost: 4.5 });
  faster(report, measured.binary, measured.requests);
  if (binary) report.note(`built: ${binary.version}`);
  if (python) report.note(`python3: ${[...new Set([python, requests ?? python])].join(" and ")}`);
}

function faster(report: Report, binary: Measured | undefined, requests: Measured | undefined) {
  const name = "  how much faster than requests";
  if (binary === undefined || requests === undefined) return report.absent(name, "it needs both");
  if ("failure" in binary || "failure" in requests) return report.failed(name, "it needs both");
  const value = ratio(requests.samples, binary.samples);
  report.line({ name, figure: "", ratio: { value, of: "faster" }, aim: { atLeast: 4 } });
}

/** What there is to compare, in a world without the user's own settings; null for what is absent. */
export async function findPrograms(world: World) {
  const found = async (program: string, ...args: string[]): Promise<string | null> => {
    try {
      return await outputOf(program, args, world.env);
    } catch {
      return null;
    }
  };
  // An interpreter by its own path: a shim in front of it would cost time that is not Python's.
  const having = (module: string, python: string) =>
    found(python, "-c", `import sys, ${module}; print(sys.executable)`);
  const requests = await having("requests", "python3") ??
    await having("requests", "/usr/bin/python3");
  const path = join(ROOT, "dist", "event-bus");
  return {
    curl: await found("curl", "--version"),
    binary: isFile(path) ? { path, version: await found(path, "--version") ?? "broken" } : null,
    requests,
    // One interpreter for both where it can be, so that they differ in the library alone.
    python: requests ?? await having("urllib.request", "python3"),
  };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
