/** Load on a server: wrk where it is installed, else a generator of our own; one for a whole run. */
import { join } from "node:path";
import { outputOf, ROOT, type World } from "./children.ts";

/** One POST, sent again and again. */
export interface Target {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a generator counts; both kinds print it as JSON. */
export interface Answers {
  readonly answered: number;
  readonly seconds: number;
  /** Connections that broke and answers that were not 2xx. */
  readonly failed: number;
}

export interface Generator {
  readonly name: string;
  /** Keeps `connections` busy; throws when not every request was answered well. */
  run(target: Target, connections: number, seconds: number): Promise<Answers>;
}

/** The generator to use on this machine; `own` asks for ours, which can run for less than a second. */
export async function chooseGenerator(world: World, own: boolean): Promise<Generator> {
  if (own || !(await hasWrk())) return ownGenerator();
  let scripts = 0;
  return {
    name: "wrk",
    async run(target, connections, seconds) {
      const script = join(world.folder, `load-${++scripts}.lua`);
      Deno.writeTextFileSync(script, luaOf(target));
      const load = ["-t1", `-c${connections}`, `-d${seconds}s`];
      const printed = await outputOf("wrk", [...load, "-s", script, target.url]);
      return checked(printed.split("\n").at(-1) ?? "", target);
    },
  };
}

function ownGenerator(): Generator {
  const script = join(ROOT, "bench", "generator.ts");
  return {
    name: "bench/generator.ts",
    async run(target, connections, seconds) {
      const task = JSON.stringify({ target, connections, seconds });
      const args = ["run", "--quiet", "--no-prompt", "--allow-net", script, task];
      return checked(await outputOf(Deno.execPath(), args), target);
    },
  };
}

/** Whether wrk is installed. */
export async function hasWrk(): Promise<boolean> {
  try {
    // It has no option that succeeds without a load; what it says of itself goes to stdout.
    const { stdout } = await new Deno.Command("wrk", { args: ["-v"] }).output();
    return new TextDecoder().decode(stdout).startsWith("wrk ");
  } catch {
    return false;
  }
}

function checked(json: string, target: Target): Answers {
  const answers = JSON.parse(json) as Answers;
  if (answers.failed === 0 && answers.answered > 0) return answers;
  throw new Error(`${target.url}: ${answers.failed} failed, ${answers.answered} were answered`);
}

/** wrk asks its script for the request, and hands it the counts at the end. */
function luaOf({ headers, body }: Target): string {
  const fields = Object.entries(headers).map(([name, value]) => `[${lua(name)}]=${lua(value)}`);
  return `wrk.method = "POST"
wrk.body = ${lua(body)}
wrk.headers = {${fields.join(", ")}}
function done(summary)
  local e = summary.errors
  io.write(string.format('{"answered":%d,"seconds":%f,"failed":%d}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout))
end
`;
}

/** Text as Lua reads it back; JSON escapes differently. */
function lua(text: string): string {
  const bytes = [...new TextEncoder().encode(text)];
  return `"${bytes.map((byte) => `\\${String(byte).padStart(3, "0")}`).join("")}"`;
}
