import { deepStrictEqual as equal, match, notStrictEqual as differ, ok } from "node:assert";
import { LOCAL, REMOTE, testBus } from "../helpers/bus.ts";

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

Deno.test("register_session announces a new session and starts its reading there", async () => {
  using bus = testBus();
  await bus.call("publish_event", { event_type: "old", payload: "before" });
  const session = await bus.call("register_session", {
    name: "a",
    client_id: "c1",
    cwd: "/x/repo",
  });
  equal(session.session_id, "c1");
  equal([session.machine, session.cwd, session.repo], ["home", "/x/repo", "repo"]);
  equal([session.resumed, session.active_sessions, session.cursor], [false, 1, "2"]);
  match(session.tip, new RegExp(session.display_id));
  const { events } = await bus.call("get_events", { order: "asc" });
  equal(events[1].event_type, "session_registered");
  equal(events[1].payload, "a started on home in /x/repo");
  equal(events[1].session_id, "c1");
  const { events: unread } = await bus.call("get_events", { session_id: "c1", resume: true });
  equal(unread, [], "what happened before it registered is not news to it");
});

Deno.test("register_session again with the same client_id resumes: same names, no second event", async () => {
  using bus = testBus();
  const first = await bus.call("register_session", { name: "a", client_id: "c1", cwd: "/x/one" });
  await bus.call("publish_event", { event_type: "t", payload: "while away" });
  const again = await bus.call("register_session", { name: "b", client_id: "c1", cwd: "/x/two" });
  equal([again.session_id, again.display_id, again.resumed], ["c1", first.display_id, true]);
  equal(again.cursor, first.cursor, "its position is its own");
  const [listed] = await bus.call("list_sessions");
  equal([listed.name, listed.cwd, listed.repo], ["b", "/x/two", "two"]);
  const { events } = await bus.call("get_events", { event_types: ["session_registered"] });
  equal(events.length, 1);
});

Deno.test("register_session brings an ended session back with its position and display id", async () => {
  using bus = testBus();
  const first = await bus.call("register_session", { name: "a", client_id: "c1" });
  await bus.call("unregister_session", { session_id: "c1" });
  await bus.call("publish_event", { event_type: "t", payload: "missed" });
  const back = await bus.call("register_session", { name: "a", client_id: "c1" });
  equal([back.resumed, back.display_id], [true, first.display_id]);
  const { events } = await bus.call("get_events", { session_id: "c1", resume: true });
  equal(events.map((e: { payload: string }) => e.payload), ["missed"]);
});

Deno.test("register_session without a client_id is a new session every time", async () => {
  using bus = testBus();
  const one = await bus.call("register_session", { name: "a" });
  const two = await bus.call("register_session", { name: "a" });
  differ(one.session_id, two.session_id);
  equal(two.active_sessions, 2);
});

Deno.test("register_session never overwrites a taken id: the newcomer gets a suffix", async () => {
  using bus = testBus();
  const mine = await bus.call("register_session", { name: "mine", client_id: "1234" });
  const theirs = await bus.call("register_session", {
    name: "theirs",
    client_id: "1234",
    machine: "laptop",
  });
  equal(theirs.session_id, "1234@laptop");
  await bus.call("register_session", { name: "odd", client_id: "x@laptop" });
  await bus.call("register_session", { name: "x", client_id: "x" });
  const third = await bus.call("register_session", {
    name: "x",
    client_id: "x",
    machine: "laptop",
  });
  equal(third.session_id, "x@laptop-2");
  const hijack = await bus.call("register_session", {
    name: "evil",
    client_id: mine.display_id,
    machine: "laptop",
  });
  equal(hijack.session_id, `${mine.display_id}@laptop`, "display ids are taken, too");
  const anonymous = await bus.call("register_session", { name: "n", client_id: "anonymous" });
  equal(anonymous.session_id, "anonymous@home");
  const again = await bus.call("register_session", {
    name: "theirs",
    client_id: "1234",
    machine: "laptop",
  });
  equal([again.session_id, again.resumed], ["1234@laptop", true]);
});

Deno.test("register_session refuses ids that are empty, too long or unprintable", async () => {
  using bus = testBus();
  for (const client_id of ["", "x".repeat(129), "a\nb", "a\u001b[31m", "a\u2028b"]) {
    const refusal = await bus.refusal("register_session", { name: "a", client_id });
    equal(refusal.code, "invalid_argument", JSON.stringify(client_id));
    match(refusal.message, /1 to 128 printable characters/);
  }
  equal((await bus.call("list_sessions")).length, 0);
});

Deno.test("register_session takes machine and folder from the client, ours only when it is here", async () => {
  using bus = testBus();
  const here = await bus.call("register_session", { name: "a" });
  equal([here.machine, here.cwd, here.repo], ["home", "/src/bus", "bus"]);
  const there = await bus.call("register_session", { name: "b" }, REMOTE);
  equal([there.machine, there.cwd, there.repo], ["100.64.0.7", "", "unknown"]);
  const said = await bus.call(
    "register_session",
    { name: "c", machine: "vm", cwd: "/r/p" },
    REMOTE,
  );
  equal([said.machine, said.cwd], ["vm", "/r/p"]);
});

Deno.test("display ids stay unique among all sessions kept, with a third word when two run out", async () => {
  using bus = testBus();
  let calls = 0;
  // A generator that always picks the first word forces every second name to look further.
  const stubborn = { ...bus, random: () => ++calls % 61 === 0 ? 0.5 : 0 };
  const { register } = await import("../../src/bus/sessions.ts");
  const seen = new Set<string>();
  for (let i = 0; i < 6; i++) {
    const { session } = register(stubborn, { name: "a" }, {
      caller: { ...LOCAL, peer: "", path: "tool" },
      now: 0,
      uuid: bus.uuid,
      random: stubborn.random,
      afterCommit: () => {},
    });
    seen.add(session.display_id);
  }
  equal(seen.size, 6);
  ok([...seen].some((id) => id.split("-").length === 3));
});

Deno.test("unregister_session ends a session and tells everybody", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "c1" });
  const { display_id } = await bus.call("register_session", { name: "b", client_id: "c2" });
  const ended = await bus.call("unregister_session", { session_id: "c2" });
  equal(ended, { success: true, session_id: "c2", display_id, active_sessions: 1 });
  const { events: [event] } = await bus.call("get_events", { limit: 1 });
  equal([event.event_type, event.session_id], ["session_unregistered", "c2"]);
  equal([event.payload, event.tags], ["b ended on home", ["unregistered"]]);
});

Deno.test("unregister_session by client_id looks on the caller's machine", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "7", machine: "laptop" });
  const refusal = await bus.refusal("unregister_session", { client_id: "7" });
  equal(refusal.message, "Session not found");
  equal(refusal.details, { client_id: "7", machine: "home" });
  const ended = await bus.call("unregister_session", { client_id: "7", machine: "laptop" });
  equal(ended.session_id, "7");
});

Deno.test("unregister_session says which way it cannot: nobody named, unknown, already ended", async () => {
  using bus = testBus();
  equal(
    (await bus.refusal("unregister_session")).message,
    "Must provide either session_id or client_id",
  );
  equal((await bus.refusal("unregister_session", { session_id: "x" })).code, "not_found");
  await bus.call("register_session", { name: "a", client_id: "c1" });
  const both = [0, 1].map(() => bus.call("unregister_session", { session_id: "c1" }));
  const results = await Promise.allSettled(both);
  equal(results.map((r) => r.status).sort(), ["fulfilled", "rejected"], "only one of two ends it");
  const refusal = await bus.refusal("unregister_session", { client_id: "c1" });
  equal([refusal.code, refusal.details.session_deleted], ["session_ended", true]);
  const { events } = await bus.call("get_events", { event_types: ["session_unregistered"] });
  equal(events.length, 1);
});

Deno.test("a session not heard for 24 hours ends with an event; any sign of life postpones it", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "quiet", client_id: "quiet" });
  await bus.call("register_session", { name: "reader", client_id: "reader" });
  bus.pass(DAY - HOUR);
  await bus.call("get_events", { session_id: "reader" });
  bus.pass(HOUR);
  const listed = await bus.call("list_sessions");
  equal(listed.map((s: { session_id: string }) => s.session_id), ["reader"]);
  const { events: [event] } = await bus.call("get_events", { limit: 1 });
  equal([event.payload, event.tags], ["quiet ended on home (not heard for 24 hours)", ["silent"]]);
});

Deno.test("a session whose process is gone ends with an event, on the server's own machine only", async () => {
  using bus = testBus();
  bus.processes.add(100);
  for (const [client_id, machine] of [["100", "home"], ["200", "home"], ["300", "laptop"]]) {
    await bus.call("register_session", { name: `p${client_id}`, client_id, machine });
  }
  const listed = await bus.call("list_sessions");
  equal(listed.map((s: { name: string }) => s.name).sort(), ["p100", "p300"]);
  const { events: [event] } = await bus.call("get_events", { limit: 1 });
  equal([event.payload, event.tags], ["p200 ended on home (its process is gone)", [
    "process_gone",
  ]]);
});

Deno.test("client ids that only look like processes harm nobody", async () => {
  using bus = testBus();
  for (const client_id of ["0", "-1", "99999999999999999999", " 7 ", "1_0", "1e5"]) {
    await bus.call("register_session", { name: client_id, client_id });
  }
  equal((await bus.call("list_sessions")).length, 6);
  equal((await bus.call("list_channels")).find((c: { channel: string }) => c.channel === "all"), {
    channel: "all",
    subscribers: 6,
  });
});

Deno.test("list_sessions shows the most recently heard first, with the channels they hear", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "a", cwd: "/w/r1" });
  bus.pass(1000);
  await bus.call("register_session", { name: "b", client_id: "b", cwd: "/w/r2" });
  bus.pass(1000);
  await bus.call("publish_event", { event_type: "t", payload: "", session_id: "a" });
  const [first, second] = await bus.call("list_sessions");
  equal([first.session_id, second.session_id], ["a", "b"]);
  equal(first.last_heartbeat, "2026-01-08T12:00:02.000Z");
  equal(first.age_seconds, 2);
  equal(first.subscribed_channels, ["all", "session:a", "repo:r1", "machine:home"]);
});

Deno.test("list_channels counts the living, sorted by name", async () => {
  using bus = testBus();
  equal(await bus.call("list_channels"), []);
  await bus.call("register_session", { name: "a", client_id: "a", cwd: "/w/r" });
  await bus.call("register_session", { name: "b", client_id: "b", cwd: "/w/r" });
  equal(await bus.call("list_channels"), [
    { channel: "all", subscribers: 2 },
    { channel: "machine:home", subscribers: 2 },
    { channel: "repo:r", subscribers: 2 },
    { channel: "session:a", subscribers: 1 },
    { channel: "session:b", subscribers: 1 },
  ]);
});

Deno.test("heartbeats are written along with the next transaction, not by themselves", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "a" });
  const stored = () =>
    (bus.store.sql("SELECT last_seen FROM session").get() as { last_seen: number }).last_seen;
  const registered = stored();
  bus.pass(5000);
  await bus.call("get_events", { session_id: "a" });
  equal(stored(), registered, "a poll writes nothing");
  await bus.call("publish_event", { event_type: "t", payload: "" });
  equal(stored(), registered + 5000);
  equal(bus.store.heartbeats.size, 0);
});

Deno.test("heartbeats make no empty poll write, however often a session resumes", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "a" });
  const written = () => (bus.store.sql("SELECT total_changes() AS n").get() as { n: number }).n;
  const before = written();
  for (let poll = 0; poll < 3; poll++) {
    bus.pass(5000);
    await bus.call("get_events", { session_id: "a", resume: true });
  }
  equal(written(), before);
  await bus.call("publish_event", { event_type: "t", payload: "" });
  equal(bus.store.heartbeats.size, 0, "the next write takes them along");
});

Deno.test("a session that comes back in the turn in which it is found gone stays", async () => {
  using bus = testBus();
  const a = { name: "a", client_id: "a" };
  await bus.call("register_session", a);
  bus.pass(DAY + HOUR);
  const [back, listed] = await Promise.all([
    bus.call("register_session", a),
    bus.call("list_sessions"),
  ]);
  equal([back.resumed, listed.length], [true, 1]);
  equal((await bus.call("get_events", { session_id: "a", resume: true })).events, []);
});

Deno.test("a session that listens is not silent, and is heard until it stops", async () => {
  using bus = testBus();
  const { attend } = await import("../../src/bus/presence.ts");
  await bus.call("register_session", { name: "a", client_id: "a" });
  const leave = attend(bus, "a", "stream");
  bus.pass(2 * DAY);
  equal((await bus.call("list_sessions")).length, 1);
  leave();
  bus.pass(DAY - HOUR);
  equal((await bus.call("list_sessions")).length, 1);
  bus.pass(HOUR);
  equal((await bus.call("list_sessions")).length, 0);
});

Deno.test("who looks on at what a session has not read is no sign of its life, and is shown nothing", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "a" });
  const { event_id } = await bus.call("publish_event", { event_type: "task_started", payload: "" });
  const mine = { session_id: "a", resume: true, peek: true, min_level: "info" };
  const { next_cursor } = await bus.call("get_events", mine);
  bus.pass(HOUR);
  const look = { session_id: "a", resume: true, peek: true };
  await bus.call("get_events", look, { looksOn: true });
  const [{ last_heartbeat }] = await bus.call("list_sessions");
  equal(last_heartbeat, "2026-01-08T12:00:00.000Z");
  await bus.call("ack_events", { session_id: "a", cursor: next_cursor });
  const { audience } = await bus.call("get_delivery", { event_id });
  equal(audience[0].state, "passed_over", "by its own page, not by the onlooker's");
});
