/** Without the bus, sessions run as if it were not there; when it is back they are told. */
import assert from "node:assert/strict";
import { until } from "./claude.ts";
import { bash, say, textOf } from "./model.ts";
import { sessionTest } from "./need.ts";
import { report } from "./report.ts";
import { WAYS } from "./install.ts";
import { type Session, startWorld, type World } from "./world.ts";

const OFF = ["--settings", '{"disableAllHooks": true}'];
/** A shorter absence is not worth telling. */
const WORTH_TELLING_MS = 6_000;
/** What a hook may cost when the bus hangs, and what this machine may add to it. */
const LIMIT_MS = 300;
const SLACK_MS = 150;

sessionTest("absence: without the bus sessions run as if it were not there", async () => {
  await using world = await startWorld(WAYS.plugin);
  const a = await world.start();
  await a.do(say("hello"));
  const stopped = Date.now();
  await world.stopBus();

  const word = world.model.play(bash("true"), say("finished"));
  const off = await printed(world, word, OFF);
  const away = await printed(world, word, []);
  assert.deepEqual(away.sent, off.sent);
  // Not the first attempt, but a second one or a wait would take longer than this.
  assert.ok(away.ms - off.ms < 3000, `${away.ms} ms, and ${off.ms} ms without hooks`);
  report("bus stopped: what -p sends, prints and exits with", "as without the plugin");
  report("bus stopped: -p with and without the plugin", `${away.ms} ms, ${off.ms} ms`);

  await a.do(bash("true"), say("done"));
  const complaints = (await a.terminal.screen()).match(/.*(hook|ECONNREFUSED).*/gi) ?? [];
  report("bus stopped: lines about it on the screen, for one prompt", String(complaints.length));

  await until("the absence is worth telling", () => Date.now() - stopped > WORTH_TELLING_MS);
  await world.startBus();
  const back = Date.now();
  const { event_id } = await world.bus.call("publish_event", {
    event_type: "note",
    channel: `session:${a.id}`,
    payload: "the bus is back",
  });
  await until("it is woken again", () => a.text().includes(`#${event_id} `), 40_000);
  report("bus back: an idle session can be woken", `after ${Date.now() - back} ms`);
  await a.idle();
  await a.do(say("done"));
  assert.match(a.text(), /The event bus could not be reached from \S+Z to \S+Z;/);
  assert.equal(a.text().split(`#${event_id} `).length, 2);
  report("bus back: the next prompt says so", "could not be reached from … to …");
});

sessionTest("absence: a bus that hangs delays no hook by more than its limit", async () => {
  await using world = await startWorld(WAYS.plugin);
  const a = await world.start();
  const word = world.model.play(say("finished"));
  const well = await delays(a);
  Deno.kill(world.bus.pid, "SIGSTOP");
  try {
    const hanging = await delays(a);
    for (const hook of ["prompt", "batch"] as const) {
      const more = hanging[hook] - well[hook];
      assert.ok(more < LIMIT_MS + SLACK_MS, `${hook}: ${hanging[hook]} ms, else ${well[hook]} ms`);
      report(`bus hangs: what a ${hook} takes more`, `${more} ms`);
    }
    // Without hooks too the client waits for its MCP server.
    const off = await printed(world, word, OFF);
    const { ms } = await printed(world, word, []);
    report("bus hangs: -p with and without the plugin", `${ms} ms, ${off.ms} ms`);
    // Start, prompt, stop and end.
    assert.ok(ms - off.ms < 4 * (LIMIT_MS + SLACK_MS), `${ms} ms, and ${off.ms} ms without hooks`);
  } finally {
    Deno.kill(world.bus.pid, "SIGCONT");
  }
});

/** Runs -p three times; answers the shortest time, and what the model was sent. */
async function printed(world: World, word: string, args: readonly string[]) {
  const times = [];
  let from = 0;
  for (let round = 0; round < 3; round++) {
    from = world.model.turns.length;
    const ran = await world.claude("-p", ...args, word);
    assert.deepEqual([ran.code, ran.stdout.trim(), ran.stderr], [0, "finished", ""]);
    times.push(ran.ms);
  }
  const sent = world.model.turns.slice(from).map(({ request }) =>
    request.messages.map(({ role, content }) => `${role}: ${textOf(content)}`)
  );
  return { ms: Math.min(...times), sent };
}

/** How long a session takes to ask the model after a prompt, and after a batch of tools, at best. */
async function delays(session: Session) {
  const best = { prompt: Infinity, batch: Infinity };
  for (let round = 0; round < 5; round++) {
    let replied = 0;
    const before = session.turns().length;
    const typed = Date.now();
    await session.do(() => {
      replied = Date.now();
      return bash("true");
    }, say("done"));
    const [first, second] = session.turns().slice(before);
    best.prompt = Math.min(best.prompt, (first?.at ?? Infinity) - typed);
    best.batch = Math.min(best.batch, (second?.at ?? Infinity) - replied);
  }
  return best;
}

sessionTest("absence: with --command-hooks a stopped bus shows nothing on the screen", async () => {
  await using world = await startWorld(WAYS.commands);
  const a = await world.start();
  await a.do(say("hello"));
  await world.stopBus();
  await a.do(bash("true"), say("done"));
  const complaints = (await a.terminal.screen()).match(/.*(hook|ECONNREFUSED).*/gi) ?? [];
  assert.deepEqual(complaints, []);
  report("--command-hooks, bus stopped: lines about it on the screen", "none");
});
