import { deepStrictEqual as equal, match } from "node:assert";
import { testBus } from "../helpers/bus.ts";

interface Receipt {
  session_id: string | null;
  state: string;
  why?: string;
}

const states = (receipts: Receipt[]) =>
  Object.fromEntries(receipts.map(({ session_id, state }) => [session_id, state]));

async function cast(bus: ReturnType<typeof testBus>) {
  for (const name of ["sender", "reader", "sleeper", "away"]) {
    const cwd = name === "away" ? "/w/other" : "/w/repo";
    await bus.call("register_session", { name, client_id: name, cwd });
  }
}

Deno.test("get_delivery tells who has an event, by which path and how long after, and who has not", async () => {
  using bus = testBus();
  await cast(bus);
  const { event_id } = await bus.call("publish_event", {
    event_type: "note",
    payload: "x",
    channel: "repo:repo",
    session_id: "sender",
  });
  await bus.call("register_session", { name: "late", client_id: "late", cwd: "/w/repo" });
  bus.pass(1500);
  await bus.call("get_events", { session_id: "reader", resume: true }, { path: "cli" });
  const report = await bus.call("get_delivery", { event_id });
  equal(states(report.audience), { reader: "has", sleeper: "waiting" });
  const [reader, sleeper] = report.audience;
  equal([reader.path, reader.consumer, reader.after_ms], ["cli", "main", 1500]);
  equal(reader.at, "2026-01-08T12:00:01.500Z");
  match(sleeper.why, /^not read so far; working since .*nothing reaches it unless it asks$/);
  equal(report.others, [], "who is not concerned and has not read is not listed");

  await bus.call("get_events", { session_id: "away", resume: true });
  const again = await bus.call("get_delivery", { event_id });
  equal(states(again.others), { away: "has" });
});

Deno.test("get_delivery of a direct message is about its target alone", async () => {
  using bus = testBus();
  await cast(bus);
  const message = { event_type: "m", payload: "", channel: "session:reader", session_id: "sender" };
  const { event_id } = await bus.call("publish_event", message);
  const stop = bus.readers.attend("reader", "stream");
  const [waiting] = (await bus.call("get_delivery", { event_id })).audience;
  equal([waiting.state, waiting.reachable_by], ["waiting", ["stream"]]);
  stop();
  await bus.call("get_events", { session_id: "reader", consumer: "urgent", resume: true });
  const [has, ...more] = (await bus.call("get_delivery", { event_id })).audience;
  equal([has.session_id, has.state, has.consumer, more], ["reader", "has", "urgent", []]);
  await bus.call("get_events", { session_id: "reader", resume: true });
  const [still] = (await bus.call("get_delivery", { event_id })).audience;
  equal(still.consumer, "urgent", "main left it out, because it was shown already");
});

Deno.test("get_delivery knows what was passed over, and who ended without reading", async () => {
  using bus = testBus();
  await cast(bus);
  const { event_id } = await bus.call("publish_event", { event_type: "task_started", payload: "" });
  await bus.call("get_events", { session_id: "reader", resume: true, min_level: "info" });
  await bus.call("unregister_session", { session_id: "sleeper" });
  bus.pass(1000);
  const { audience } = await bus.call("get_delivery", { event_id });
  equal(states(audience), {
    away: "waiting",
    reader: "passed_over",
    sender: "waiting",
    sleeper: "ended",
  });
  const why = (id: string) => audience.find((r: Receipt) => r.session_id === id).why;
  match(why("reader"), /filter left it out/);
  match(why("sleeper"), /^ended at 2026-01-08T12:00:00/);
});

Deno.test("get_delivery counts an acknowledged page as handed over, with what its peek left out", async () => {
  using bus = testBus();
  await cast(bus);
  const seen = await bus.call("publish_event", { event_type: "a", payload: "" });
  const hidden = await bus.call("publish_event", { event_type: "b", payload: "" });
  const { next_cursor } = await bus.call("get_events", {
    session_id: "reader",
    resume: true,
    peek: true,
    exclude_types: ["b"],
  });
  await bus.call("ack_events", { session_id: "reader", cursor: next_cursor });
  const stateOf = async (event_id: number) =>
    states((await bus.call("get_delivery", { event_id })).audience).reader;
  equal(await stateOf(seen.event_id), "has");
  equal(await stateOf(hidden.event_id), "passed_over");
});

Deno.test("get_delivery of an event that there is not is refused", async () => {
  using bus = testBus();
  const refusal = await bus.refusal("get_delivery", { event_id: 7 });
  equal([refusal.code, refusal.message], [
    "not_found",
    "Cannot tell who has event 7: there is none",
  ]);
});

Deno.test("get_delivery_times is the distribution of publish-to-seen in the last hour", async () => {
  using bus = testBus();
  await cast(bus);
  const empty = await bus.call("get_delivery_times");
  equal(empty, { window_seconds: 3600, count: 0, p50_ms: null, p95_ms: null, p99_ms: null });
  await bus.call("get_events", { session_id: "reader", resume: true });
  bus.pass(2 * 60 * 60 * 1000);
  for (let i = 1; i <= 100; i++) {
    await bus.call("publish_event", { event_type: "t", payload: "" });
    bus.pass(i);
    await bus.call("get_events", { session_id: "reader", resume: true });
  }
  const { count, p50_ms, p95_ms, p99_ms } = await bus.call("get_delivery_times");
  equal([count, p50_ms, p95_ms, p99_ms], [100, 50, 95, 99]);
});

Deno.test("list_sessions shows what each session is doing, has read, and how it can be reached", async () => {
  using bus = testBus();
  await cast(bus);
  await bus.call("set_status", { session_id: "reader", status: "fixing CI", state: "waiting" });
  bus.pass(10 * 60 * 1000);
  await bus.call("publish_event", { event_type: "t", payload: "", session_id: "sender" });
  await bus.call("get_events", { session_id: "reader", resume: true }, { path: "prompt hook" });
  await bus.call("publish_event", { event_type: "t", payload: "", session_id: "sender" });
  await bus.call("unregister_session", { session_id: "away" });
  using attending = { [Symbol.dispose]: bus.readers.attend("sleeper", "wait") };
  const listed = await bus.call("list_sessions", { include_ended: true });
  const of = (id: string) => listed.find((s: { session_id: string }) => s.session_id === id);
  const reader = of("reader");
  equal([reader.state, reader.state_since], ["waiting", "2026-01-08T12:00:00.000Z"]);
  equal([reader.status, reader.status_at], ["fixing CI", "2026-01-08T12:00:00.000Z"]);
  equal(reader.unread, 2, "the second note and the end of away");
  const at = "2026-01-08T12:10:00.000Z";
  equal(reader.last_read, { at, consumer: "main", path: "prompt hook" });
  equal([of("sender").state, of("sleeper").state, of("away").state], ["working", "idle", "ended"]);
  equal([of("sleeper").reachable_by, of("sender").reachable_by], [["wait"], []]);
  equal((await bus.call("list_sessions")).length, 3, "the ended are shown only when asked for");
  void attending;
});

Deno.test("set_status is for living sessions, keeps what is not said, is one line, and is taken back by an empty text", async () => {
  using bus = testBus();
  await cast(bus);
  await bus.call("set_status", { session_id: "reader", status: "one", state: "working" });
  const kept = await bus.call("set_status", { session_id: "reader", state: "idle" });
  equal([kept.status, kept.state], ["one", "idle"]);
  equal((await bus.call("set_status", { session_id: "reader", status: "" })).status, null);
  const wrapped = { session_id: "reader", status: "two\nlines\u2028and\ta tab " };
  equal((await bus.call("set_status", wrapped)).status, "two lines and a tab");
  equal((await bus.refusal("set_status", { session_id: "no" })).code, "not_found");
  await bus.call("unregister_session", { session_id: "reader" });
  equal((await bus.refusal("set_status", { session_id: "reader" })).code, "session_ended");
  equal(
    (await bus.refusal("set_status", { session_id: "sender", status: "x".repeat(201) })).code,
    "invalid_argument",
  );
});

Deno.test("set_status wake_on makes a channel as urgent to its session as a direct message", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "reader" });
  const said = await bus.call("set_status", {
    session_id: "reader",
    wake_on: ["releases", "releases", "session:reader"],
  });
  equal(said.wake_on, ["releases", "session:reader"]);
  await bus.call("publish_event", { event_type: "out", payload: "1.0", channel: "releases" });
  await bus.call("publish_event", { event_type: "out", payload: "no", channel: "other" });
  const read = { session_id: "reader", consumer: "urgent", resume: true };
  const { events } = await bus.call("get_events", read);
  equal(events.map(({ payload }: { payload: string }) => payload), ["1.0"]);
  equal((await bus.call("set_status", { session_id: "reader", wake_on: [] })).wake_on, []);
});
