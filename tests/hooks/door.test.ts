/** The hooks of Claude Code, as they come in over HTTP. */
import assert from "node:assert/strict";
import { testApp } from "../helpers/server.ts";
import { hooksOf } from "../helpers/hooks.ts";

Deno.test("SessionStart registers the session and says who it is; silent otherwise", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa", { cwd: "/src/shop", branch: "main" });
  const started = await a.text("SessionStart", { source: "startup" });
  assert.match(started, /this session is [a-z]+-[a-z]+ \(shop\/main\)/);
  assert.match(started, /its session_id for the event-bus tools is "aaaa"\. No other session/);
  assert.ok(started.length < 700, `${started.length} characters`);
  for (const event of ["UserPromptSubmit", "PostToolBatch", "Stop", "Notification"]) {
    assert.equal((await a.send(event)).status, 204, event);
  }
});

Deno.test("an event is shown once, by the first hook that may show it", async () => {
  await using app = testApp();
  const a = hooksOf(app, "aaaa");
  const b = hooksOf(app, "bbbb");
  await a.text("SessionStart");
  await b.text("SessionStart");
  await b.text("UserPromptSubmit");
  await app.bus.call("publish_event", {
    event_type: "note",
    payload: "for all",
    session_id: "aaaa",
  });
  await app.bus.call("publish_event", {
    event_type: "ask",
    payload: "for b",
    session_id: "aaaa",
    channel: "session:bbbb",
  });
  assert.match(await b.text("PostToolBatch"), /> for b/);
  assert.equal(await b.text("Stop"), "");
  const prompted = await b.text("UserPromptSubmit");
  assert.match(prompted, /> for all/);
  assert.doesNotMatch(prompted, /for b/);
  assert.equal(await b.text("UserPromptSubmit"), "");
});
