/** What a token's scopes allow, behind every door; and that its end ends what it began. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { OPERATIONS } from "../../src/operations/all.ts";
import { streamEvents } from "../../src/operations/stream_events.ts";
import { EVERY_SCOPE, type Scope, SCOPES } from "../../src/token.ts";
import { type TestApp, testApp } from "../helpers/server.ts";
import { streamOf } from "../helpers/streams.ts";

const FAR = "192.168.1.9";

interface Client {
  readonly headers: { authorization: string };
  post(path: string, body: unknown): Promise<Response>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  // deno-lint-ignore no-explicit-any -- answers are looked at field by field
  call(operation: string, args?: unknown): Promise<any>;
}

/** Somebody elsewhere, with a token of these scopes. */
async function client(app: TestApp, name: string, scopes: readonly Scope[]): Promise<Client> {
  Object.assign(app.bus, { uuid: () => crypto.randomUUID() });
  const { token } = await app.bus.call("create_token", { name, scopes });
  const headers = { authorization: `Bearer ${token}` };
  const post = (path: string, body: unknown) => app.post(path, body, headers, FAR);
  return {
    headers,
    post,
    get: (path, more = {}) => app.fetch(path, { headers: { ...headers, ...more } }, FAR),
    call: async (operation, args = {}) => await (await post(`/v1/${operation}`, args)).json(),
  };
}

const exposed = () => testApp({ exposed: true });

/** What a JSON-RPC call is answered, from JSON or the first line of a stream. */
// deno-lint-ignore no-explicit-any -- answers are looked at field by field
async function rpc({ post }: Client, method: string, params: unknown): Promise<any> {
  const answer = await post("/mcp", { jsonrpc: "2.0", id: 1, method, params });
  const text = await answer.text();
  return JSON.parse(text.match(/^data: (.*)$/m)?.[1] ?? text);
}

const all: readonly Scope[] = SCOPES;
const others = (scope: Scope) => all.filter((one) => one !== scope);

Deno.test("every operation needs the scope that it declares, over /v1, and says which is missing", async () => {
  await using app = exposed();
  for (const scope of all) {
    const without = await client(app, `no-${scope}`, others(scope));
    for (const { name } of OPERATIONS.filter((operation) => operation.scope === scope)) {
      const answer = await without.post(`/v1/${name}`, { nonsense: true });
      assert.equal(answer.status, 403, name);
      assert.deepEqual(await answer.json(), {
        error: `Cannot run ${name}: the scope ${scope} is missing`,
        code: "forbidden",
        missing_scope: scope,
      });
    }
    const alone = await client(app, `only-${scope}`, [scope]);
    for (const { name } of OPERATIONS.filter((operation) => operation.scope === scope)) {
      const answer = await alone.post(`/v1/${name}`, { nonsense: true });
      assert.equal(answer.status, 400, `${name} is let in, and then looks at its arguments`);
      await answer.body?.cancel();
    }
  }
});

Deno.test("every tool needs the same scope over /mcp, where a refusal is a result", async () => {
  await using app = exposed();
  for (const scope of all) {
    const without = await client(app, `no-${scope}`, others(scope));
    const tools = OPERATIONS.filter((one) => one.tool && one.scope === scope);
    assert.ok(tools.length > 0, scope);
    for (const { name } of tools) {
      const { result } = await rpc(without, "tools/call", { name, arguments: {} });
      assert.equal(result.isError, true, name);
      const refusal = JSON.parse(result.content[0].text);
      assert.deepEqual([refusal.code, refusal.missing_scope], ["forbidden", scope], name);
    }
  }
});

Deno.test("publishing text, streams and inboxes need the scope of what they do", async () => {
  await using app = exposed();
  const reader = await client(app, "reader", ["read"]);
  const writer = await client(app, "writer", ["publish"]);
  const refused = async (answer: Response, scope: Scope) => {
    assert.equal(answer.status, 403);
    assert.equal((await answer.json()).missing_scope, scope);
  };
  await refused(await reader.post("/publish/all", "text"), "publish");
  await refused(await writer.get("/v1/events/stream"), "read");
  assert.equal((await writer.post("/publish/all", "text")).status, 200);
  const stream = await reader.get("/v1/events/stream?cursor=");
  assert.equal(stream.status, 200);
  await stream.body?.cancel();

  const { session_id } = await writer.call("register_session", { name: "w" });
  const uri = `event-bus://inbox/${session_id}`;
  const read = await rpc(writer, "resources/read", { uri });
  assert.match(read.error.message, /the scope read is missing/);
  assert.equal((await writer.get("/health")).status, 200, "whether it works is no secret");
  assert.equal((await writer.get("/openapi.json")).status, 200);
});

Deno.test("an inbox is read and followed by its session's principal alone", async () => {
  await using app = exposed();
  const alice = await client(app, "alice", ["read", "publish"]);
  const bob = await client(app, "bob", ["read", "publish"]);
  const { session_id } = await alice.call("register_session", { name: "a" });
  const uri = `event-bus://inbox/${session_id}`;
  assert.ok((await rpc(alice, "resources/read", { uri })).result.contents.length);
  const streamed = await bob.get(`/v1/events/stream?session_id=${session_id}`);
  assert.deepEqual([streamed.status, (await streamed.json()).code], [403, "forbidden"]);
  const read = await rpc(bob, "resources/read", { uri });
  assert.match(read.error.message, /another caller registered it/);

  const initialized = async ({ post }: Client) => {
    const params = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "t", version: "1" },
    };
    const answer = await post("/mcp", { jsonrpc: "2.0", id: 0, method: "initialize", params });
    await answer.body?.cancel();
    return { "mcp-session-id": answer.headers.get("mcp-session-id") ?? "" };
  };
  const subscribe = async ({ headers }: Client, session: Record<string, string>) => {
    const message = { jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } };
    const answer = await app.post("/mcp", message, { ...headers, ...session }, FAR);
    return await answer.text();
  };
  assert.match(await subscribe(bob, await initialized(bob)), /another caller registered it/);
  const session = await initialized(alice);
  assert.match(await subscribe(alice, session), /"result"/);
  assert.match(
    await subscribe(bob, session),
    /without a session/,
    "alice's session of the protocol is nobody's for bob",
  );
  const stolen = await app.fetch("/mcp", {
    headers: { ...bob.headers, ...session, accept: "text/event-stream" },
  }, FAR);
  assert.equal(stolen.status, 404);
  await stolen.body?.cancel();
  const ended = await app.fetch("/mcp", {
    method: "DELETE",
    headers: { ...bob.headers, ...session },
  }, FAR);
  assert.equal(ended.status, 404);
  await ended.body?.cancel();
  assert.match(await subscribe(alice, session), /"result"/, "and it is still there");
});

Deno.test("revoking a token refuses its next call, and ends its streams and waits with the reason", async () => {
  await using app = exposed();
  const laptop = await client(app, "laptop", ["read", "publish"]);
  const other = await client(app, "other", ["read"]);
  const { session_id } = await laptop.call("register_session", { name: "l" });
  await using stream = streamOf(
    await laptop.get(`/v1/events/stream?session_id=${session_id}&cursor=0&include_own=true`),
  );
  await using kept = streamOf(await other.get("/v1/events/stream"));
  assert.equal((await stream.events(1)).length, 1);
  await kept.next();
  const waiting = laptop.call("get_events", { session_id, resume: true, wait_seconds: 60 });
  while (!app.bus.readers.pathsTo(session_id).includes("wait")) await setImmediate();

  await app.bus.call("revoke_token", { name: "laptop" });
  const over = "Cannot go on: the token has expired or was revoked";
  assert.deepEqual(await waiting, { error: over, code: "unauthenticated" });
  const last = await stream.next();
  assert.equal(last?.fields.get("event"), "end");
  assert.equal(JSON.parse(last?.fields.get("data") ?? "").error, over);
  assert.equal(await stream.next(), null);
  assert.deepEqual(app.bus.readers.pathsTo(session_id), []);
  assert.equal((await laptop.get("/health")).status, 401);

  await app.bus.call("publish_event", { event_type: "t", payload: "after" });
  assert.equal((await kept.events(1))[0]?.payload, "after", "nobody else's stream ends");
});

Deno.test("a stream ends when its token's time is over, and when its secret was rotated", async () => {
  await using app = exposed();
  Object.assign(app.bus, { uuid: () => crypto.randomUUID() });
  const open = async (token: string) =>
    streamOf(
      await app.fetch("/v1/events/stream", { headers: { authorization: `Bearer ${token}` } }, FAR),
    );
  const short = await app.bus.call("create_token", { name: "short", expires_in_seconds: 60 });
  await using expiring = await open(short.token);
  await expiring.next();
  app.bus.pass(60_000);
  app.bus.credentials.reload();
  assert.equal((await expiring.next())?.fields.get("event"), "end");

  const rotated = await app.bus.call("create_token", { name: "rotated" });
  await using old = await open(rotated.token);
  await old.next();
  await app.bus.call("rotate_token", { name: "rotated" });
  assert.equal((await old.next())?.fields.get("event"), "end");
});

Deno.test("revoking a token ends its MCP sessions and subscriptions in both eras", async () => {
  await using app = exposed();
  const laptop = await client(app, "laptop", ["read", "publish"]);
  const { session_id } = await laptop.call("register_session", { name: "l", client_id: "l" });
  const uri = `event-bus://inbox/${session_id}`;
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "t", version: "1" },
  };
  const begun = await laptop.post("/mcp", { jsonrpc: "2.0", id: 0, method: "initialize", params });
  await begun.body?.cancel();
  const session = { "mcp-session-id": begun.headers.get("mcp-session-id") ?? "" };
  const old = await laptop.get("/mcp", { ...session, accept: "text/event-stream" });
  assert.equal(old.status, 200);

  const modern = await app.post("/mcp", {
    jsonrpc: "2.0",
    id: 1,
    method: "subscriptions/listen",
    params: {
      notifications: { resourceSubscriptions: [uri] },
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  }, {
    ...laptop.headers,
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "subscriptions/listen",
  }, FAR);
  assert.equal(modern.status, 200, await (modern.ok ? "" : modern.text()));
  assert.match(modern.headers.get("content-type") ?? "", /^text\/event-stream/);
  const ends = [old, modern].map((answer) => answer.text());
  await app.bus.call("revoke_token", { name: "laptop" });
  await Promise.all(ends);
  assert.deepEqual(app.bus.readers.pathsTo(session_id), []);
});

Deno.test("whoever has every scope is this machine, or has the shared token", async () => {
  await using app = testApp({ exposed: true, token: "the-shared-secret" });
  const headers = { authorization: "Bearer the-shared-secret" };
  for (const { name, scope } of [...OPERATIONS, streamEvents]) {
    assert.ok(EVERY_SCOPE.has(scope), name);
  }
  assert.equal((await app.post("/v1/list_tokens", {}, headers, FAR)).status, 200);
  assert.equal((await app.post("/v1/list_tokens", {})).status, 200);
});
