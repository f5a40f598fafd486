/** Floods: whatever door they come through and whatever they call themselves, the limits hold. */
import assert from "node:assert/strict";
import { DEFAULT_LIMITS, type LimitName } from "../../src/limits.ts";
import { type TestBus, testBus } from "../helpers/bus.ts";
import { type TestApp, testApp } from "../helpers/server.ts";

function limited(limits: Partial<Record<LimitName, number>>): { bus: TestBus; app: TestApp } {
  const bus = testBus(":memory:", { limits: { ...DEFAULT_LIMITS, ...limits } });
  Object.assign(bus, { uuid: () => crypto.randomUUID() });
  return { bus, app: testApp({ exposed: true }, bus) };
}

const FAR = "100.64.0.9";

type Publish = (app: TestApp, session_id: string, headers?: Record<string, string>) => Promise<
  { isTaken: boolean; text: string }
>;

const DOORS: Readonly<Record<string, Publish>> = {
  async v1(app, session_id, headers) {
    const args = { event_type: "t", payload: crypto.randomUUID(), session_id };
    const answer = await app.post("/v1/publish_event", args, headers, headers ? FAR : undefined);
    return { isTaken: answer.status === 200, text: await answer.text() };
  },
  async publish(app, session_id, headers = {}) {
    const peer = headers.authorization === undefined ? undefined : FAR;
    const init = { method: "POST", body: crypto.randomUUID(), headers };
    const answer = await app.fetch(`/publish/all?session_id=${session_id}`, init, peer);
    if (answer.status === 429) assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    return { isTaken: answer.status === 200, text: await answer.text() };
  },
  async mcp(app, session_id, headers) {
    const args = { event_type: "t", payload: crypto.randomUUID(), session_id };
    const params = { name: "publish_event", arguments: args };
    const body = { jsonrpc: "2.0", id: 1, method: "tools/call", params };
    const answer = await app.post("/mcp", body, headers, headers ? FAR : undefined);
    const text = await answer.text();
    return { isTaken: !text.includes('"isError":true'), text };
  },
};

Deno.test("a session's limit is one for all doors, and each says when to come back", async () => {
  const { app } = limited({ session_publishes_per_minute: 3 });
  await using _ = app;
  for (const publish of Object.values(DOORS)) assert.ok((await publish(app, "s")).isTaken);
  for (const [door, publish] of Object.entries(DOORS)) {
    const { isTaken, text } = await publish(app, "s");
    assert.ok(!isTaken, door);
    assert.match(text, /session_publishes_per_minute is 3; try again in [1-9]\d* s/, door);
    assert.match(text, /too_many/, door);
  }
  assert.equal((await app.bus.call("get_events")).events.length, 3);
});

Deno.test("who calls itself somebody else each time stays within its principal's limit, and others are served", async () => {
  const { app, bus } = limited({ principal_publishes_per_minute: 12 });
  await using _ = app;
  const headersOf = async (name: string) => ({
    authorization: `Bearer ${(await bus.call("create_token", { name })).token}`,
  });
  const [flood, other] = [await headersOf("flood"), await headersOf("other")];
  let taken = 0;
  for (let n = 0; n < 60; n++) {
    for (const publish of Object.values(DOORS)) {
      if ((await publish(app, `name-${n}`, flood)).isTaken) taken++;
    }
  }
  assert.equal(taken, 12);
  for (const publish of Object.values(DOORS)) {
    assert.ok((await publish(app, "calm", other)).isTaken);
    assert.ok((await publish(app, "here")).isTaken, "this machine is another principal");
  }
  bus.pass(60_000);
  assert.ok((await DOORS.v1?.(app, "name-0", flood))?.isTaken, "a minute later it may again");
});

Deno.test("waits and streams are counted over all doors, and given back when their callers leave", async () => {
  const { app, bus } = limited({ principal_waits: 2, principal_streams: 2 });
  await using _ = app;
  const leave = new AbortController();
  const wait = { resume: true, consumer: "c", wait_seconds: 300 };
  const waiting = ["a", "b"].map((consumer) =>
    bus.call("get_events", { ...wait, consumer }, { signal: leave.signal })
  );
  const answer = await app.post("/v1/get_events", wait);
  assert.equal(answer.status, 429);
  assert.match(await answer.text(), /principal_waits is 2/);
  const params = { name: "get_events", arguments: wait };
  const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params };
  assert.match(await (await app.post("/mcp", call)).text(), /principal_waits is 2/);
  leave.abort();
  await Promise.allSettled(waiting);
  await bus.call("publish_event", { event_type: "t", payload: "at once" });
  const free = await app.post("/v1/get_events", { cursor: "0", order: "asc", wait_seconds: 300 });
  assert.equal(free.status, 200);
  await free.body?.cancel();

  const opened = [];
  for (let n = 0; n < 2; n++) {
    const reader = (await app.fetch("/v1/events/stream")).body?.getReader();
    await reader?.read();
    opened.push(reader);
  }
  const third = await app.fetch("/v1/events/stream");
  assert.match(await third.text(), /principal_streams is 2/);
  for (const reader of opened) await reader?.cancel();
  const again = (await app.fetch("/v1/events/stream")).body?.getReader();
  const { value } = await again?.read() ?? {};
  assert.match(new TextDecoder().decode(value), /^retry: /);
  await again?.cancel();
});
