/** What is late, lost on the way, or said of another process: nothing is lost, and nobody is ended by mistake. */
import assert from "node:assert/strict";
import { hooksOf } from "../helpers/hooks.ts";
import { shownIn } from "../helpers/injected.ts";
import { type TestApp, testApp } from "../helpers/server.ts";

async function calledOnce(app: TestApp): Promise<number> {
  const { event_id } = await app.bus.call("publish_event", {
    event_type: "ask",
    payload: "can you look?",
    channel: "session:aaaa",
  });
  return event_id;
}

/** Lets the next COMMIT take so long, as a busy disk does. */
function slowCommit(app: TestApp, ms: number): void {
  const { store } = app.bus;
  const inBatch = store.inBatch;
  Object.assign(store, {
    async inBatch(write: Parameters<typeof inBatch>[0]) {
      Object.assign(store, { inBatch });
      const answer = await inBatch(write);
      app.bus.pass(ms);
      return answer;
    },
  });
}

Deno.test("what a slow disk keeps back until its client has gone is shown by the next hook", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa");
  await a.text("SessionStart");
  await a.text("UserPromptSubmit", { prompt: "go" });
  const id = await calledOnce(app);
  slowCommit(app, 400);
  assert.equal((await a.send("PostToolBatch")).status, 204);
  assert.deepEqual(shownIn(await a.text("PostToolBatch")), [id]);
  assert.equal(await a.text("PostToolBatch"), "");
});

const FIRST = { pid: "100", pid_start: "1@pid:[1]" };
const SECOND = { pid: "200", pid_start: "2@pid:[1]" };

const living = async (app: TestApp) =>
  (await app.bus.call("list_sessions")).map((s: { session_id: string; machine: string }) =>
    `${s.session_id} at ${s.machine}`
  );

Deno.test("a session that was resumed in a second process does not end with the first", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa", { machine: "far" });
  await a.text("SessionStart", { source: "startup" }, FIRST);
  await a.text("SessionStart", { source: "resume" }, SECOND);
  await a.send("SessionEnd", { reason: "other" }, FIRST);
  await a.send("SessionEnd", { reason: "process_gone" }, FIRST);
  assert.deepEqual(await living(app), ["aaaa at far"]);
  await a.send("SessionEnd", { reason: "other" }, SECOND);
  assert.deepEqual(await living(app), []);
});

Deno.test("a session that comes back by its prompt does not come back with its dead process", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa");
  app.bus.processes.add(100);
  await a.text("SessionStart", {}, { pid: "100" });
  app.bus.processes.delete(100);
  assert.deepEqual(await living(app), []);
  await a.text("UserPromptSubmit", { prompt: "I am back" });
  assert.deepEqual(await living(app), ["aaaa at home"]);
  // Its listener, which was there all the time, says which process it is now.
  app.bus.processes.add(300);
  await a.wait({ wait: "0", pid: "300" });
  assert.deepEqual(await living(app), ["aaaa at home"]);
  app.bus.processes.delete(300);
  assert.deepEqual(await living(app), []);
});

Deno.test("a machine that is called otherwise by now still has the same session", async () => {
  await using app = testApp();
  await hooksOf(app, "aaaa", { machine: "mac.local" }).text("SessionStart", {}, FIRST);
  const moved = hooksOf(app, "aaaa", { machine: "mac.lan" });
  await moved.text("SessionStart", { source: "compact" }, FIRST);
  assert.deepEqual(await living(app), ["aaaa at mac.lan"]);
  // A prompt came before the start was heard, and could not name the machine.
  await hooksOf(app, "bbbb").text("UserPromptSubmit", { prompt: "hi" });
  await hooksOf(app, "bbbb", { machine: "laptop" }).text("SessionStart", {}, SECOND);
  assert.deepEqual((await living(app)).sort(), ["aaaa at mac.lan", "bbbb at laptop"]);
});

Deno.test("a listener whose token is revoked is told nothing any more", async () => {
  await using app = testApp({ exposed: true });
  const { token } = await app.bus.call("create_token", {
    name: "far",
    scopes: ["read", "publish"],
  });
  const headers = { host: "100.64.0.1:8080", authorization: `Bearer ${token}` };
  const far = hooksOf(
    { post: (path, body) => app.post(path, body, headers, "100.64.0.7") },
    "aaaa",
    { machine: "laptop" },
  );
  await far.text("SessionStart");
  const waits = far.wait();
  await app.bus.call("revoke_token", { name: "far" });
  await calledOnce(app);
  const { kind, code } = await waits;
  assert.deepEqual([kind, code], [undefined, "unauthenticated"]);
});
