/** Floods, loops, and credentials that slipped in. */
import assert from "node:assert/strict";
import { MAX_ROUNDS } from "../../src/bus/flow.ts";
import { type TestBus, testBus } from "../helpers/bus.ts";

async function two(bus: TestBus): Promise<void> {
  await bus.call("register_session", { name: "a", client_id: "a", machine: "far" });
  await bus.call("register_session", { name: "b", client_id: "b", machine: "far" });
}

const say = (bus: TestBus, from: string, to: string, payload: string) =>
  bus.call("publish_event", {
    event_type: "say",
    payload,
    session_id: from,
    channel: `session:${to}`,
  });

/** Goes back and forth so often; answers the last answer. */
async function talk(bus: TestBus, rounds: number) {
  for (let i = 0; i < rounds; i++) {
    await say(bus, "a", "b", `ask ${i}`);
    await say(bus, "b", "a", `answer ${i}`);
  }
}

Deno.test("a conversation that runs away waits, and both and the human are told once", async () => {
  using bus = testBus();
  await two(bus);
  await talk(bus, MAX_ROUNDS);
  bus.notices.length = 0;
  const late = await say(bus, "a", "b", "one more");
  assert.equal(late.signal_level, "info");
  assert.match(late.warning, /back and forth/);
  await say(bus, "b", "a", "and another");
  const paused = await bus.call("get_events", { event_types: ["conversation_paused"] });
  assert.deepEqual(
    paused.events.map(({ channel }: { channel: string }) => channel).sort(),
    ["session:a", "session:b"],
  );
  assert.equal(bus.notices.filter(({ title }) => title.startsWith("🔁")).length, 1);
  // What waits interrupts nobody, and is there when it is asked for.
  const urgent = await bus.call("get_events", {
    session_id: "b",
    consumer: "urgent",
    resume: true,
  });
  const texts = (page: { events: { payload: string }[] }) =>
    page.events.map(({ payload }) => payload);
  assert.ok(!texts(urgent).includes("one more"));
  assert.ok(
    texts(await bus.call("get_events", { session_id: "b", resume: true })).includes("one more"),
  );
});

Deno.test("a conversation goes on when it rested, or a third one asks, or it only goes one way", async () => {
  using bus = testBus();
  await two(bus);
  for (let i = 0; i < MAX_ROUNDS * 2; i++) await say(bus, "a", "b", `news ${i}`);
  assert.equal((await say(bus, "a", "b", "more news")).signal_level, "actionable");
  await talk(bus, MAX_ROUNDS);
  assert.equal((await say(bus, "b", "a", "x")).signal_level, "info");
  await bus.call("register_session", { name: "c", client_id: "c", machine: "far" });
  assert.equal((await say(bus, "c", "a", "hello")).signal_level, "actionable");
  bus.pass(60 * 60 * 1000 + 1);
  assert.equal((await say(bus, "b", "a", "good morning")).signal_level, "actionable");
});

Deno.test("publish_event: credentials are masked before they are stored, and the sender is told", async () => {
  using bus = testBus();
  const secret = `ghp_${"aB3dE5gH7".repeat(4)}`;
  const said = await bus.call("publish_event", {
    event_type: "t",
    payload: `use ${secret} please`,
    title: `token ${secret}`,
  });
  assert.deepEqual(said.masked, ["GitHub token"]);
  assert.match(said.warning, /no secret any more/);
  assert.equal(said.payload, "use [masked: GitHub token] please");
  const { events } = await bus.call("get_events");
  assert.ok(!JSON.stringify(events).includes(secret));
  assert.equal(events[0].title, "token [masked: GitHub token]");
});
