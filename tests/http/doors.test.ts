import assert from "node:assert/strict";
import { BusError, ERROR_CODES, type ErrorCode } from "../../src/errors.ts";
import { createHookDoor } from "../../src/hooks/door.ts";
import { createApp } from "../../src/http/app.ts";
import { MAX_BODY_BYTES } from "../../src/http/limits.ts";
import { OPERATIONS } from "../../src/operations/all.ts";
import type { Operation } from "../../src/operations/operation.ts";
import { testBus } from "../helpers/bus.ts";
import { testApp } from "../helpers/server.ts";

/** Checks that an answer is a refusal of this kind, in the one shape that there is. */
async function assertRefused(answer: Response, status: number, code: ErrorCode, error: RegExp) {
  assert.equal(answer.status, status);
  assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
  const body = await answer.json();
  assert.equal(body.code, code);
  assert.match(body.error, error);
  assert.doesNotMatch(body.error, /\n/, "one line");
  return body;
}

/** The same for /mcp, whose clients read JSON-RPC. */
async function assertRpcError(answer: Response, status: number, number: number, message: RegExp) {
  assert.equal(answer.status, status);
  const body = await answer.json();
  assert.equal(body.jsonrpc, "2.0");
  assert.equal(body.id, null);
  assert.equal(body.error.code, number);
  assert.match(body.error.message, message);
}

/** They work on the database's file, and are tested where there is one. */
const OF_FILES = new Set(["backup", "export_events", "import_events", "import_database"]);

Deno.test("POST /v1/<operation>: every operation answers there with its own result", async () => {
  await using app = testApp();
  const { session_id } = await (await app.post("/v1/register_session", { name: "a" })).json();
  const calls: Record<string, [args: unknown, field: string]> = {
    register_session: [{ name: "b" }, "session_id"],
    list_sessions: [{}, "0"],
    list_channels: [{}, "0"],
    publish_event: [{ event_type: "t", payload: "p" }, "event_id"],
    get_events: [{ session_id }, "events"],
    search_events: [{ query: "p" }, "events"],
    ack_events: [{ session_id, cursor: "1" }, "cursor"],
    set_status: [{ session_id, status: "s" }, "status"],
    get_delivery: [{ event_id: 1 }, "audience"],
    get_delivery_times: [{}, "count"],
    get_session: [{ session_id }, "peers"],
    get_diagnosis: [{}, "database"],
    register_webhook: [{ url: "http://127.0.0.1:9/x", channel: "none" }, "webhook_id"],
    list_webhooks: [{}, "0"],
    set_webhook_active: [{ webhook_id: 1, active: false }, "success"],
    test_webhook: [{ webhook_id: 1 }, "success"],
    unregister_webhook: [{ webhook_id: 1 }, "success"],
    notify: [{ title: "t", message: "m" }, "success"],
    create_token: [{ name: "laptop" }, "token"],
    list_tokens: [{}, "0"],
    rotate_token: [{ name: "laptop" }, "token"],
    revoke_token: [{ name: "laptop" }, "success"],
    prune: [{ older_than_seconds: 60, dry_run: true }, "held_by"],
    get_archived_events: [{}, "damaged"],
    unregister_session: [{ session_id }, "success"],
  };
  const here = OPERATIONS.map(({ name }) => name).filter((name) => !OF_FILES.has(name));
  assert.deepEqual(Object.keys(calls).sort(), here.sort());
  for (const [name, [args, field]] of Object.entries(calls)) {
    const answer = await app.post(`/v1/${name}`, args);
    assert.equal(answer.status, 200, name);
    assert.ok(field in await answer.json(), name);
  }
});

Deno.test("POST /v1/<operation>: an empty body means no arguments", async () => {
  await using app = testApp();
  const answer = await app.post("/v1/list_sessions", "");
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), []);
});

Deno.test("POST /v1/<operation>: an unknown operation is not found, also one that objects have", async () => {
  await using app = testApp();
  for (const name of ["nothing", "__proto__", "constructor", "toString", "x".repeat(3000), "%00"]) {
    const error = /^No operation is called /;
    await assertRefused(await app.post(`/v1/${name}`, {}), 404, "not_found", error);
  }
});

Deno.test("routes: what is not there is refused with where to look", async () => {
  await using app = testApp();
  const nothing: [string, string][] = [
    ["GET", "/"],
    ["GET", "/v1/list_sessions"],
    ["PUT", "/mcp"],
    ["POST", "/publish"],
    ["POST", "/publish/"],
    ["POST", "/v1"],
    ["POST", "/v1/a/b"],
    ["DELETE", "/health"],
    ["GET", "/../etc/passwd"],
    ["GET", "/%00%0a%1b[2J"],
  ];
  for (const [method, path] of nothing) {
    const answer = await app.fetch(path, { method });
    await assertRefused(answer, 404, "not_found", /Nothing is at .*\/openapi\.json/);
  }
});

Deno.test("/v1 and /mcp: only JSON is read, whatever its charset and suffix", async () => {
  await using app = testApp();
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
  const wrong = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/jsonp",
    "text/json",
  ];
  for (const type of [...wrong, "multipart/form-data; boundary=application/json"]) {
    const headers = { "content-type": type };
    const refused = await app.post("/v1/list_sessions", "{}", headers);
    await assertRefused(refused, 415, "unsupported_media_type", /send Content-Type: application/);
    const rpc = await app.post("/mcp", body, headers);
    await assertRpcError(rpc, 415, -32603, /send Content-Type: application/);
  }
  const right = [
    "application/json",
    "Application/JSON; charset=utf-8",
    "application/json;charset=UTF-8",
    "application/vnd.api+json",
  ];
  for (const type of right) {
    const answer = await app.post("/v1/list_sessions", "{}", { "content-type": type });
    assert.equal(answer.status, 200, type);
    await answer.body?.cancel();
  }
});

Deno.test("/v1 and /mcp: invalid JSON and invalid UTF-8 are refused, and the next call works", async () => {
  await using app = testApp();
  const notJson = ["{", "{'a': 1}", "nul", "[1,]", "\u0000", "{}{}", "\ufeff{}", "NaN"];
  for (const body of notJson) {
    const refused = await app.post("/v1/list_sessions", body);
    await assertRefused(refused, 400, "invalid_argument", /^Cannot read the body as JSON: /);
    await assertRpcError(
      await app.post("/mcp", body),
      400,
      -32700,
      /^Cannot read the body as JSON/,
    );
  }
  const notUtf8 = Uint8Array.of(0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d);
  for (const path of ["/v1/list_sessions", "/publish/all"]) {
    const refused = await app.post(path, notUtf8);
    await assertRefused(refused, 400, "invalid_argument", /not UTF-8/);
  }
  await assertRpcError(await app.post("/mcp", notUtf8), 400, -32700, /not UTF-8/);
  assert.equal((await app.post("/v1/list_sessions", {})).status, 200);
});

Deno.test("/v1: arguments that are no object, or have a field too many, are refused by name", async () => {
  await using app = testApp();
  for (const args of [[], "x", 1, true, [{}]]) {
    const refused = await app.post("/v1/publish_event", JSON.stringify(args));
    await assertRefused(refused, 400, "invalid_argument", /^Cannot run publish_event: /);
  }
  const extra = await app.post("/v1/publish_event", {
    event_type: "t",
    payload: "p",
    colour: "red",
  });
  await assertRefused(extra, 400, "invalid_argument", /colour/);
  const proto = await app.post("/v1/list_sessions", '{"__proto__": {"a": 1}}');
  assert.ok(proto.status === 200 || proto.status === 400);
  assert.equal(({} as Record<string, unknown>).a, undefined, "no prototype was changed");
});

/** A body that is sent in pieces, without saying how long it is. */
function chunked(bytes: number): ReadableStream<Uint8Array> {
  let left = bytes;
  const piece = new Uint8Array(64 * 1024).fill(0x20);
  return new ReadableStream({
    pull(controller) {
      if (left <= 0) return controller.close();
      controller.enqueue(piece.subarray(0, Math.min(left, piece.length)));
      left -= piece.length;
    },
  });
}

Deno.test("every door: a body of 2 MB is refused with the limit, in one piece or in many", async () => {
  await using app = testApp();
  const bytes = 2 * 1024 * 1024;
  const error = new RegExp(`^Cannot read a body of more than ${MAX_BODY_BYTES} bytes$`);
  for (const path of ["/v1/publish_event", "/publish/all"]) {
    for (const body of [" ".repeat(bytes), chunked(bytes)]) {
      const headers: Record<string, string> = typeof body === "string"
        ? { "content-length": String(bytes) }
        : {};
      const answer = await app.post(path, body, headers);
      const refusal = await assertRefused(answer, 413, "too_large", error);
      assert.equal(refusal.limit, MAX_BODY_BYTES);
    }
  }
  for (const body of [" ".repeat(bytes), chunked(bytes)]) {
    const answer = await app.post("/mcp", body);
    assert.equal(answer.status, 413);
    assert.match(await answer.text(), /Cannot read a body of more than/);
  }
  assert.equal((await app.post("/v1/list_sessions", {})).status, 200);
});

Deno.test("every door: a body of exactly the limit is read", async () => {
  await using app = testApp();
  const answer = await app.post("/v1/list_sessions", "{}".padEnd(MAX_BODY_BYTES));
  assert.equal(answer.status, 200);
  const oneMore = await app.post("/v1/list_sessions", "{}".padEnd(MAX_BODY_BYTES + 1));
  assert.equal(oneMore.status, 413);
});

Deno.test("/health: says what answers, and 503 when the database does not", async () => {
  await using app = testApp();
  const answer = await app.fetch("/health");
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).service, "event-bus");

  using bus = testBus();
  const sick = createApp({
    bus,
    operations: OPERATIONS,
    version: "0",
    rules: { exposed: false, token: null, allowedHosts: [], allowedOrigins: [] },
    mcp: () => Promise.reject(new Error("not asked")),
    hooks: createHookDoor({ bus, digestChars: 2000, outage: null }),
    health: () => ({ status: "unavailable", database: "gone" }),
  });
  const ill = await sick.fetch(new Request("http://localhost/health"), { peer: "::1" });
  assert.equal(ill.status, 503);
  assert.equal((await ill.json()).database, "gone");
});

Deno.test("/mcp/: works like /mcp", async () => {
  await using app = testApp();
  const message = { jsonrpc: "2.0", id: 7, method: "tools/list" };
  const texts = [];
  for (const path of ["/mcp", "/mcp/"]) {
    const answer = await app.post(path, message);
    assert.equal(answer.status, 200, path);
    texts.push(await answer.text());
  }
  assert.equal(texts[0], texts[1]);
  assert.match(texts[0] ?? "", /"publish_event"/);
});

Deno.test("refusals: each code has its status, its shape and its details beside it", async () => {
  const expected: Record<ErrorCode, number> = {
    invalid_argument: 400,
    unauthenticated: 401,
    forbidden: 403,
    not_found: 404,
    session_ended: 410,
    conflict: 409,
    too_large: 413,
    too_many: 429,
    unsupported_media_type: 415,
    caller_left: 499,
    unavailable: 503,
    internal: 500,
  };
  using bus = testBus();
  const refusing: Operation = {
    ...(OPERATIONS[0] as Operation),
    name: "refuse",
    parse: (args) => (args as { code: ErrorCode }).code,
    writes: () => false,
    run(_bus, code) {
      throw new BusError(code as ErrorCode, "Cannot do it: no", { limit: 7, why: null });
    },
  };
  const failing: Operation = {
    ...refusing,
    name: "fail",
    run() {
      throw new Error("secret detail");
    },
  };
  const app = createApp({
    bus,
    operations: [refusing, failing],
    version: "0",
    rules: { exposed: false, token: null, allowedHosts: [], allowedOrigins: [] },
    mcp: () => Promise.reject(new TypeError("secret detail")),
    hooks: createHookDoor({ bus, digestChars: 2000, outage: null }),
    health: () => ({ status: "ok" }),
  });
  const post = async (path: string, body: unknown) =>
    await app.fetch(
      new Request(`http://localhost${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
      { peer: "127.0.0.1" },
    );
  for (const code of ERROR_CODES) {
    const answer = await post("/v1/refuse", { code });
    assert.equal(answer.status, expected[code], code);
    const body = await answer.json();
    assert.deepEqual(body, { error: "Cannot do it: no", code, limit: 7, why: null });
  }
  for (const path of ["/v1/fail", "/mcp"]) {
    const answer = await post(path, {});
    assert.equal(answer.status, 500, path);
    const text = await answer.text();
    assert.match(text, /Internal error/);
    assert.doesNotMatch(text, /secret/, "internals stay inside");
  }
});
