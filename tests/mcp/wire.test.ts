/** The bytes on the wire: the original's own client, bare curl, and requests that make no sense. */
import assert from "node:assert/strict";
import {
  firstMessage,
  harness,
  INITIALIZE,
  MODERN_META,
  post,
  toolCall,
  URL_OF_DOOR,
  VERSION,
} from "./harness.ts";

/** What the original's command line sends, to the letter: no initialize, no session, always id 1. */
const ORIGINAL = {
  "Accept": "application/json, text/event-stream",
  "Accept-Encoding": "gzip, deflate",
  "User-Agent": "python-requests/2.32.0",
};

/** How the original's command line reads an answer: the first line that starts with `data: `. */
async function asOriginalReads(response: Response): Promise<unknown> {
  const line = (await response.text()).split("\n").find((line) => line.startsWith("data: "));
  const { result } = JSON.parse(line?.slice(6) ?? "null");
  return result.structuredContent?.result ?? JSON.parse(result.content[0].text);
}

Deno.test("a tool call of the original's client is answered as SSE, the JSON on its first data line", async () => {
  await using bus = harness();
  const registered = await post(
    bus,
    toolCall("register_session", { name: "é", machine: "m", cwd: "/w/r", client_id: "77" }),
    ORIGINAL,
  );
  assert.equal(registered.status, 200);
  assert.equal(registered.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(registered.headers.get("mcp-session-id"), null);
  const me = await asOriginalReads(registered) as Record<string, unknown>;
  assert.equal(me.session_id, "77");
  assert.equal(me.name, "é");

  const sessions = await asOriginalReads(await post(bus, toolCall("list_sessions"), ORIGINAL));
  assert.equal((sessions as { repo: string }[])[0]?.repo, "r");
  const events = await asOriginalReads(
    await post(bus, toolCall("get_events", { cursor: 0, limit: "5", order: "asc" }), ORIGINAL),
  ) as { events: { event_type: string }[] };
  assert.equal(events.events[0]?.event_type, "session_registered");
});

Deno.test("an empty list keeps its wrapper and its text, and no dict has a key named result", async () => {
  await using bus = harness();
  for (const tool of ["list_sessions", "list_channels"]) {
    const { result } = await firstMessage(await post(bus, toolCall(tool), ORIGINAL));
    assert.deepEqual(result, {
      content: [{ type: "text", text: "[]" }],
      structuredContent: { result: [] },
    });
  }
  const page = await firstMessage(await post(bus, toolCall("get_events"), ORIGINAL));
  assert.equal("result" in page.result.structuredContent, false);
});

Deno.test("a refusal reaches the original's client as a dict with an error", async () => {
  await using bus = harness();
  const refusal = await asOriginalReads(
    await post(bus, toolCall("unregister_session", { session_id: "nobody" }), ORIGINAL),
  );
  assert.deepEqual(refusal, {
    error: "Session not found",
    code: "not_found",
    session_id: "nobody",
  });
});

for (
  const accept of [
    undefined,
    "*/*",
    "application/json",
    "text/event-stream",
    "text/html, */*;q=0.8",
  ]
) {
  Deno.test(`a tool call that accepts ${accept ?? "nothing in particular"} is served`, async () => {
    await using bus = harness();
    const response = await post(
      bus,
      toolCall("list_sessions"),
      accept === undefined ? {} : { Accept: accept },
    );
    assert.equal(response.status, 200);
    assert.deepEqual((await firstMessage(response)).result.structuredContent, { result: [] });
  });
}

const modernHeaders = (method: string, name?: string) => ({
  "MCP-Protocol-Version": "2026-07-28",
  "Mcp-Method": method,
  ...(name === undefined ? {} : { "Mcp-Name": name }),
});

Deno.test("a 2026-07-28 request is answered as JSON that names the server", async () => {
  await using bus = harness();
  const call = toolCall("list_sessions");
  const response = await post(
    bus,
    { ...call, params: { ...call.params, _meta: MODERN_META } },
    { ...modernHeaders("tools/call", "list_sessions"), Accept: "*/*" },
  );
  assert.equal(response.headers.get("content-type"), "application/json");
  const { result } = await response.json();
  assert.deepEqual(result.structuredContent, { result: [] });
  assert.equal(result.resultType, "complete");
  assert.equal(result._meta["io.modelcontextprotocol/serverInfo"].version, VERSION);
});

Deno.test("server/discover names the revision and exactly what is served", async () => {
  await using bus = harness();
  const response = await post(
    bus,
    { jsonrpc: "2.0", id: 1, method: "server/discover", params: { _meta: MODERN_META } },
    modernHeaders("server/discover"),
  );
  const { result } = await response.json();
  assert.deepEqual(result.supportedVersions, ["2026-07-28"]);
  assert.deepEqual(result.capabilities, { tools: {}, resources: { subscribe: true } });
});

/** What clients send by mistake or malice: the status, and the JSON-RPC code when there is one. */
const NONSENSE: [what: string, body: unknown, status: number, code: number | null][] = [
  ["null", null, 400, -32600],
  ["a number", 7, 400, -32600],
  ["an empty object", {}, 400, -32600],
  ["an empty batch", [], 400, -32600],
  ["a batch with something else in it", [toolCall("list_sessions"), 3], 400, -32600],
  ["a method that nobody has", { jsonrpc: "2.0", id: 1, method: "x/y" }, 200, -32601],
  [
    "a capability that is not there",
    {
      jsonrpc: "2.0",
      id: 1,
      method: "logging/setLevel",
      params: { level: "info" },
    },
    200,
    -32601,
  ],
  [
    "a call without a name",
    { jsonrpc: "2.0", id: 1, method: "tools/call", params: {} },
    200,
    -32602,
  ],
  [
    "arguments that are no object",
    {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "list_sessions", arguments: [1] },
    },
    200,
    -32602,
  ],
  ["an id that is null", { ...toolCall("list_sessions"), id: null }, 400, -32600],
  ["a name of the language", toolCall("__proto__"), 200, -32602],
  ["an initialize without parameters", { ...INITIALIZE, params: {} }, 200, -32603],
  [
    "a claim of an unknown revision",
    {
      ...toolCall("list_sessions"),
      params: {
        name: "list_sessions",
        _meta: { ...MODERN_META, "io.modelcontextprotocol/protocolVersion": "2099-01-01" },
      },
    },
    400,
    -32022,
  ],
  ["an answer to a question that nobody asked", { jsonrpc: "2.0", id: 9, result: {} }, 202, null],
  ["a notification", { jsonrpc: "2.0", method: "notifications/initialized" }, 202, null],
];

for (const [what, body, status, code] of NONSENSE) {
  Deno.test(`${what} is answered with ${status}${code === null ? "" : ` and ${code}`}`, async () => {
    await using bus = harness();
    const response = await post(bus, body);
    assert.equal(response.status, status);
    if (code === null) return assert.equal(await response.text(), "");
    const { error } = await firstMessage(response);
    assert.equal(error?.code, code);
    assert.ok(error.message.length > 0);
    const after = await post(bus, toolCall("list_sessions"));
    assert.deepEqual((await firstMessage(after)).result.structuredContent, { result: [] });
  });
}

Deno.test("a batch of the 2025 revisions gets an answer for each of its calls", async () => {
  await using bus = harness();
  const response = await post(bus, [toolCall("list_sessions", {}, 1), toolCall("nope", {}, "b")]);
  const messages = (await response.text()).split("\n")
    .filter((line) => line.startsWith("data: "))
    .map((line) => JSON.parse(line.slice(6)));
  assert.deepEqual(messages.map(({ id }) => id).sort(), [1, "b"]);
  assert.equal(messages.find(({ id }) => id === "b").error.code, -32602);
});

Deno.test("other methods than GET, POST and DELETE are refused with 405", async () => {
  await using bus = harness();
  const response = await bus.fetch(URL_OF_DOOR, { method: "PUT", body: "{}" });
  assert.equal(response.status, 405);
  assert.equal((await response.json()).error.code, -32000);
});
