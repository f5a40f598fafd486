/** Long waits: they show that they live, end with what they wait for, and take nothing when left. */
import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client as OldClient } from "@modelcontextprotocol/sdk/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport as OldTransport } from "@modelcontextprotocol/sdk/streamable-http";
import { firstMessage, type Harness, harness, listen, post, toolCall } from "./harness.ts";
import { LEGS, send, sessionOf, streamOf, until } from "./streams.ts";

const call = async (bus: Harness, name: string, args: unknown) =>
  (await firstMessage(await post(bus, toolCall(name, args)))).result.structuredContent;

const register = (bus: Harness) => call(bus, "register_session", { name: "me", client_id: "me" });
const publish = (bus: Harness, payload: string) =>
  call(bus, "publish_event", { event_type: "x", payload });

const payloads = (page: { events: { payload: string }[] }) => page.events.map((e) => e.payload);
const unread = async (bus: Harness) =>
  payloads(await call(bus, "get_events", { session_id: "me", resume: true, order: "asc" }));

const isWaiting = ({ bus }: Harness) => bus.readers.pathsTo("me").includes("wait");

const WAIT = { session_id: "me", resume: true, wait_seconds: 300 };
const PATIENT = { name: "get_events", arguments: WAIT };
const SHOWN = { ...PATIENT, _meta: { progressToken: "p-1" } };

/** Catches the timers that tick every `ms`, so that a test can tick them itself. */
function caughtIntervals(ms: number): { tick(): void } & Disposable {
  const real = globalThis.setInterval;
  const caught = new Map<number, () => void>();
  globalThis.setInterval = ((handler: () => void, every: number) => {
    const id = real(handler, every);
    if (every === ms) caught.set(Number(id), handler);
    return id;
  }) as typeof setInterval;
  return {
    tick: () => caught.forEach((handler) => handler()),
    [Symbol.dispose]: () => void (globalThis.setInterval = real),
  };
}

for (const [way, leg] of Object.entries(LEGS)) {
  Deno.test(`a wait ${way} shows progress at once and every 15 s, then what it waited for`, async () => {
    using timers = caughtIntervals(15_000);
    await using bus = harness();
    await using server = listen(bus);
    await register(bus);
    const opened = await leg.open(bus);
    const answer = await send(server.url, leg, opened, "tools/call", SHOWN);
    assert.equal(answer.response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const shown = [await answer.next()];
    await until("the wait", () => isWaiting(bus));
    for (let i = 0; i < 2; i++) {
      timers.tick();
      shown.push(await answer.next());
    }
    assert.deepEqual(shown.map((message) => message?.method), Array(3).fill(PROGRESS));
    assert.deepEqual(
      shown.map((message) => message?.params),
      [1, 2, 3].map((progress) => ({ progressToken: "p-1", progress })),
    );
    await publish(bus, "at last");
    assert.deepEqual(payloads((await answer.next())?.result.structuredContent), ["at last"]);
    assert.equal(await answer.next(), null);
    assert.equal(isWaiting(bus), false);
  });

  Deno.test(`a wait ${way} whose client asked for no progress has its first byte at once all the same`, async () => {
    await using bus = harness();
    await using server = listen(bus);
    await register(bus);
    // Resolves with the head of the answer, while nothing has come yet.
    const answer = await send(server.url, leg, await leg.open(bus), "tools/call", PATIENT);
    assert.equal(answer.response.status, 200);
    await until("the wait", () => isWaiting(bus));
    await publish(bus, "at last");
    assert.deepEqual(payloads((await answer.next())?.result.structuredContent), ["at last"]);
    assert.equal(await answer.next(), null);
  });

  Deno.test(`a wait ${way} that finds something needs no waiting`, async () => {
    await using bus = harness();
    await using server = listen(bus);
    await register(bus);
    await publish(bus, "there");
    const answer = await send(server.url, leg, await leg.open(bus), "tools/call", PATIENT);
    assert.deepEqual(payloads((await answer.next())?.result.structuredContent), ["there"]);
    assert.equal(await answer.next(), null);
  });

  Deno.test(`a client that leaves a wait ${way} ends it and takes nothing`, async () => {
    await using bus = harness();
    await using server = listen(bus);
    await register(bus);
    const client = new AbortController();
    const opened = await leg.open(bus);
    const answer = await send(server.url, leg, opened, "tools/call", SHOWN, client.signal);
    await answer.next();
    await until("the wait", () => isWaiting(bus));
    client.abort();
    await until("its end", () => !isWaiting(bus));
    await publish(bus, "kept");
    assert.deepEqual(await unread(bus), ["kept"]);
  });

  Deno.test(`a wait ${way} is told when the server stops, and no empty page`, async () => {
    await using bus = harness();
    await using server = listen(bus);
    await register(bus);
    const answer = await send(server.url, leg, await leg.open(bus), "tools/call", PATIENT);
    await until("the wait", () => isWaiting(bus));
    bus.bus.bell.stop();
    const closed = bus.door.close();
    const told = await answer.next();
    assert.equal(told?.result.isError, true);
    assert.equal(JSON.parse(told.result.content[0].text).code, "unavailable");
    await answer.leave();
    await closed;
  });
}

const PROGRESS = "notifications/progress";

Deno.test("a wait that its client cancels in a session ends and takes nothing", async () => {
  await using bus = harness();
  await using server = listen(bus);
  await register(bus);
  const opened = await sessionOf(bus);
  const leg = LEGS["in a session"]!;
  const answer = await send(server.url, leg, opened, "tools/call", PATIENT);
  await until("the wait", () => isWaiting(bus));
  const cancelled = await fetch(server.url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...opened },
    body: JSON.stringify({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: "r-1" },
    }),
  });
  assert.equal(cancelled.status, 202);
  await cancelled.body?.cancel();
  await until("its end", () => !isWaiting(bus));
  await answer.leave();
  await publish(bus, "kept");
  assert.deepEqual(await unread(bus), ["kept"]);
});

Deno.test("a wait whose session ends is told so, and no empty page", async () => {
  await using bus = harness();
  await using server = listen(bus);
  await register(bus);
  const leg = LEGS["without a session"]!;
  const answer = await send(server.url, leg, {}, "tools/call", PATIENT);
  await until("the wait", () => isWaiting(bus));
  await call(bus, "unregister_session", { session_id: "me" });
  const told = await answer.next();
  assert.equal(told?.result.isError, true);
  assert.equal(JSON.parse(told.result.content[0].text).session_deleted, true);
  assert.equal(await answer.next(), null);
});

Deno.test("a wait that is refused says why at once", async () => {
  await using bus = harness();
  const refused = streamOf(
    await post(bus, toolCall("get_events", { ...WAIT, session_id: "nobody" })),
  );
  const told = await refused.next();
  assert.equal(JSON.parse(told?.result.content[0].text).code, "not_found");
  assert.equal(await refused.next(), null);
});

/** What both generations of clients offer here. */
interface Patient {
  connect(url: string): Promise<unknown>;
  wait(onprogress: (shown: { progress: number }) => void): Promise<unknown>;
  close(): Promise<void>;
}

function oldClient(): Patient {
  const client = new OldClient({ name: "old", version: "1" });
  return {
    // deno-lint-ignore no-explicit-any
    connect: (url) => client.connect(new OldTransport(new URL(url)) as any),
    wait: (onprogress) => client.callTool(PATIENT, undefined, { onprogress }),
    close: () => client.close(),
  };
}

function newClient(mode: "legacy" | { pin: string }): Patient {
  const client = new Client({ name: "new", version: "2" }, { versionNegotiation: { mode } });
  return {
    connect: (url) => client.connect(new StreamableHTTPClientTransport(new URL(url))),
    wait: (onprogress) => client.callTool(PATIENT, { onprogress }),
    close: () => client.close(),
  };
}

const CLIENTS: Record<string, () => Patient> = {
  "the 1.x client": oldClient,
  "the 2.x client in the 2025 era": () => newClient("legacy"),
  "the 2.x client in the 2026-07-28 era": () => newClient({ pin: "2026-07-28" }),
};

for (const [name, make] of Object.entries(CLIENTS)) {
  Deno.test(`createMcpDoor lets ${name} wait and see that its wait goes on`, async () => {
    await using bus = harness();
    await using server = listen(bus);
    await register(bus);
    const client = make();
    await client.connect(server.url);
    const shown: number[] = [];
    const answer = client.wait(({ progress }) => shown.push(progress));
    await until("progress", () => shown.length > 0 && isWaiting(bus));
    await publish(bus, "at last");
    const { structuredContent } = await answer as {
      structuredContent: { events: { payload: string }[] };
    };
    assert.deepEqual(payloads(structuredContent), ["at last"]);
    assert.deepEqual(shown, [1]);
    await client.close();
  });
}
