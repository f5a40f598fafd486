/** Hooks and trust: whose session a hook speaks for, what it needs, and what a human's word ends. */
import assert from "node:assert/strict";
import { MAX_ROUNDS } from "../../src/bus/flow.ts";
import { hooksOf } from "../helpers/hooks.ts";
import { type TestApp, testApp } from "../helpers/server.ts";

const FAR = "100.64.0.7";

async function tokenOf(app: TestApp, name: string, scopes: string[]): Promise<string> {
  return (await app.bus.call("create_token", { name, scopes })).token;
}

/** The same application, as somebody far away with a token calls it. */
function farAway(app: TestApp, token: string | null): Pick<TestApp, "post"> {
  const headers = {
    host: "100.64.0.1:8080",
    ...token === null ? {} : { authorization: `Bearer ${token}` },
  };
  return { post: (path, body) => app.post(path, body, headers, FAR) };
}

const sessions = async (app: TestApp) =>
  (await app.bus.call("list_sessions")).map((s: { session_id: string }) => s.session_id).sort();

Deno.test("a hook from elsewhere needs a token that may read and publish", async () => {
  await using app = testApp({ exposed: true });
  const reader = await tokenOf(app, "reader", ["read"]);
  for (const [token, status] of [[null, 401], [reader, 403]] as const) {
    const far = hooksOf(farAway(app, token), "aaaa");
    assert.equal((await far.send("SessionStart")).status, status);
    assert.equal((await far.send("UserPromptSubmit")).status, status);
    const waiting = await farAway(app, token).post("/hooks/claude-code/wait", {
      session_id: "aaaa",
      hook_event_name: "Stop",
    });
    assert.equal(waiting.status, status);
  }
  assert.deepEqual(await sessions(app), []);
  const worker = await tokenOf(app, "worker", ["read", "publish"]);
  const far = hooksOf(farAway(app, worker), "aaaa", { machine: "laptop" });
  assert.match(await far.text("SessionStart"), /"aaaa"/);
});

Deno.test("a hook speaks for its own principal's session, whatever id it names", async () => {
  await using app = testApp({ exposed: true });
  const here = hooksOf(app, "aaaa", { machine: "home" });
  await here.text("SessionStart");
  await app.bus.call("publish_event", { event_type: "t", payload: "x", channel: "session:aaaa" });
  const token = await tokenOf(app, "other", ["read", "publish"]);
  const far = hooksOf(farAway(app, token), "aaaa", { machine: "home" });
  assert.doesNotMatch(await far.text("UserPromptSubmit"), /> x/);
  assert.equal((await far.send("SessionEnd", { reason: "other" })).status, 204);
  assert.deepEqual(await sessions(app), ["aaaa"], "it ended its own");
  assert.match(await here.text("UserPromptSubmit"), /> x/);
});

Deno.test("what a human says ends the pause of a runaway conversation; what a program says does not", async () => {
  await using app = testApp();
  const [a, b] = [hooksOf(app, "aaaa"), hooksOf(app, "bbbb")];
  await a.text("SessionStart");
  await b.text("SessionStart");
  let n = 0;
  const say = async (from: string, to: string) =>
    (await app.bus.call("publish_event", {
      event_type: "say",
      payload: `no ${++n}`,
      session_id: from,
      channel: `session:${to}`,
    })).signal_level;
  for (let i = 0; i < MAX_ROUNDS; i++) {
    await say("aaaa", "bbbb");
    await say("bbbb", "aaaa");
  }
  assert.equal(await say("aaaa", "bbbb"), "info");
  app.bus.pass(1000);
  await b.text("UserPromptSubmit", { prompt: "<task-notification>\n<summary>x</summary>" });
  assert.equal(await say("aaaa", "bbbb"), "info");
  app.bus.pass(1000);
  await b.text("UserPromptSubmit", { prompt: "go on, both of you" });
  app.bus.pass(1000);
  assert.equal(await say("aaaa", "bbbb"), "actionable");
});
