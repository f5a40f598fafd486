/** What the bus adds to a session of Claude Code: to a prompt, to a batch of tools, to a start; and in bytes. */
import { type Child, outputOf, ROOT, startBus, type World } from "./children.ts";
import { findPrograms } from "./cli.ts";
import { type Aim, BYTES, MILLISECONDS, type Report } from "./report.ts";
import { type Contender, interleave, type Measured, median, ratio } from "./rounds.ts";

export interface HookRounds {
  readonly rounds: number;
  /** How many sessions live on the bus, and how long its log is. */
  readonly sessions: number;
  readonly events: number;
}

/** An answer within a few milliseconds is asked for so often in one round. */
const REPEAT = 10;
const PEERS = [0, 1, 5, 30];
const JSON_TYPE = { "Content-Type": "application/json" };

/** The original's way: a process for each hook, which hands the hook's JSON on. */
const URLLIB = `import sys, urllib.request
ask = urllib.request.Request(sys.argv[1], sys.stdin.buffer.read(), {"Content-Type": "application/json"})
with urllib.request.urlopen(ask) as answer:
    sys.stdout.buffer.write(answer.read())`;
const REQUESTS = `import sys, requests
answer = requests.post(sys.argv[1], sys.stdin.buffer.read(), headers={"Content-Type": "application/json"})
answer.raise_for_status()
sys.stdout.buffer.write(answer.content)`;

/** A session of Claude Code: its hooks, as http hooks over one connection send them. */
function sessionOn({ url }: Child, session_id: string) {
  const jsonOf = (hook_event_name: string, more = {}) =>
    JSON.stringify({
      session_id,
      hook_event_name,
      transcript_path: `/home/ada/.claude/projects/-home-ada-shop/${session_id}.jsonl`,
      cwd: "/home/ada/shop",
      permission_mode: "default",
      ...more,
    });
  const hook = async (event: string, more = {}): Promise<string> => {
    const body = jsonOf(event, more);
    const answer = await fetch(`${url}/hooks/claude-code`, {
      method: "POST",
      headers: JSON_TYPE,
      body,
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${event}: ${text}`);
    return text === "" ? "" : JSON.parse(text).hookSpecificOutput.additionalContext;
  };
  return { jsonOf, hook };
}

type Session = ReturnType<typeof sessionOn>;

/** Prints what each hook takes, and what a session that nobody says anything to pays in bytes. */
export async function compareHooks(report: Report, world: World, sizes: HookRounds): Promise<void> {
  await reportBytes(report, world);
  await using bus = await startBus(world, "hooks");
  const programs = await findPrograms(world);
  const { rounds } = sizes;
  const me = await populate(bus, sizes);
  const { python, requests } = programs;
  const endpoint = `${bus.url}/hooks/claude-code`;
  const prompt = me.jsonOf("UserPromptSubmit", { prompt: "Go on" });
  const process =
    (program: string, args: readonly string[], hook: string): Contender => async () => {
      const started = performance.now();
      await fed(program, args, hook, { ...world.env, EVENT_BUS_URL: bus.url });
      return performance.now() - started;
    };
  const way = (python: string | null, script: string) =>
    python ? process(python, ["-c", script, endpoint], prompt) : undefined;
  const start = me.jsonOf("SessionStart", { source: "resume" });
  const binary = programs.binary && await takesHooks(programs.binary.path) ? programs.binary : null;

  const measured: Readonly<Record<string, Measured | undefined>> = await interleave(rounds, {
    prompt: timed(me, "UserPromptSubmit", () => me.hook("Stop")),
    promptTold: timed(me, "UserPromptSubmit", () => tell(bus), /bench/),
    batch: timed(me, "PostToolBatch"),
    batchTold: timed(me, "PostToolBatch", () => tell(bus), /bench/),
    urllib: way(python, URLLIB),
    requests: way(requests, REQUESTS),
    sources: process(Deno.execPath(), ["run", "-q", "-P", "main.ts", "hook"], start),
    ...(binary && { binary: process(binary.path, ["hook"], start) }),
  });

  report.section(
    `Hooks of Claude Code, with ${sizes.sessions} sessions and ${sizes.events} events, ` +
      `rounds: ${rounds}`,
  );
  const line = (name: string, contender: string, absent: string, most?: number) => {
    const found = measured[contender];
    if (found === undefined) return report.absent(name, absent);
    if ("failure" in found) return report.failed(name, found.failure);
    const judged = median(found.samples);
    const aim: Aim | undefined = most === undefined ? undefined : { atMost: most };
    report.line({ name, figure: MILLISECONDS(judged), aim, judged });
  };
  line("a prompt, nothing to say", "prompt", "", 5);
  line("a prompt, a message to show", "promptTold", "", 5);
  line("a batch of tools, nothing to say", "batch", "", 5);
  line("a batch of tools, a message to show", "batchTold", "", 5);
  line("the original's way: python3, urllib", "urllib", "there is no python3");
  line("the original's way: python3, requests", "requests", "no python3 here has it");
  for (const other of ["urllib", "requests"]) {
    const name = `  a prompt, how much faster than ${other}`;
    const [theirs, ours] = [measured[other], measured.prompt];
    if (theirs === undefined) report.absent(name, "it needs that");
    else if (ours === undefined || "failure" in theirs || "failure" in ours) {
      report.failed(name, "it needs both");
    } else {
      const value = ratio(theirs.samples, ours.samples);
      report.line({ name, figure: "", ratio: { value, of: "faster" }, aim: { atLeast: 40 } });
    }
  }
  line("a start: event-bus hook, from sources", "sources", "");
  line("a start: event-bus hook, built", "binary", "no dist/event-bus that has it", 60);
  if (binary) report.note(`built: ${binary.version}`);
}

/** The median of some hooks, each after `before`; what they say must be as expected. */
function timed(
  me: Session,
  event: string,
  before: () => Promise<unknown> = () => Promise.resolve(),
  says = /^$/,
): Contender {
  return async () => {
    const times: number[] = [];
    for (let n = 0; n < REPEAT; n++) {
      await before();
      const started = performance.now();
      const said = await me.hook(event, { tool_calls: [] });
      times.push(performance.now() - started);
      if (!says.test(said)) throw new Error(`${event} said ${JSON.stringify(said)}`);
    }
    return median(times);
  };
}

/** Sends the measured session something that cannot wait. */
function tell(bus: Child): Promise<unknown> {
  return call(bus, "publish_event", {
    event_type: "note",
    payload: "bench",
    session_id: "peer-0",
    channel: "session:measured",
  });
}

/** A bus as it is after some weeks, and one session on it that has read everything. */
async function populate(bus: Child, { sessions, events }: HookRounds): Promise<Session> {
  for (let n = 0; n < sessions; n++) await sessionOn(bus, `peer-${n}`).hook("SessionStart");
  const publish = (n: number) =>
    call(bus, "publish_event", {
      event_type: n % 10 === 0 ? "ci_failed" : "note",
      payload: `Event ${n} of the bench, about as long as most of them are.`,
      session_id: `peer-${n % sessions}`,
      channel: n % 3 === 0 ? "repo:shop" : "all",
    });
  for (let n = 0; n < events; n += 100) {
    const some = Array.from({ length: Math.min(100, events - n) }, (_, i) => publish(n + i));
    await Promise.all(some);
  }
  const me = sessionOn(bus, "measured");
  await me.hook("SessionStart");
  await me.hook("UserPromptSubmit");
  return me;
}

/** What a session is told at its start when nothing happened, and with a prompt. */
async function reportBytes(report: Report, world: World): Promise<void> {
  await using bus = await startBus(world, "hooks-bytes");
  const id = crypto.randomUUID();
  const me = sessionOn(bus, id);
  const bytes = (text: string) => new TextEncoder().encode(text).length;
  report.section("What a session pays that nobody says anything to");
  await me.hook("SessionStart");
  let peers = 0;
  for (const count of PEERS) {
    for (; peers < count; peers++) {
      const session_id = crypto.randomUUID();
      await sessionOn(bus, session_id).hook("SessionStart");
      await call(bus, "set_status", { session_id, status: `moving the tests of part ${peers}` });
    }
    const judged = bytes(await me.hook("SessionStart", { source: "resume" }));
    const name = `a start with ${count} other ${count === 1 ? "session" : "sessions"}`;
    report.line({ name, figure: BYTES(judged), aim: { atMost: 700 }, judged });
  }
  const judged = bytes(await me.hook("UserPromptSubmit"));
  report.line({ name: "a prompt", figure: BYTES(judged), aim: { atMost: 0 }, judged });
}

async function call(
  { url }: Child,
  operation: string,
  args: Record<string, unknown>,
): Promise<unknown> {
  const answer = await fetch(`${url}/v1/${operation}`, {
    method: "POST",
    headers: JSON_TYPE,
    body: JSON.stringify(args),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${operation}: ${text}`);
  return JSON.parse(text);
}

/** Whether a binary is new enough to know hooks. */
async function takesHooks(path: string): Promise<boolean> {
  try {
    await outputOf(path, ["hook", "--help"]);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program with something on its standard input, as Claude Code runs a hook; it must succeed. */
async function fed(
  program: string,
  args: readonly string[],
  input: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const child = new Deno.Command(program, {
    args: [...args],
    env: { ...env },
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stderr).trim();
  if (!success || said !== "") throw new Error(said || `${program} failed`);
  if (args.at(-1) === "hook" && stdout.length === 0) throw new Error("The hook said nothing");
}
