import assert from "node:assert/strict";
import { join } from "node:path";
import { VERSION } from "../../src/build.ts";
import { LOCAL, REMOTE, START, testBus } from "../helpers/bus.ts";
import { tempHome } from "../helpers/home.ts";
import { hooksOf } from "../helpers/hooks.ts";
import { testApp } from "../helpers/server.ts";

const at = (ms: number) => new Date(START + ms).toISOString();

Deno.test("get_session: finds a session by its id, its display id and its client's id, and counts the others", async () => {
  using bus = testBus();
  const me = await bus.call("register_session", { name: "me", machine: "far" });
  await bus.call("register_session", { name: "you", client_id: "you", machine: "far" });
  // The first has its client's id as its own; the second, elsewhere, does not.
  const other = await bus.call("register_session", {
    name: "other",
    client_id: "you",
    machine: "home",
  });
  bus.processes.add(1);
  const [listed] = (await bus.call("list_sessions")).filter(
    ({ name }: { name: string }) => name === "me",
  );
  for (const session_id of [me.session_id, me.display_id]) {
    assert.deepEqual(await bus.call("get_session", { session_id }), {
      ...listed,
      peers: 2,
      unseen: 0,
    });
  }
  const by = async (session_id: string) => (await bus.call("get_session", { session_id })).name;
  assert.equal(await by("you"), "you");
  assert.equal(await by(other.session_id), "other");
});

Deno.test("get_session: by its client's id of today, also when the session began as another client", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "first", machine: "far" });
  // As after /clear: the client goes on under another id, the session does not.
  bus.store.db.exec("UPDATE session SET client_id = 'later' WHERE id = 'first'");
  for (const session_id of ["first", "later"]) {
    assert.equal((await bus.call("get_session", { session_id })).name, "me");
  }
  await bus.call("register_session", { name: "you", client_id: "you", machine: "far" });
  await bus.call("unregister_session", { session_id: "first" });
  const ended = await bus.call("get_session", { session_id: "later" });
  assert.deepEqual([ended.state, ended.peers], ["ended", 1]);
});

Deno.test("get_session: an id that nobody has is not found", async () => {
  using bus = testBus();
  const { code, details } = await bus.refusal("get_session", { session_id: "nobody" });
  assert.deepEqual([code, details.session_id], ["not_found", "nobody"]);
});

Deno.test("get_session: is no sign of life, moves nothing, and counts what the session has not read", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me", machine: "far" });
  const note = { event_type: "note", payload: "x", channel: "all" };
  await bus.call("publish_event", note);
  await bus.call("publish_event", { ...note, session_id: "me" });
  const before = await bus.call("get_session", { session_id: "me" });
  bus.pass(60_000);
  const after = await bus.call("get_session", { session_id: "me" });
  assert.equal(after.unread, 1, "its own are no news to it");
  assert.equal(after.last_heartbeat, before.last_heartbeat);
  const { events } = await bus.call("get_events", { session_id: "me", resume: true });
  assert.equal(events.length, 1);
});

Deno.test("get_session, get_diagnosis: unseen is what prompts will show, and goes down when they did", async () => {
  await using app = testApp();
  const { bus } = app;
  for (const id of ["me", "you", "third"]) {
    await bus.call("register_session", { name: id, client_id: id, machine: "home" });
  }
  const note = { event_type: "note", payload: "x", session_id: "you" };
  await bus.call("publish_event", { ...note, channel: "session:third" });
  await bus.call("publish_event", { ...note, channel: "session:me" });
  await bus.call("publish_event", { ...note, channel: "all" });
  const seen = async () => {
    const { unread, unseen } = await bus.call("get_session", { session_id: "me" });
    const { sessions } = await bus.call("get_diagnosis");
    const me = sessions.find(({ session_id }: { session_id: string }) => session_id === "me");
    assert.equal(me.unseen, unseen);
    return { unread, unseen };
  };
  assert.deepEqual(await seen(), { unread: 5, unseen: 2 });
  const hooks = hooksOf(app, "me");
  await hooks.text("PostToolBatch");
  assert.deepEqual(await seen(), { unread: 4, unseen: 1 }, "the direct one was shown");
  await hooks.text("UserPromptSubmit", { prompt: "x" });
  assert.equal((await seen()).unseen, 0);
  await bus.call("publish_event", { ...note, channel: "session:third" });
  await bus.call("unregister_session", { session_id: "third" });
  assert.deepEqual(await seen(), { unread: 2, unseen: 0 }, "nobody will show these");
});

Deno.test("get_diagnosis: says what the bus is, since when, and how much it keeps", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me", machine: "far" });
  bus.pass(90_500);
  const told = await bus.call("get_diagnosis");
  assert.equal(told.version, VERSION);
  assert.deepEqual([told.started_at, told.now, told.uptime_seconds], [at(0), at(90_500), 90]);
  assert.equal(told.events, 1);
  assert.deepEqual(told.database, {
    path: ":memory:",
    bytes: 0,
    wal_bytes: 0,
    free_bytes: null,
    total_bytes: null,
    checked_at: null,
  });
});

Deno.test("get_diagnosis: a database in a file has a size, a disk, and a time when it was found sound", async () => {
  using home = tempHome();
  const path = join(home.path, "data.db");
  using bus = testBus(path);
  const { database } = await bus.call("get_diagnosis");
  assert.equal(database.path, path);
  assert.ok(database.bytes > 0 && database.wal_bytes >= 0);
  assert.ok(database.free_bytes > 0 && database.total_bytes >= database.free_bytes);
  assert.ok(Math.abs(Date.parse(database.checked_at) - Date.now()) < 60_000);
});

Deno.test("get_diagnosis: each path with when it last asked or handed over, and what listens now first", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me", machine: "far" });
  await bus.call("publish_event", { event_type: "note", payload: "x" });
  await bus.call("get_events", { session_id: "me", resume: true }, {
    ...LOCAL,
    path: "prompt hook",
  });
  bus.readers.note("me", "batch hook", START + 1000);
  bus.readers.note("me", "prompt hook", START + 2000);
  const leave = bus.readers.attend("me", "wake");
  const paths = async () => (await bus.call("get_diagnosis")).sessions[0].paths;
  assert.deepEqual(await paths(), [
    { path: "wake", last_at: null, listening: true },
    { path: "prompt hook", last_at: at(2000), listening: false },
    { path: "batch hook", last_at: at(1000), listening: false },
  ]);
  leave();
  bus.readers.note("me", "prompt hook", START - 5000);
  const [latest] = await paths();
  assert.deepEqual(latest, { path: "batch hook", last_at: at(1000), listening: false });
});

Deno.test("get_diagnosis: who listens, or works with its hooks heard, is not deaf; why others are", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me", machine: "far" });
  const hearing = async () => {
    const [{ deaf, why }] = (await bus.call("get_diagnosis")).sessions;
    return [deaf, why];
  };
  assert.deepEqual(await hearing(), [true, "no hooks seen"]);
  bus.readers.note("me", "tool", START);
  assert.deepEqual(await hearing(), [true, "no hooks seen"], "asking is not being told");
  bus.readers.note("me", "prompt hook", START);
  assert.deepEqual(await hearing(), [true, "no listener"]);
  await bus.call("set_status", { session_id: "me", state: "working" });
  assert.deepEqual(await hearing(), [false, undefined], "its next hook tells it");
  await bus.call("set_status", { session_id: "me", state: "waiting" });
  assert.deepEqual(await hearing(), [true, "no listener"]);
  const leave = bus.readers.attend("me", "wake");
  assert.deepEqual(await hearing(), [false, undefined]);
  leave();
});

Deno.test("get_diagnosis: tells no payload and no status, also not to who is elsewhere", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me", machine: "far" });
  await bus.call("set_status", { session_id: "me", status: "SECRET" });
  await bus.call("publish_event", { event_type: "note", payload: "SECRET" });
  assert.doesNotMatch(JSON.stringify(await bus.call("get_diagnosis", {}, REMOTE)), /SECRET/);
});

Deno.test("get_diagnosis: ends who has gone first, and leaves it out", async () => {
  using bus = testBus();
  bus.processes.add(42);
  await bus.call("register_session", { name: "me", client_id: "42" });
  assert.equal((await bus.call("get_diagnosis")).sessions.length, 1);
  bus.processes.clear();
  assert.deepEqual((await bus.call("get_diagnosis")).sessions, []);
});
