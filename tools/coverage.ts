/**
 * `deno task coverage` after its tests: how many lines of `src` and `cli` were run. Fails below the
 * limit. A file that no test loads counts with all its lines, where the runtime's report is silent.
 */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./binary.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** In percent, of all lines together. */
const LIMIT = 90;

export interface Lines {
  readonly found: number;
  readonly hit: number;
}

/** The lines of each file in an lcov report. */
export function readLcov(report: string): Map<string, Lines> {
  const files = new Map<string, Lines>();
  for (const record of report.split("end_of_record")) {
    const file = record.match(/^SF:(.*)$/m)?.[1];
    if (file === undefined) continue;
    const number = (key: string) => Number(record.match(new RegExp(`^${key}:(\\d+)$`, "m"))?.[1]);
    files.set(file, { found: number("LF"), hit: number("LH") });
  }
  return files;
}

/** The share of lines that were run, in percent; of nothing it is none. */
export function percentOf(files: Iterable<Lines>): number {
  let [found, hit] = [0, 0];
  for (const lines of files) {
    found += lines.found;
    hit += lines.hit;
  }
  return found === 0 ? 0 : 100 * hit / found;
}

function sources(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? sources(path) : name.endsWith(".ts") ? [path] : [];
  });
}

/** What a source that no test loads counts: all its lines, or none when it holds only types. */
export function unloaded(source: string): Lines {
  const runs = /^(export )?(default )?(async )?(const|let|function|class|enum|if|for|await)\b/m;
  return { found: runs.test(source) ? source.split("\n").length - 1 : 0, hit: 0 };
}

async function report(folder: string): Promise<number> {
  const { success, stdout, stderr } = await run(
    Deno.execPath(),
    ["coverage", "--quiet", "--lcov", folder],
    { cwd: ROOT },
  );
  if (!success) throw new Error(`Cannot read the coverage in ${folder}: ${stderr}`);
  const measured = readLcov(stdout);
  const rows = [join(ROOT, "src"), join(ROOT, "cli")].flatMap(sources).map((path) => ({
    path: relative(ROOT, path),
    lines: measured.get(path) ?? unloaded(Deno.readTextFileSync(path)),
  }));
  const weakest = rows
    .map(({ path, lines }) => ({ path, lines, percent: percentOf([lines]) }))
    .filter(({ lines, percent }) => lines.found > 0 && percent < LIMIT)
    .sort((a, b) => a.percent - b.percent);
  for (const { path, percent } of weakest) tell(`${percent.toFixed(1).padStart(6)} %  ${path}`);
  const total = percentOf(rows.map(({ lines }) => lines));
  tell(`${total.toFixed(1).padStart(6)} %  of the lines of src and cli, at least ${LIMIT} %`);
  return total >= LIMIT ? 0 : 1;
}

function tell(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) Deno.exitCode = await report("coverage");
