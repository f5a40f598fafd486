import assert from "node:assert/strict";
import fc from "fast-check";
import { ERROR_CODES } from "../../src/errors.ts";
import { type TestApp, testApp } from "../helpers/server.ts";
import { TORTURE } from "../helpers/torture.ts";
import { type Thrown, thrown } from "./requests.ts";

const CALLS = TORTURE ? 10_000 : 5_000;

/** Checks that an answer is one: no fault of ours, and readable by whoever asked. */
async function checkAnswer({ method, path }: Thrown, answer: Response): Promise<void> {
  const body = await answer.text();
  const what = `${method} ${path} ${answer.status} ${body.slice(0, 300)}`;
  assert.ok(answer.status < 500, what);
  if (body === "") {
    assert.ok(method === "HEAD" || answer.status === 202 || answer.status === 204, what);
    return;
  }
  const value = parsed(answer, body);
  assert.equal(typeof value, "object", what);
  if (answer.status < 400 || /^\/mcp\/?$/.test(path)) {
    assert.doesNotMatch(body, /"code":"internal"|Internal error/, what);
    return;
  }
  assert.equal(typeof value.error, "string", what);
  assert.ok(ERROR_CODES.includes(value.code), what);
}

// deno-lint-ignore no-explicit-any -- looked at field by field
function parsed(answer: Response, body: string): any {
  const type = answer.headers.get("content-type") ?? "";
  if (type.startsWith("application/json")) return JSON.parse(body);
  assert.match(type, /^text\/event-stream; charset=utf-8/);
  const line = body.split("\n").find((one) => one.startsWith("data: "));
  return JSON.parse((line ?? "").slice("data: ".length));
}

/** A call such as everybody makes, through one of the doors. */
async function checkNormalCall(app: TestApp, n: number): Promise<void> {
  const payload = `still here ${n}`;
  const args = { event_type: "normal", payload };
  const answer = n % 2 === 0 ? await app.post("/v1/publish_event", args) : await app.post("/mcp", {
    jsonrpc: "2.0",
    id: n,
    method: "tools/call",
    params: { name: "publish_event", arguments: args },
  });
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), new RegExp(payload));
}

Deno.test(`doors: ${CALLS} fuzzed calls each get a clear answer, and none harms the next`, async () => {
  await using app = testApp();
  await app.bus.call("register_session", { name: "fuzz", client_id: "fuzz", machine: "far" });
  let calls = 0;
  const statuses = new Map<number, number>();
  const send = async (one: Thrown) => {
    const { method, path, headers, body } = one;
    const answer = await app.fetch(path, { method, headers, body });
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    await checkAnswer(one, answer);
    await checkNormalCall(app, ++calls);
  };
  await fc.assert(fc.asyncProperty(thrown, send), {
    numRuns: CALLS,
    // The gate repeats itself; the long form looks elsewhere each time and tells its seed.
    ...(TORTURE ? {} : { seed: 20260108 }),
  });
  assert.equal(calls, CALLS);
  for (const status of [200, 400, 404, 413, 415]) {
    assert.ok((statuses.get(status) ?? 0) > 0, `some were answered with ${status}`);
  }
  assert.ok((statuses.get(200) ?? 0) > CALLS / 10, "many were understood");
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
  await checkLog(app);
});

/** What the calls left behind can be read to the end, in order, and the database is sound. */
async function checkLog({ bus }: TestApp): Promise<void> {
  let cursor = "0";
  let last = 0;
  for (let more = true; more;) {
    const page = await bus.call("get_events", { cursor, order: "asc", limit: 1000 });
    for (const { id } of page.events) {
      assert.ok(id > last);
      last = id;
    }
    cursor = page.next_cursor;
    more = page.has_more;
  }
  assert.ok(last >= CALLS);
  await bus.call("list_sessions");
  const { integrity_check } = bus.store.db.prepare("PRAGMA integrity_check").get() as {
    integrity_check: string;
  };
  assert.equal(integrity_check, "ok");
}
