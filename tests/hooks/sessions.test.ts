/** How the hooks of a client become a session on the bus, and what it is doing. */
import assert from "node:assert/strict";
import { hooksOf } from "../helpers/hooks.ts";
import { type TestApp, testApp } from "../helpers/server.ts";

/** What the command adds for a session in a process. */
const factsOf = (pid: number) => ({
  machine: "home",
  root: "/src/shop",
  repo: "shop",
  branch: "main",
  pid: String(pid),
  pid_start: `start of ${pid}`,
});

// deno-lint-ignore no-explicit-any -- looked at field by field
async function sessionsOf({ bus }: TestApp): Promise<any[]> {
  return await bus.call("list_sessions", { include_ended: true });
}

// deno-lint-ignore no-explicit-any -- looked at field by field
async function find(app: TestApp, id: string): Promise<any> {
  return (await sessionsOf(app)).find(({ session_id }) => session_id === id);
}

/** Who came and went, as the log has it. */
async function comings({ bus }: TestApp): Promise<string[]> {
  const { events } = await bus.call("get_events", { order: "asc", limit: 1000 });
  return events
    .filter(({ event_type }: { event_type: string }) => event_type.startsWith("session_"))
    .map(({ event_type, session_id, tags = [] }: Record<string, string | string[]>) =>
      [event_type, session_id, ...tags].join(" ")
    );
}

Deno.test("SessionStart registers: the client's id, repository and branch, folder, process, and why", async () => {
  await using app = testApp();
  app.bus.processes.add(4242);
  const text = await hooksOf(app, "aaaa", { cwd: "/src/shop/sub" })
    .text("SessionStart", { source: "startup" }, factsOf(4242));
  const session = await find(app, "aaaa");
  assert.deepEqual(
    [session.client_id, session.name, session.repo, session.cwd, session.machine, session.state],
    ["aaaa", "shop/main", "shop", "/src/shop/sub", "home", "idle"],
  );
  assert.ok(text.includes(`this session is ${session.display_id} (shop/main)`));
  assert.deepEqual(await comings(app), ["session_registered aaaa startup"]);
  app.bus.processes.delete(4242);
  assert.equal((await find(app, "aaaa")).state, "ended", "its process is gone");
});

Deno.test("SessionStart without the command's facts goes by the folder", async () => {
  await using app = testApp();
  await hooksOf(app, "aaaa", { cwd: "/src/shop/.claude/worktrees/wt1" }).text("SessionStart");
  const { name, repo, machine } = await find(app, "aaaa");
  assert.deepEqual([name, repo, machine], ["shop", "shop", "home"]);
});

for (const source of ["resume", "compact"]) {
  Deno.test(`SessionStart ${source}: the same session, introduced again, without a second registration`, async () => {
    await using app = testApp();
    const a = hooksOf(app, "aaaa");
    app.bus.processes.add(1).add(2);
    const first = await a.text("SessionStart", { source: "startup" }, factsOf(1));
    // A resumed one has a new process.
    const pid = source === "resume" ? 2 : 1;
    const branch = { ...factsOf(pid), branch: "fix" };
    const again = await a.text("SessionStart", { source }, branch);
    const [, name] = first.match(/this session is (\S+)/) ?? [];
    assert.ok(again.includes(`this session is ${name} (shop/fix)`));
    assert.deepEqual(await comings(app), ["session_registered aaaa startup"]);
    assert.equal((await sessionsOf(app)).length, 1);
  });
}

for (
  const [what, reason, source] of [["/clear", "clear", "clear"], ["/branch", "resume", "fork"]]
) {
  Deno.test(`${what}: the session of the process goes on under its new id, with its position`, async () => {
    await using app = testApp();
    app.bus.processes.add(1);
    const before = hooksOf(app, "old-id");
    const first = await before.text("SessionStart", { source: "startup" }, factsOf(1));
    await app.bus.call("publish_event", { event_type: "note", payload: "meanwhile" });
    assert.equal((await before.send("SessionEnd", { reason })).status, 204);
    const after = hooksOf(app, "new-id");
    const again = await after.text("SessionStart", { source }, factsOf(1));
    const [, name] = first.match(/this session is (\S+)/) ?? [];
    assert.ok(again.includes(`this session is ${name} (shop/main)`));
    assert.ok(again.includes('its session_id for the event-bus tools is "old-id"'));
    assert.ok(again.includes("> meanwhile"));
    assert.deepEqual(await comings(app), ["session_registered old-id startup"]);
    const header = (await after.send("UserPromptSubmit")).headers.get("event-bus-session");
    assert.equal(header, "old-id");
  });
}

Deno.test("/resume of another known session: that one comes back, and the one before it ends", async () => {
  await using app = testApp();
  app.bus.processes.add(1).add(2);
  const known = hooksOf(app, "known");
  await known.text("SessionStart", { source: "startup" }, factsOf(1));
  await known.send("SessionEnd", { reason: "other" });
  await app.bus.call("publish_event", { event_type: "note", payload: "while it was away" });
  const now = hooksOf(app, "now");
  await now.text("SessionStart", { source: "startup" }, factsOf(2));
  await now.send("SessionEnd", { reason: "resume" });
  assert.equal((await find(app, "now")).state, "idle", "its process goes on");
  const text = await known.text("SessionStart", { source: "resume" }, factsOf(2));
  assert.ok(text.includes("> while it was away"));
  assert.equal((await find(app, "now")).state, "ended");
  assert.equal((await find(app, "known")).state, "idle");
  assert.deepEqual(await comings(app), [
    "session_registered known startup",
    "session_unregistered known unregistered",
    "session_registered now startup",
    "session_unregistered now unregistered",
  ]);
});

Deno.test("a fork in a process of its own is a session of its own", async () => {
  await using app = testApp();
  app.bus.processes.add(1).add(2);
  await hooksOf(app, "one").text("SessionStart", { source: "startup" }, factsOf(1));
  const text = await hooksOf(app, "two").text("SessionStart", { source: "fork" }, factsOf(2));
  assert.match(text, /^Also here: [a-z-]+ \(shop\/main, idle\)\.$/m);
  assert.equal((await sessionsOf(app)).length, 2);
});

Deno.test("SessionEnd(clear) without a known process ends the session: nobody can tell that it goes on", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa");
  await a.text("SessionStart");
  await a.send("SessionEnd", { reason: "clear" });
  assert.equal((await find(app, "aaaa")).state, "ended");
});

for (const reason of ["prompt_input_exit", "logout", "other", "a reason of the future"]) {
  Deno.test(`SessionEnd(${reason}) ends the session, once`, async () => {
    await using app = testApp();
    app.bus.processes.add(1);
    const a = hooksOf(app, "aaaa");
    await a.text("SessionStart", {}, factsOf(1));
    for (let i = 0; i < 2; i++) assert.equal((await a.send("SessionEnd", { reason })).status, 204);
    assert.deepEqual(await comings(app), [
      "session_registered aaaa",
      "session_unregistered aaaa unregistered",
    ]);
    // What still arrives then brings nobody back.
    for (const event of ["Stop", "Notification", "StopFailure"]) await a.send(event);
    assert.equal((await find(app, "aaaa")).state, "ended");
  });
}

Deno.test("a session that never registered is introduced at its first prompt, and told no more than that", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa", { cwd: "/src/shop" });
  for (const event of ["Stop", "Notification", "StopFailure", "SessionEnd"]) {
    const answer = await a.send(event);
    assert.deepEqual([answer.status, answer.headers.get("event-bus-session")], [204, null], event);
  }
  assert.deepEqual(await sessionsOf(app), []);
  assert.match(await a.text("UserPromptSubmit"), /^event-bus: this session is [a-z-]+ \(shop\); /);
  assert.equal(await a.text("UserPromptSubmit"), "");
  assert.equal((await find(app, "aaaa")).state, "working");
});

Deno.test("an ended session comes back at its next prompt, as it was, and is told what it missed", async () => {
  await using app = testApp();
  app.bus.processes.add(1);
  const facts = factsOf(1);
  await hooksOf(app, "aaaa", { cwd: "/src/shop" }).text("SessionStart", {}, facts);
  app.bus.pass(25 * 60 * 60 * 1000);
  assert.equal((await find(app, "aaaa")).state, "ended");
  await app.bus.call("publish_event", {
    event_type: "note",
    payload: "missed",
    channel: "repo:shop",
  });
  // By then its client works in a folder below; an http hook says nothing else.
  const text = await hooksOf(app, "aaaa", { cwd: "/src/shop/sub" }).text("UserPromptSubmit");
  assert.match(text, /this session is [a-z-]+ \(shop\/main\); its session_id .* "aaaa"/);
  assert.match(text, /> missed/);
  const { state, repo, cwd } = await find(app, "aaaa");
  assert.deepEqual([state, repo, cwd], ["working", "shop", "/src/shop"]);
  assert.equal((await comings(app)).filter((c) => c.startsWith("session_registered")).length, 1);
});

const PRESENCE: [event: string, more: object, state: string][] = [
  ["UserPromptSubmit", {}, "working"],
  ["Notification", { notification_type: "permission_prompt" }, "waiting"],
  ["PostToolBatch", {}, "working"],
  ["Notification", { notification_type: "agent_needs_input" }, "waiting"],
  ["UserPromptSubmit", {}, "working"],
  ["Notification", { notification_type: "elicitation_dialog" }, "waiting"],
  ["Notification", { notification_type: "idle_prompt" }, "idle"],
  ["UserPromptSubmit", {}, "working"],
  ["Notification", { notification_type: "auth_success" }, "working"],
  ["Notification", {}, "working"],
  ["PreToolUse", {}, "working"],
  ["SubagentStop", { agent_id: "x" }, "working"],
  ["Stop", { agent_id: "x" }, "working"],
  ["Stop", {}, "idle"],
  ["UserPromptSubmit", {}, "working"],
  ["StopFailure", {}, "idle"],
];

Deno.test("presence follows the hooks, silently: working, waiting for the human, idle", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa");
  await a.text("SessionStart");
  for (const [event, more, state] of PRESENCE) {
    assert.equal((await a.send(event, more)).status, 204, event);
    assert.equal((await find(app, "aaaa")).state, state, `${event} ${JSON.stringify(more)}`);
  }
});

Deno.test("a compaction leaves what the session is doing as it is; any other start is the end of it", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa");
  await a.text("SessionStart");
  for (const [event, state] of [["UserPromptSubmit", "working"], ["Stop", "idle"]] as const) {
    await a.send(event);
    await a.text("SessionStart", { source: "compact" });
    assert.equal((await find(app, "aaaa")).state, state);
  }
  await a.send("UserPromptSubmit");
  await a.text("SessionStart", { source: "resume" });
  assert.equal((await find(app, "aaaa")).state, "idle");
});

Deno.test("a hook that changes nothing writes nothing", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa");
  await a.text("SessionStart");
  await a.send("UserPromptSubmit");
  const written = () =>
    (app.bus.store.db.prepare("SELECT total_changes() AS n").get() as { n: number }).n;
  const before = written();
  for (const event of ["PostToolBatch", "UserPromptSubmit", "PreToolUse", "PostToolBatch"]) {
    await a.send(event);
  }
  assert.equal(written(), before);
});

Deno.test("a subagent takes nothing of its parent's, whatever its hooks are called", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa");
  await a.text("SessionStart");
  await app.bus.call("publish_event", {
    event_type: "help_needed",
    payload: "for the parent",
    channel: "session:aaaa",
  });
  for (const agent_id of ["agent1", "", 7, null, "x".repeat(5000)]) {
    for (
      const event of ["SessionStart", "UserPromptSubmit", "PostToolBatch", "Stop", "SessionEnd"]
    ) {
      assert.equal((await a.send(event, { agent_id })).status, 204, `${event} ${agent_id}`);
    }
  }
  assert.match(await a.text("PostToolBatch"), /> for the parent/);
});

Deno.test("sessions of the same id on two machines stay two, and each hook speaks for its own", async () => {
  await using app = testApp();
  await hooksOf(app, "aaaa").text("SessionStart", {}, { machine: "home" });
  const far = await hooksOf(app, "aaaa").send("SessionStart", {}, { machine: "far" });
  await far.body?.cancel();
  // Found by the client's id: nobody has the same one twice, and a copied transcript goes on.
  assert.equal((await sessionsOf(app)).length, 2);
  const said = await hooksOf(app, "aaaa").send("UserPromptSubmit", {}, { machine: "far" });
  assert.equal(decodeURIComponent(said.headers.get("event-bus-session") ?? ""), "aaaa@far");
});

Deno.test("an http hook, which names no machine, speaks for the session of its client's id", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa");
  await a.text("SessionStart", {}, { machine: "laptop" });
  await a.send("SessionEnd");
  await a.text("UserPromptSubmit");
  const sessions = await sessionsOf(app);
  assert.deepEqual(sessions.map(({ machine, state }) => [machine, state]), [["laptop", "working"]]);
});
