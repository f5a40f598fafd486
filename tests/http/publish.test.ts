import assert from "node:assert/strict";
import { MAX_PAYLOAD_BYTES } from "../../src/event.ts";
import { testApp } from "../helpers/server.ts";

Deno.test("POST /publish/<channel>: the body is the payload, whatever its type", async () => {
  await using app = testApp();
  const types = [
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/json",
    "image/png",
  ];
  for (const type of types) {
    const answer = await app.post("/publish/repo:my-project?type=done", "Finished ✓", {
      "content-type": type,
    });
    assert.equal(answer.status, 200, type);
    const { event_id, ...event } = await answer.json();
    assert.ok(event_id > 0);
    assert.deepEqual(event, {
      event_type: "done",
      payload: "Finished ✓",
      channel: "repo:my-project",
      signal_level: "info",
    });
  }
});

Deno.test("POST /publish/<channel>: every parameter of publish_event can be said in the address", async () => {
  await using app = testApp();
  const session = await app.bus.call("register_session", { name: "a", client_id: "a" });
  const query = new URLSearchParams({
    type: "build_failed",
    session_id: session.session_id,
    title: "Ünïcode & more",
    tags: "ci,main",
    correlation_id: "thread-1",
    signal_level: "actionable",
  });
  const answer = await app.post(`/publish/machine:home?${query}`, "see log");
  assert.equal(answer.status, 200);
  const { events } = await app.bus.call("get_events", { limit: 1 });
  const { id: _, event_id: __, timestamp: ___, ...event } = events[0];
  assert.deepEqual(event, {
    event_type: "build_failed",
    payload: "see log",
    session_id: "a",
    channel: "machine:home",
    correlation_id: "thread-1",
    signal_level: "actionable",
    title: "Ünïcode & more",
    tags: ["ci", "main"],
  });
});

Deno.test("POST /publish/<channel>: without a type it is a message, and a body may be empty", async () => {
  await using app = testApp();
  const answer = await app.fetch("/publish/all", { method: "POST" });
  assert.equal(answer.status, 200);
  const event = await answer.json();
  assert.equal(event.event_type, "message");
  assert.equal(event.payload, "");
});

Deno.test("POST /publish/<channel>: a channel may hold slashes, spaces and other letters", async () => {
  await using app = testApp();
  const channels = {
    "repo:a/b": "repo:a/b",
    "repo%3Aa%2Fb": "repo:a/b",
    "stra%C3%9Fe%201": "straße 1",
  };
  for (const [path, channel] of Object.entries(channels)) {
    const answer = await app.post(`/publish/${path}`, "x");
    assert.equal((await answer.json()).channel, channel);
  }
});

Deno.test("POST /publish/<channel>: what publish_event refuses is refused here, too", async () => {
  await using app = testApp();
  const refused: [path: string, status: number, error: RegExp][] = [
    ["/publish/all?colour=red", 400, /colour/],
    ["/publish/all?signal_level=loud", 400, /signal_level/],
    ["/publish/all?type=", 400, /event_type/],
    ["/publish/all?payload=a", 200, /^$/],
    [`/publish/${"c".repeat(513)}`, 400, /512/],
    ["/publish/a%1Bb", 400, /channel/],
    ["/publish/a%0Ab", 404, /^Nothing is at POST/],
    ["/publish/all?tags=", 400, /tags/],
  ];
  for (const [path, status, error] of refused) {
    const answer = await app.post(path, "x");
    const body = await answer.json();
    if (status === 200) assert.equal(body.payload, "x", "the body is the payload, nothing else");
    else assert.match(body.error, error, path);
    assert.equal(answer.status, status, path);
  }
  const long = await app.post("/publish/all", "x".repeat(MAX_PAYLOAD_BYTES + 1));
  assert.equal(long.status, 413);
  const { code, limit } = await long.json();
  assert.deepEqual({ code, limit }, { code: "too_large", limit: MAX_PAYLOAD_BYTES });
});

Deno.test("POST /publish/<channel>: an address that is not well encoded harms nobody", async () => {
  await using app = testApp();
  for (const path of ["/publish/%E0%A4%A", "/publish/%", "/publish/all?type=%ff", "/publish/%00"]) {
    const answer = await app.post(path, "x");
    assert.ok(answer.status < 500, path);
    await answer.json();
  }
  assert.equal((await app.post("/publish/all", "x")).status, 200);
});
