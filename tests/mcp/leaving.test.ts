/** A caller that left takes nothing: what it would have been handed stays unread. */
import assert from "node:assert/strict";
import {
  CALLER,
  firstMessage,
  type Harness,
  harness,
  INITIALIZE,
  MODERN_META,
  post,
  toolCall,
  URL_OF_DOOR,
} from "./harness.ts";

const RESUME = toolCall("get_events", { session_id: "me", resume: true }, "call-1");

/** A bus on which the session `me` has one event to read. */
async function withUnread(bus: Harness): Promise<void> {
  const { result } = await firstMessage(
    await post(bus, toolCall("register_session", { name: "me", client_id: "me" })),
  );
  assert.equal(result.structuredContent.session_id, "me");
  await (await post(bus, toolCall("publish_event", { event_type: "x", payload: "kept" }))).text();
}

async function unread(bus: Harness): Promise<string[]> {
  const { result } = await firstMessage(await post(bus, RESUME));
  return result.structuredContent.events.map((event: { payload: string }) => event.payload);
}

/** A request of a client that can leave, handed to the door with its body parsed. */
function request(headers: Record<string, string>, signal: AbortSignal): Request {
  return new Request(URL_OF_DOOR, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      ...headers,
    },
    signal,
  });
}

async function sessionOf(bus: Harness): Promise<Record<string, string>> {
  const response = await post(bus, INITIALIZE);
  await response.text();
  return { "Mcp-Session-Id": response.headers.get("mcp-session-id") ?? "" };
}

const WAYS: Record<
  string,
  { headers(bus: Harness): Promise<Record<string, string>>; body: unknown }
> = {
  "without a session": { headers: () => Promise.resolve({}), body: RESUME },
  "in a session": { headers: sessionOf, body: RESUME },
  "of 2026-07-28": {
    headers: () =>
      Promise.resolve({
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "get_events",
      }),
    body: { ...RESUME, params: { ...RESUME.params, _meta: MODERN_META } },
  },
};

for (const [way, { headers, body }] of Object.entries(WAYS)) {
  Deno.test(`a client that leaves in the middle of a call ${way} takes no events`, async () => {
    await using bus = harness();
    await withUnread(bus);
    const client = new AbortController();
    const given = request(await headers(bus), client.signal);
    // Runs in the batch of the call, right before it.
    const left = bus.bus.store.inBatch(() => client.abort());
    const response = await bus.door.fetch(given, body, { ...CALLER, signal: given.signal });
    await left;
    await response.body?.cancel();
    assert.deepEqual(await unread(bus), ["kept"]);
    assert.deepEqual(await unread(bus), []);
  });
}

Deno.test("a call that its client cancels in a session takes no events", async () => {
  await using bus = harness();
  await withUnread(bus);
  const headers = await sessionOf(bus);
  const { signal } = new AbortController();
  const call = bus.door.fetch(request(headers, signal), RESUME, CALLER);
  const cancelled = await bus.door.fetch(
    request(headers, signal),
    { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "call-1" } },
    CALLER,
  );
  assert.equal(cancelled.status, 202);
  const answer = await call;
  await bus.bus.store.inBatch(() => {});
  await answer.body?.cancel();
  assert.deepEqual(await unread(bus), ["kept"]);
});
