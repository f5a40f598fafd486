/** Publishing under load through both doors, against the least that their libraries can do. */
import { type Child, startBaseline, startBus, type World } from "./children.ts";
import { type Answers, chooseGenerator, type Target } from "./load.ts";
import { MEGABYTES, PER_SECOND, type Report } from "./report.ts";
import { interleave } from "./rounds.ts";

export interface DoorRounds {
  readonly rounds: number;
  readonly seconds: number;
  /** Use our own load generator even where wrk is installed. */
  readonly ownGenerator: boolean;
}

/** Alone, a publish waits for its own fsync and says little about us: the aims are for many. */
const CONNECTIONS = [1, 32];
const EVENT = { event_type: "done", payload: "Finished", channel: "repo:bench" };
const JSON_TYPE = { "Content-Type": "application/json" };

/** Prints requests per second through `/v1` and `/mcp`, and the server's memory before and after. */
export async function compareDoors(
  report: Report,
  world: World,
  { rounds, seconds, ownGenerator }: DoorRounds,
): Promise<void> {
  const generator = await chooseGenerator(world, ownGenerator);
  await using bus = await startBus(world, "doors");
  const fresh = await bus.memory();
  await using hono = await startBaseline(world, "baseline_hono.ts");
  await using constant = await startBaseline(world, "baseline_mcp.ts");

  const first = await publishOnce(bus);
  await callOnce(bus);
  let published = 1;
  const count = (answers: Answers) => {
    published += answers.answered;
    return answers;
  };
  for (const connections of CONNECTIONS) {
    const load = (target: Target, note = (answers: Answers) => answers) => async () => {
      const { answered, seconds: took } = note(await generator.run(target, connections, seconds));
      return answered / took;
    };
    const measured = await interleave(rounds, {
      hono: load(v1(hono)),
      v1: load(v1(bus), count),
      constant: load(mcp(constant)),
      mcp: load(mcp(bus), count),
    });
    report.section(
      `Publishing over ${connections} ${connections === 1 ? "connection" : "connections"}, ` +
        `rounds: ${rounds} of ${seconds} s by ${generator.name}`,
    );
    report.contender("bare Hono, constant JSON", measured.hono, PER_SECOND);
    report.contender("POST /v1/publish_event", measured.v1, PER_SECOND, {
      to: measured.hono,
      of: "bare Hono",
      aim: connections > 1 ? { atLeast: 0.2 } : undefined,
    });
    report.contender("MCP SDK, constant tool", measured.constant, PER_SECOND);
    report.contender("POST /mcp, publish_event", measured.mcp, PER_SECOND, {
      to: measured.constant,
      of: "constant tool",
      aim: connections > 1 ? { atLeast: 0.6 } : undefined,
    });
  }
  const used = await bus.memory();
  // An answer is a promise: every one that was counted must have its event in the log.
  const kept = await publishOnce(bus) - first - 1;
  if (kept < published) {
    report.failed("acknowledged events in the log", `${kept} of ${published}`);
  } else report.note(`all ${published} acknowledged events are in the log`);
  reportMemory(report, fresh, used);
}

function reportMemory(report: Report, fresh: number | null, used: number | null): void {
  report.section("Resident memory of the server, from sources");
  const before = "fresh";
  const after = "after all of this load";
  if (fresh === null || used === null) {
    for (const name of [before, after]) report.absent(name, "there is no ps");
    return;
  }
  report.line({ name: before, figure: MEGABYTES(fresh), aim: { atMost: 100 }, judged: fresh });
  const ratio = { value: used / fresh, of: "fresh" };
  report.line({ name: after, figure: MEGABYTES(used), ratio, aim: { atMost: 2 } });
}

function v1({ url }: Child): Target {
  return { url: `${url}/v1/publish_event`, headers: JSON_TYPE, body: JSON.stringify(EVENT) };
}

/** A tool call of revision 2026-07-28: one POST that stands alone. */
function mcp({ url }: Child): Target {
  const version = "2026-07-28";
  const params = {
    name: "publish_event",
    arguments: EVENT,
    _meta: {
      "io.modelcontextprotocol/protocolVersion": version,
      "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {},
    },
  };
  return {
    url: `${url}/mcp`,
    headers: {
      ...JSON_TYPE,
      Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": version,
      "Mcp-Method": "tools/call",
      "Mcp-Name": params.name,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
  };
}

/** Publishes once through `/v1` and answers the event's id. */
async function publishOnce(bus: Child): Promise<number> {
  const { event_id } = await ask(v1(bus));
  if (typeof event_id !== "number") throw new Error("Cannot publish through /v1");
  return event_id;
}

/** Makes sure that a call through `/mcp` publishes: a refusal would be answered with 200 too. */
async function callOnce(bus: Child): Promise<void> {
  const { result } = await ask(mcp(bus)) as { result?: { structuredContent?: unknown } };
  if (result?.structuredContent === undefined) throw new Error("Cannot publish through /mcp");
}

async function ask({ url, headers, body }: Target): Promise<Record<string, unknown>> {
  const response = await fetch(url, { method: "POST", headers, body });
  return await response.json();
}
