/** Which hook hands over what, and when it counts as read. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { addNoise } from "../helpers/bus.ts";
import { MAX_SCAN } from "../../src/store/events.ts";
import { type HookSession, hooksOf } from "../helpers/hooks.ts";
import { shownIn } from "../helpers/injected.ts";
import { type TestApp, testApp } from "../helpers/server.ts";

/** A session that has been introduced, and another one. */
async function started(app: TestApp): Promise<HookSession> {
  await hooksOf(app, "aaaa").text("SessionStart");
  const b = hooksOf(app, "bbbb");
  await b.text("SessionStart");
  return b;
}

let said = 0;

async function say(app: TestApp, channel: string, event_type = "note"): Promise<number> {
  const { event_id } = await app.bus.call("publish_event", {
    event_type,
    payload: `to ${channel}, the ${++said}th`,
    channel,
    session_id: "aaaa",
  });
  return event_id;
}

// deno-lint-ignore no-explicit-any -- looked at field by field
async function deliveryTo(app: TestApp, session: string, event_id: number): Promise<any> {
  const { audience, others } = await app.bus.call("get_delivery", { event_id });
  return [...audience, ...others].find(({ session_id }) => session_id === session);
}

const acked = { ack: "later" };

async function acknowledge(app: TestApp, answer: Response): Promise<boolean> {
  const ack = answer.headers.get("event-bus-ack");
  return (await (await app.post("/hooks/claude-code/ack", { ack })).json()).success;
}

Deno.test("PostToolBatch and Stop show only what is urgent; UserPromptSubmit that first, then the rest", async () => {
  await using app = testApp();
  const b = await started(app);
  const note = await say(app, "all");
  const direct = await say(app, "session:bbbb");
  assert.deepEqual(shownIn(await b.text("PostToolBatch")), [direct]);
  const help = await say(app, "repo:bus", "help_needed");
  assert.deepEqual(shownIn(await b.text("Stop")), [help]);
  await say(app, "repo:other", "ci_failed");
  const blocked = await say(app, "all", "blocker_found");
  const text = await b.text("UserPromptSubmit");
  assert.deepEqual(shownIn(text), [blocked, note, blocked - 1]);
  for (const event of ["PostToolBatch", "UserPromptSubmit", "Stop"]) {
    assert.equal(await b.text(event), "", event);
  }
});

for (
  const [event, path] of [
    ["SessionStart", "start hook"],
    ["UserPromptSubmit", "prompt hook"],
    ["PostToolBatch", "batch hook"],
    ["Stop", "stop hook"],
  ] as const
) {
  Deno.test(`the record says that ${event} handed it over`, async () => {
    await using app = testApp();
    const b = await started(app);
    const id = await say(app, "session:bbbb");
    assert.equal((await deliveryTo(app, "bbbb", id)).state, "waiting");
    app.bus.pass(1234);
    await b.text(event);
    const { state, path: by, after_ms } = await deliveryTo(app, "bbbb", id);
    assert.deepEqual([state, by, after_ms], ["has", path, 1234]);
  });
}

Deno.test("its own messages are not shown to a session", async () => {
  await using app = testApp();
  const b = await started(app);
  await app.bus.call("publish_event", {
    event_type: "help_needed",
    payload: "mine",
    session_id: "bbbb",
  });
  for (const event of ["PostToolBatch", "Stop", "UserPromptSubmit"]) {
    assert.equal(await b.text(event), "");
  }
});

Deno.test("Stop holds a session back once for each message; who is held back works on", async () => {
  await using app = testApp();
  const b = await started(app);
  await b.text("UserPromptSubmit");
  const state = async () =>
    (await app.bus.call("list_sessions"))
      .find((s: { session_id: string }) => s.session_id === "bbbb").state;
  const id = await say(app, "session:bbbb");
  assert.deepEqual(shownIn(await b.text("Stop", { stop_hook_active: false })), [id]);
  assert.equal(await state(), "working");
  assert.equal(await b.text("Stop", { stop_hook_active: true }), "");
  assert.equal(await state(), "idle");
});

Deno.test("Stop holds back four times in a row at most; a new turn begins anew, and nothing is lost", async () => {
  await using app = testApp();
  const b = await started(app);
  const stop = async (goesOn: boolean) => {
    const id = await say(app, "session:bbbb");
    const shown = shownIn(await b.text("Stop", { stop_hook_active: goesOn }));
    assert.deepEqual(shown, shown.length === 0 ? [] : [id]);
    return shown.length > 0;
  };
  const row: boolean[] = [];
  for (let i = 0; i < 7; i++) row.push(await stop(i > 0));
  assert.deepEqual(row, [true, true, true, true, false, false, false]);
  // What it was not held back for waits for the prompt.
  assert.equal(shownIn(await b.text("UserPromptSubmit")).length, 3);
  assert.equal(await stop(false), true);
  for (let i = 0; i < 3; i++) assert.equal(await stop(true), true);
  assert.equal(await stop(true), false);
});

Deno.test("Stop does not hold back for what is not urgent", async () => {
  await using app = testApp();
  const b = await started(app);
  await say(app, "all");
  await say(app, "repo:other", "help_needed");
  await say(app, "session:aaaa");
  assert.equal(await b.text("Stop"), "");
  // What others say to each other is in the log, but nothing for its prompt.
  assert.equal(shownIn(await b.text("UserPromptSubmit")).length, 2);
});

Deno.test("ack=later: nothing counts as read until it is acknowledged, and then as of its hook", async () => {
  await using app = testApp();
  const b = await started(app);
  const id = await say(app, "session:bbbb");
  const answer = await b.send("UserPromptSubmit", {}, acked);
  assert.deepEqual(shownIn((await answer.json()).hookSpecificOutput.additionalContext), [id]);
  assert.equal((await deliveryTo(app, "bbbb", id)).state, "waiting");
  assert.equal(await acknowledge(app, answer), true);
  assert.deepEqual((await deliveryTo(app, "bbbb", id)).path, "prompt hook");
  assert.equal(await acknowledge(app, answer), false, "once");
  assert.equal(await b.text("UserPromptSubmit"), "");
});

Deno.test("ack=later: what says nothing wants no acknowledgement", async () => {
  await using app = testApp();
  const b = await started(app);
  const prompt = await b.send("UserPromptSubmit", {}, acked);
  assert.deepEqual([prompt.status, prompt.headers.get("event-bus-ack")], [204, null]);
  const start = await b.send("SessionStart", { source: "resume" }, acked);
  assert.deepEqual([start.status, start.headers.get("event-bus-ack")], [200, null]);
  await start.body?.cancel();
});

Deno.test("ack=later: a second hook waits for the first one's, and does not show the same", async () => {
  await using app = testApp();
  const b = await started(app);
  await say(app, "session:bbbb");
  const first = await b.send("UserPromptSubmit", {}, acked);
  await first.body?.cancel();
  let isAnswered = false;
  const second = b.text("PostToolBatch").finally(() => isAnswered = true);
  await pause(0);
  assert.equal(isAnswered, false);
  assert.equal(await acknowledge(app, first), true);
  assert.equal(await second, "");
});

Deno.test("ack=later: what was never acknowledged is shown again", async () => {
  await using app = testApp();
  const b = await started(app);
  const id = await say(app, "session:bbbb");
  const lost = await b.send("UserPromptSubmit", {}, acked);
  await lost.body?.cancel();
  assert.deepEqual(shownIn(await b.text("PostToolBatch")), [id]);
  // Late: what was shown meanwhile stays on record as it was.
  await acknowledge(app, lost);
  assert.equal((await deliveryTo(app, "bbbb", id)).path, "batch hook");
});

Deno.test("a hook whose caller has left takes nothing", async () => {
  await using app = testApp();
  const b = await started(app);
  const id = await say(app, "session:bbbb");
  const left = await app.fetch("/hooks/claude-code", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ session_id: "bbbb", hook_event_name: "UserPromptSubmit", cwd: "/w" }),
    signal: AbortSignal.abort(),
  });
  assert.deepEqual([left.status, (await left.json()).code], [499, "caller_left"]);
  assert.equal((await deliveryTo(app, "bbbb", id)).state, "waiting");
  assert.deepEqual(shownIn(await b.text("UserPromptSubmit")), [id]);
});

const OUTAGE = {
  from: Date.UTC(2026, 0, 8, 12, 0, 10),
  to: Date.UTC(2026, 0, 8, 12, 30),
};
const AWAY = "The event bus could not be reached from 2026-01-08T12:00:10.000Z to " +
  "2026-01-08T12:30:00.000Z; what was tried then did not reach it, and nothing that it had is lost.";

Deno.test("a bus that was away is told once to who was there before, and not to who came later", async () => {
  // The server after the outage, with what the one before it kept.
  await using app = testApp({}, undefined, undefined, { outage: OUTAGE });
  await app.bus.call("register_session", { name: "before", client_id: "old" });
  await app.bus.call("register_session", { name: "asleep", client_id: "silent" });
  app.bus.pass(60 * 60_000);
  const old = hooksOf(app, "old");
  for (const event of ["Stop", "Notification"]) assert.equal(await old.text(event), "", event);
  assert.equal(await old.text("PostToolBatch"), AWAY);
  assert.equal(await old.text("UserPromptSubmit"), "");
  assert.match(
    await hooksOf(app, "new").text("SessionStart"),
    /^event-bus: [^\n]+\nAlso here: [^\n]+$/,
  );
  assert.equal(await hooksOf(app, "new").text("UserPromptSubmit"), "");
  const woken = await hooksOf(app, "silent").text("SessionStart", { source: "resume" });
  assert.equal(woken.split("\n").at(-1), AWAY);
});

Deno.test("a restart is no absence", async () => {
  const outage = { from: OUTAGE.from, to: OUTAGE.from + 4000 };
  await using app = testApp({}, undefined, undefined, { outage });
  await app.bus.call("register_session", { name: "before", client_id: "old" });
  app.bus.pass(60_000);
  assert.equal(await hooksOf(app, "old").text("UserPromptSubmit"), "");
});

Deno.test("what a session's own client found out about an absence is told it alone, once", async () => {
  await using app = testApp();
  const b = await started(app);
  const since = app.bus.clock() + 1000;
  app.bus.pass(60_000);
  const listening = b.wait({ away_since: String(since), wait: "0.01" });
  assert.deepEqual(await listening, { kind: "nothing" });
  assert.match(await b.text("UserPromptSubmit"), /^The event bus could not be reached from /);
  assert.equal(await b.text("UserPromptSubmit"), "");
  assert.equal(await hooksOf(app, "aaaa").text("UserPromptSubmit"), "");
});

Deno.test("however much that concerns nobody lies before a message, it wakes its session, or a hook shows it", async () => {
  await using app = testApp();
  const b = await started(app);
  await addNoise(app.bus, 2 * MAX_SCAN);
  const id = await say(app, "session:bbbb");
  const called = await b.wait({ wait: "5" });
  assert.deepEqual([called.kind, shownIn(called.text)], ["called", [id]]);
  await addNoise(app.bus, 2 * MAX_SCAN);
  const next = await say(app, "session:bbbb");
  const texts: string[] = [];
  for (let i = 0; i < 3; i++) texts.push(await b.text("PostToolBatch"));
  assert.deepEqual(texts.flatMap(shownIn), [id, next], "a hook looks only so far at once");
});
