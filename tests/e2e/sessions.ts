/** A session is on the bus as one, from its start to its end, whatever its client makes of it. */
import assert from "node:assert/strict";
import { isAlive, until } from "./claude.ts";
import { bash, say, textOf, use } from "./model.ts";
import { sessionTest } from "./need.ts";
import { report } from "./report.ts";
import { type Way, WAYS } from "./install.ts";
import { type Session, startWorld, type World } from "./world.ts";

const ofType = async (world: World, type: string) =>
  (await world.events({ event_types: [type] })).filter((event) => event.event_type === type);

for (const way of [WAYS.plugin, WAYS.listener, WAYS.hooks]) {
  sessionTest(
    `sessions: one that was killed is reported ended, with ${way.name}`,
    () => killed(way),
  );
}

async function killed(way: Way): Promise<void> {
  await using world = await startWorld(way);
  const a = await world.start();
  await a.do(say("hello"));
  await a.idle();
  Deno.kill(a.terminal.pid, "SIGKILL");
  const at = Date.now();
  await until("its end is an event", async () => {
    const ends = await ofType(world, "session_unregistered");
    return ends.some(({ session_id }) => session_id === a.id);
  }, 70_000);
  const [end] = await ofType(world, "session_unregistered");
  assert.match(end.payload, /its process is gone/);
  report(
    `${way.name}: killed with -9, reported ended`,
    `after ${Date.parse(end.timestamp) - at} ms`,
  );
  await until("no process is left", async () => (await world.processes()).length === 0);
}

sessionTest("sessions: /clear, /compact, /branch and --resume keep one session", async () => {
  await using world = await startWorld(WAYS.plugin);
  let a = await world.start();
  await a.do(say("hello"));
  const { id } = a;
  const isOne = async (after: string) => {
    const starts = await ofType(world, "session_registered");
    assert.deepEqual(starts.map(({ session_id }) => session_id), [id], after);
    assert.notEqual((await world.listed(id)).state, "ended", after);
    assert.match(a.text(), new RegExp(`session_id for the event-bus tools is "${id}"`), after);
    const sent = await world.bus.call("publish_event", {
      event_type: "note",
      channel: `session:${id}`,
      payload: `after ${after}`,
    });
    await until(
      `it is woken after ${after}`,
      () => a.text().includes(`#${sent.event_id} `),
      20_000,
      () => a.text().slice(-3000),
    );
    await a.idle();
    report(after, "one session, one registration, and woken");
  };
  await isOne("startup");
  await replaced(a, "/clear");
  await isOne("/clear");

  await a.terminal.type("/compact");
  await a.terminal.see(/compacted/i);
  await a.idle();
  await a.do(say("after"));
  await isOne("/compact");

  await replaced(a, "/branch");
  await isOne("/branch");

  const client = a.clientId();
  await a.exit();
  a = await world.start("--resume", client);
  await a.do(say("again"));
  await isOne("--resume");
  await a.exit();

  const fork = await world.start("--fork-session", "--resume", client);
  await fork.do(say("forked"));
  const starts = await ofType(world, "session_registered");
  assert.deepEqual(starts.map(({ session_id }) => session_id), [id, fork.clientId()]);
  report("--fork-session", "a session of its own");
});

/** Types a command after which the client's session is another one. */
async function replaced(session: Session, command: string): Promise<void> {
  const before = session.clientId();
  await session.terminal.type(command);
  await until(
    `${command} was done`,
    () => session.clientId() !== before,
    20_000,
    session.terminal.screen,
  );
  await session.idle();
  await session.do(say(`after ${command.slice(1)}`));
}

sessionTest("sessions: a subagent takes no message of its parent", async () => {
  await using world = await startWorld(WAYS.plugin);
  const a = await world.start();
  await a.do(say("hello"));
  const go = Promise.withResolvers<void>();
  const word = world.model.play(async () => {
    await go.promise;
    return bash("true");
  }, say("the subagent is done"));
  await a.ask(
    use("Agent", {
      description: "helper",
      subagent_type: "general-purpose",
      prompt: word,
      run_in_background: false,
    }),
    say("done"),
  );
  const subagents = () =>
    a.turns().filter(({ request }) => textOf(request.messages[0]?.content).includes(word));
  await until("the subagent works", () => subagents().length > 0, 20_000, a.terminal.screen);
  const { event_id } = await world.bus.call("publish_event", {
    event_type: "note",
    channel: `session:${a.id}`,
    payload: "for the parent",
    signal_level: "actionable",
  });
  go.resolve();
  const has = (text: string) => text.includes(`#${event_id} `);
  await until("the parent was told", () => has(a.text()) && subagents().length > 1);
  await a.idle();
  assert.ok(subagents().length >= 2);
  for (const { request } of subagents()) assert.ok(!has(JSON.stringify(request.messages)));
  assert.equal(a.text().split(`#${event_id} `).length, 2);
  report("a message while a subagent works", "the parent's alone, once");
});

sessionTest("sessions: what a session runs publishes under its name", async () => {
  await using world = await startWorld(WAYS.plugin);
  const a = await world.start();
  await a.do(
    bash(
      'echo "it is [$EVENT_BUS_SESSION_ID]"; event-bus publish --type note --payload from-a-script',
    ),
    say("done"),
  );
  assert.ok(a.text().includes(`it is [${a.id}]`), a.text().slice(-2000));
  const [note] = await ofType(world, "note");
  assert.equal(note?.session_id, a.id, a.text().slice(-2000));
  report("event-bus publish from its shell", "published under its name");
});

Deno.test("sessions: -p ends when it has answered", async () => {
  await using world = await startWorld(WAYS.plugin);
  const off = ["--settings", '{"disableAllHooks": true}'];
  const times = { without: [] as number[], with: [] as number[] };
  for (let round = 0; round < 3; round++) {
    for (const [name, args] of [["without", off], ["with", []]] as const) {
      const ran = await world.claude(
        "-p",
        ...args,
        world.model.play(bash("true"), say("finished")),
      );
      assert.deepEqual([ran.code, ran.stdout.trim(), ran.stderr], [0, "finished", ""]);
      times[name].push(ran.ms);
    }
  }
  const [without, withHooks] = [Math.min(...times.without), Math.min(...times.with)];
  // A listener would hold it for days, a mod for half a minute.
  assert.ok(withHooks - without < 5000, `${withHooks} ms, and ${without} ms without hooks`);
  report("-p from start to end, with and without the plugin", `${withHooks} ms, ${without} ms`);
  const starts = await ofType(world, "session_registered");
  const ends = await ofType(world, "session_unregistered");
  assert.deepEqual([starts.length, ends.length], [3, 3]);
  assert.ok((await world.processes()).every(({ pid }) => !isAlive(pid)));
});
