/** Sessions of the 2025 revisions: they come, go, and are never missed. */
import assert from "node:assert/strict";
import { IDLE_MS, MAX_SESSIONS } from "../../src/mcp/sessions.ts";
import {
  firstMessage,
  type Harness,
  harness,
  INITIALIZE,
  post,
  toolCall,
  URL_OF_DOOR,
} from "./harness.ts";

/** A harness with a clock that the test winds. */
function wound(max = MAX_SESSIONS) {
  const time = { now: 0 };
  const bus = harness({ sessions: { clock: () => time.now, max } });
  return { bus, time };
}

/** Initializes, reads the answer to its end, and answers the session's id. */
async function initialize(bus: Harness): Promise<string> {
  const response = await post(bus, INITIALIZE);
  const id = response.headers.get("mcp-session-id") ?? "";
  assert.equal((await firstMessage(response)).result.serverInfo.name, "event-bus");
  return id;
}

/** Which session, if any, a call with this id was served in; it must be served in any case. */
async function servedIn(bus: Harness, id: string): Promise<string | null> {
  const response = await post(bus, toolCall("list_sessions"), { "Mcp-Session-Id": id });
  assert.equal(response.status, 200);
  assert.deepEqual((await firstMessage(response)).result.structuredContent, { result: [] });
  return response.headers.get("mcp-session-id");
}

const about = (bus: Harness, method: string, id?: string) =>
  bus.fetch(URL_OF_DOOR, { method, headers: id === undefined ? {} : { "Mcp-Session-Id": id } });

Deno.test("initialize gives each client a session of its own, in which calls are served", async () => {
  await using bus = harness();
  const [one, two] = [await initialize(bus), await initialize(bus)];
  assert.match(one, /^[0-9a-f-]{36}$/);
  assert.notEqual(one, two);
  assert.equal(await servedIn(bus, one), one);
  assert.equal(await servedIn(bus, two), two);
});

Deno.test("initialize in a session that lives starts another one", async () => {
  await using bus = harness();
  const first = await initialize(bus);
  const again = await post(bus, INITIALIZE, { "Mcp-Session-Id": first });
  assert.equal(again.status, 200);
  assert.notEqual(again.headers.get("mcp-session-id"), first);
  await again.body?.cancel();
});

Deno.test("a call in a session that nobody knows is served without one", async () => {
  await using bus = harness();
  assert.equal(await servedIn(bus, crypto.randomUUID()), null);
  assert.equal(await servedIn(bus, "of another server"), null);
});

Deno.test("a session expires when it was idle for ten minutes, counted from its last use", async () => {
  const { bus, time } = wound();
  await using _bus = bus;
  const id = await initialize(bus);
  time.now += IDLE_MS - 1;
  assert.equal(await servedIn(bus, id), id);
  time.now += IDLE_MS - 1;
  assert.equal(await servedIn(bus, id), id);
  time.now += IDLE_MS;
  assert.equal(await servedIn(bus, id), null);
});

Deno.test("an open stream keeps its session; closing it starts the ten minutes", async () => {
  const { bus, time } = wound();
  await using _bus = bus;
  const id = await initialize(bus);
  const stream = await about(bus, "GET", id);
  assert.equal(stream.status, 200);
  assert.equal(stream.headers.get("content-type"), "text/event-stream; charset=utf-8");
  time.now += 5 * IDLE_MS;
  assert.equal(await servedIn(bus, id), id);
  await stream.body?.cancel();
  time.now += IDLE_MS - 1;
  assert.equal(await servedIn(bus, id), id);
  time.now += IDLE_MS;
  assert.equal(await servedIn(bus, id), null);
});

Deno.test("when there are too many sessions the one longest idle goes, never one with a stream", async () => {
  const { bus, time } = wound(3);
  await using _bus = bus;
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) {
    ids.push(await initialize(bus));
    time.now++;
  }
  const [streaming, idle, used] = ids as [string, string, string];
  const stream = await about(bus, "GET", streaming);
  time.now++;
  assert.equal(await servedIn(bus, used), used);
  const newcomer = await initialize(bus);
  assert.deepEqual(
    [await servedIn(bus, streaming), await servedIn(bus, idle), await servedIn(bus, used)],
    [streaming, null, used],
  );
  assert.equal(await servedIn(bus, newcomer), newcomer);
  await stream.body?.cancel();
});

Deno.test("when every session has a stream a newcomer is served without one", async () => {
  const { bus } = wound(1);
  await using _bus = bus;
  const stream = await about(bus, "GET", await initialize(bus));
  const response = await post(bus, INITIALIZE);
  assert.equal(response.headers.get("mcp-session-id"), null);
  assert.equal((await firstMessage(response)).result.protocolVersion, "2025-11-25");
  await stream.body?.cancel();
});

Deno.test("GET and DELETE without a session are 405, with an unknown one 404", async () => {
  await using bus = harness();
  for (const method of ["GET", "DELETE"]) {
    const without = await about(bus, method);
    assert.equal(without.status, 405);
    assert.equal(without.headers.get("allow"), "POST");
    assert.equal((await without.json()).error.code, -32000);
    const unknown = await about(bus, method, "nobody");
    assert.equal(unknown.status, 404);
    assert.equal((await unknown.json()).error.code, -32001);
  }
});

Deno.test("DELETE ends a session and its stream; its client is then told so with 404", async () => {
  await using bus = harness();
  const id = await initialize(bus);
  const stream = await about(bus, "GET", id);
  const ended = await about(bus, "DELETE", id);
  assert.equal(ended.status, 200);
  assert.equal(await stream.text(), "");
  const call = await post(bus, toolCall("list_sessions"), { "Mcp-Session-Id": id });
  assert.equal(call.status, 404);
  assert.equal((await call.json()).error.code, -32001);
  assert.equal((await about(bus, "GET", id)).status, 404);
});

Deno.test("a second stream in one session is refused", async () => {
  await using bus = harness();
  const id = await initialize(bus);
  const first = await about(bus, "GET", id);
  assert.equal((await about(bus, "GET", id)).status, 409);
  await first.body?.cancel();
  const next = await about(bus, "GET", id);
  assert.equal(next.status, 200);
  await next.body?.cancel();
});

Deno.test("close ends the streams that are open and refuses what comes after", async () => {
  const bus = harness();
  const stream = await about(bus, "GET", await initialize(bus));
  await bus[Symbol.asyncDispose]();
  assert.equal(await stream.text(), "");
  await assert.rejects(post(bus, toolCall("list_sessions")), /shutting down/);
});
