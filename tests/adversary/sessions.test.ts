/** Another principal's session: through every door that names one, with a token that is good for itself. */
import assert from "node:assert/strict";
import { type TestApp, testApp } from "../helpers/server.ts";
import { everythingIn, withVictim } from "./doors.ts";

const FAR = "100.64.0.9";
const JSON_TYPE = { "content-type": "application/json" };

/** An application that also listens to others, with a token that may publish and read. */
async function withIntruder(): Promise<{ app: TestApp; headers: Record<string, string> }> {
  const app = testApp({ exposed: true });
  await withVictim(app);
  const { token } = await app.bus.call("create_token", { name: "other" });
  return { app, headers: { ...JSON_TYPE, authorization: `Bearer ${token}` } };
}

const rpc = (method: string, params: Record<string, unknown>) =>
  JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });

const call = (name: string, args: Record<string, unknown>) =>
  rpc("tools/call", { name, arguments: args });

const CALLS: readonly [name: string, args: Record<string, unknown>][] = [
  ["publish_event", { event_type: "t", payload: "forged", session_id: "victim" }],
  ["get_events", { session_id: "victim", resume: true }],
  ["get_events", { session_id: "victim", resume: true, peek: true }],
  ["get_events", { session_id: "victim", resume: true, consumer: "urgent" }],
  ["ack_events", { session_id: "victim", cursor: "2" }],
  ["set_status", { session_id: "victim", status: "forged" }],
  ["unregister_session", { session_id: "victim" }],
];

Deno.test("another's session is refused through every door, in words that tell nothing of its owner, and stays as it is", async () => {
  const { app, headers } = await withIntruder();
  await using _ = app;
  // That the token is used is noted, and no more than that.
  await app.fetch("/health", { headers }, FAR);
  const before = everythingIn(app);
  const refused = async (what: string, answer: Response, pattern = /Cannot act as session/) => {
    const text = await answer.text();
    assert.match(text, pattern, what);
    assert.doesNotMatch(text, /loopback|for the victim/, what);
    return answer.status;
  };
  for (const [name, args] of CALLS) {
    const body = JSON.stringify(args);
    const v1 = await app.fetch(`/v1/${name}`, { method: "POST", headers, body }, FAR);
    assert.equal(await refused(`/v1/${name}`, v1), 403);
    const mcp = { method: "POST", headers, body: call(name, args) };
    await refused(`/mcp ${name}`, await app.fetch("/mcp", mcp, FAR));
  }
  const published = { method: "POST", headers, body: "forged" };
  const query = "?session_id=victim";
  assert.equal(
    await refused("publish", await app.fetch(`/publish/all${query}`, published, FAR)),
    403,
  );
  const stream = await app.fetch(`/v1/events/stream${query}`, { headers }, FAR);
  assert.equal(await refused("stream", stream), 403);
  const inbox = rpc("resources/read", { uri: "event-bus://inbox/victim" });
  const read = await app.fetch("/mcp", { method: "POST", headers, body: inbox }, FAR);
  await refused("inbox", read, /another caller registered it/);
  assert.equal(everythingIn(app), before);
});

Deno.test("hooks in the name of another's session are refused or are another session, and it stays as it is", async () => {
  const { app, headers } = await withIntruder();
  await using _ = app;
  const doors = app.routes.filter(({ method, path }) => method === "POST" && /^\/hooks/.test(path));
  const row = () =>
    JSON.stringify(app.bus.store.db.prepare("SELECT * FROM session WHERE id = 'victim'").get());
  const positions = () =>
    JSON.stringify(
      app.bus.store.db.prepare("SELECT * FROM position WHERE session_id = 'victim'").all(),
    );
  const before = [row(), positions()];
  for (const { path } of doors) {
    for (
      const event of ["SessionStart", "UserPromptSubmit", "PostToolBatch", "Stop", "SessionEnd"]
    ) {
      const body = JSON.stringify({ session_id: "victim", hook_event_name: event, cwd: "/" });
      const answer = await app.fetch(`${path}?wait=0`, { method: "POST", headers, body }, FAR);
      assert.ok(answer.status < 500, `${path} ${event} ${answer.status}`);
      assert.doesNotMatch(await answer.text(), /for the victim/);
    }
  }
  assert.deepEqual([row(), positions()], before);
});

Deno.test("a session id that is guessed, decorated or of another kind acts as nobody", async () => {
  const { app, headers } = await withIntruder();
  await using _ = app;
  const before = everythingIn(app);
  const guesses = [
    "VICTIM",
    "victim ",
    " victim",
    "victim\u200b",
    "victim%00",
    "victim' OR '1'='1",
    "victim\n",
    "vic\u0074im\u0301",
    "ｖictim",
  ];
  for (const session_id of guesses) {
    const body = JSON.stringify({ session_id, cursor: "2" });
    const answer = await app.fetch("/v1/ack_events", { method: "POST", headers, body }, FAR);
    assert.equal(answer.status, 404, JSON.stringify(session_id));
    await answer.body?.cancel();
  }
  for (const session_id of [["victim"], { id: "victim" }, 1, true]) {
    const body = JSON.stringify({ session_id, cursor: "2" });
    const answer = await app.fetch("/v1/ack_events", { method: "POST", headers, body }, FAR);
    assert.ok([400, 404].includes(answer.status), `${answer.status}`);
    await answer.body?.cancel();
  }
  assert.equal(everythingIn(app), before);
});
