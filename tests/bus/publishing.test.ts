/** Once is once, and an answer finds the one who asked. */
import { deepStrictEqual as equal, match } from "node:assert";
import { LOCAL, REMOTE, type TestBus, testBus } from "../helpers/bus.ts";

const DAY = 24 * 60 * 60 * 1000;

const note = (args: Record<string, unknown> = {}) => ({ event_type: "t", payload: "", ...args });

async function register(bus: TestBus, ...names: string[]): Promise<void> {
  for (const name of names) await bus.call("register_session", { name, client_id: name });
}

async function stored(bus: TestBus): Promise<number> {
  return (await bus.call("get_events", { limit: 1000, event_types: ["t"] })).events.length;
}

Deno.test("publish_event with a dedupe_key used before answers the first event and stores no second", async () => {
  using bus = testBus();
  await register(bus, "a", "b");
  const first = await bus.call("publish_event", {
    ...note({ payload: "first", channel: "session:b", correlation_id: "x" }),
    session_id: "a",
    dedupe_key: "build 1",
  });
  equal([first.duplicate, bus.notices.length], [undefined, 1]);
  const rings = bus.bell.rings;
  const again = await bus.call("publish_event", {
    ...note({ event_type: "other", payload: "second", channel: "repo:z", signal_level: "info" }),
    session_id: "a",
    dedupe_key: "build 1",
  }, { ...REMOTE, principal: LOCAL.principal });
  equal(
    again,
    { ...first, duplicate: true },
    "a session is the same sender wherever it calls from",
  );
  equal(await stored(bus), 1);
  equal([bus.notices.length, bus.bell.rings], [1, rings], "nobody is told twice");
});

Deno.test("publish_event with another's dedupe_key, or another key, is another event", async () => {
  using bus = testBus();
  await register(bus, "a", "b");
  const publish = async (args: Record<string, unknown>, principal = "loopback") =>
    (await bus.call("publish_event", note(args), { principal })).duplicate === true;
  equal(await publish({ session_id: "a", dedupe_key: "k" }), false);
  equal(await publish({ session_id: "b", dedupe_key: "k" }), false);
  equal(await publish({ session_id: "a", dedupe_key: "K" }), false);
  equal(await publish({ session_id: "a" }), false);
  equal(await publish({ session_id: "a" }), false, "without a key everything is new");
  equal(await publish({ dedupe_key: "k" }), false, "nobody in particular is a sender, too");
  equal(await publish({ dedupe_key: "k" }, "token"), false, "one for each principal");
  equal(await publish({ dedupe_key: "k" }), true);
  equal(await publish({ session_id: "anonymous", dedupe_key: "k" }, "token"), true);
  equal(await stored(bus), 7);
});

Deno.test("publish_event's dedupe_key is good for a day from its event on", async () => {
  using bus = testBus();
  const publish = async () => await bus.call("publish_event", note({ dedupe_key: "daily" }));
  const { event_id } = await publish();
  bus.pass(DAY - 1);
  equal((await publish()).event_id, event_id);
  bus.pass(1);
  const next = await publish();
  equal([next.event_id, next.duplicate], [event_id + 1, undefined]);
  bus.pass(DAY - 1);
  equal((await publish()).event_id, next.event_id, "the second day counts from its own event");
});

Deno.test("publish_event with one dedupe_key many times in one batch stores one", async () => {
  using bus = testBus();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => bus.call("publish_event", note({ dedupe_key: "k" }))),
  );
  equal(new Set(answers.map(({ event_id }) => event_id)).size, 1);
  equal(answers.map(({ duplicate }) => duplicate === true), answers.map((_, i) => i > 0));
  equal(await stored(bus), 1);
});

Deno.test("a refused publish uses up no dedupe_key", async () => {
  using bus = testBus();
  const args = note({ dedupe_key: "k" });
  const [refusal, answer] = await Promise.all([
    bus.refusal("publish_event", { ...args, reply_to: 99 }),
    bus.call("publish_event", args),
  ]);
  equal([refusal.code, answer.duplicate], ["not_found", undefined]);
});

Deno.test("a duplicate of an ended session is flagged as its first event would be", async () => {
  using bus = testBus();
  await register(bus, "a");
  const args = note({ session_id: "a", dedupe_key: "k" });
  const { event_id } = await bus.call("publish_event", args);
  await bus.call("unregister_session", { session_id: "a" });
  const again = await bus.call("publish_event", args);
  equal([again.event_id, again.duplicate, again.session_deleted], [event_id, true, true]);
});

Deno.test("a reply goes to the asker and gives the thread a name", async () => {
  using bus = testBus();
  await register(bus, "asker", "helper");
  const asked = await bus.call("publish_event", {
    ...note({ channel: "repo:bus" }),
    session_id: "asker",
  });
  const reply = await bus.call("publish_event", {
    ...note({ payload: "do this" }),
    session_id: "helper",
    reply_to: asked.event_id,
  });
  equal(reply.channel, "session:asker");
  equal(reply.correlation_id, `event:${asked.event_id}`);
  equal(reply.signal_level, "actionable", "a direct message asks for attention");
  equal(reply.recipients.map((one: { session_id: string }) => one.session_id), ["asker"]);
  match(bus.notices[0]?.message ?? "", /^From: helper\ndo this/);

  const back = await bus.call("publish_event", {
    ...note(),
    session_id: "asker",
    reply_to: reply.event_id,
  });
  equal([back.channel, back.correlation_id], ["session:helper", reply.correlation_id]);
  const thread = await bus.call("get_events", { correlation_id: reply.correlation_id });
  equal(thread.events.map((event: { reply_to: number }) => event.reply_to), [
    reply.event_id,
    asked.event_id,
  ]);
});

Deno.test("a reply takes over the thread of its question, unless it names one", async () => {
  using bus = testBus();
  await register(bus, "asker");
  const asked = await bus.call("publish_event", {
    ...note({ correlation_id: "deploy" }),
    session_id: "asker",
  });
  const reply = (args: Record<string, unknown>) =>
    bus.call("publish_event", note({ reply_to: asked.event_id, ...args }));
  equal((await reply({})).correlation_id, "deploy");
  equal((await reply({ correlation_id: "other" })).correlation_id, "other");
});

Deno.test("a reply to nobody's question, or to one's own, goes to where the question was", async () => {
  using bus = testBus();
  await register(bus, "me", "you");
  const anonymous = await bus.call("publish_event", note({ channel: "repo:x" }));
  const reply = (event: { event_id: number }, session_id: string) =>
    bus.call("publish_event", note({ session_id, reply_to: event.event_id }));
  equal((await reply(anonymous, "me")).channel, "repo:x");
  const own = await bus.call("publish_event", note({ session_id: "me", channel: "session:you" }));
  equal((await reply(own, "me")).channel, "session:you");
});

Deno.test("a reply to a channel of its own choice goes there", async () => {
  using bus = testBus();
  await register(bus, "asker");
  const { event_id: reply_to } = await bus.call("publish_event", note({ session_id: "asker" }));
  const reply = async (channel: string) =>
    (await bus.call("publish_event", note({ reply_to, channel }))).channel;
  equal(await reply("all"), "all");
  equal(await reply("repo:x"), "repo:x");
  equal(await reply(""), "session:asker", "an empty one is none");
});

Deno.test("a reply to one who has ended is stored, and the sender is told", async () => {
  using bus = testBus();
  await register(bus, "asker");
  const { event_id: reply_to } = await bus.call("publish_event", note({ session_id: "asker" }));
  await bus.call("unregister_session", { session_id: "asker" });
  const reply = await bus.call("publish_event", note({ reply_to }));
  equal([reply.channel, reply.recipients[0].state], ["session:asker", "ended"]);
  match(reply.warning, /ended at/);
});

Deno.test("a reply to an event that there is not is refused, and stores nothing", async () => {
  using bus = testBus();
  await bus.call("publish_event", note());
  const { code, message, details } = await bus.refusal("publish_event", note({ reply_to: 2 }));
  equal([code, details.reply_to], ["not_found", 2]);
  match(message, /Cannot reply to event 2/);
  for (const reply_to of [0, -1, 1.5, "x"]) {
    equal((await bus.refusal("publish_event", note({ reply_to }))).code, "invalid_argument");
  }
  equal(await stored(bus), 1);
});

Deno.test("publish_event keeps the level that its sender names, in a direct message too", async () => {
  using bus = testBus();
  await register(bus, "to");
  const message = note({ channel: "session:to", signal_level: "lifecycle" });
  equal((await bus.call("publish_event", message)).signal_level, "lifecycle");
  const resume = { session_id: "to", resume: true };
  const urgent = await bus.call("get_events", { ...resume, consumer: "urgent" });
  equal(
    urgent.events.length,
    1,
    "what is addressed to a session cannot wait, however it is marked",
  );
  const loud = note({ signal_level: "actionable", channel: "repo:bus" });
  await bus.call("publish_event", loud);
  const { events } = await bus.call("get_events", { ...resume, consumer: "urgent" });
  equal(events.map((e: { signal_level: string }) => e.signal_level), ["actionable"]);
});

Deno.test("publish_event names by which ways each recipient is reached now", async () => {
  using bus = testBus();
  await register(bus, "to");
  const ways = async () => {
    const { recipients } = await bus.call("publish_event", note({ channel: "session:to" }));
    return recipients[0].reachable_by;
  };
  equal(await ways(), []);
  const leave = [bus.readers.attend("to", "stream"), bus.readers.attend("to", "stream")];
  equal(await ways(), ["stream"]);
  for (const one of leave) one();
  equal(await ways(), []);
});
