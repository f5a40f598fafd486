/** OpenTelemetry, switched on by its usual variables, on the whole program. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { collector, type Span } from "../helpers/collector.ts";
import { tempHome } from "../helpers/home.ts";
import { serve, type Served, SUBJECT } from "../helpers/process.ts";

const SECRET = "s3cret-marker";

const post = (bus: Served, path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${bus.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

const ours = (spans: readonly Span[], name: string) =>
  spans.filter((span) => span.scope === "event-bus" && span.name === name);

async function traces() {
  using home = tempHome();
  await using otel = collector();
  {
    await using bus = await serve({ home, env: otel.env });
    const event = { event_type: SECRET, payload: SECRET, channel: `repo:${SECRET}` };
    const who = { name: SECRET, client_id: SECRET, cwd: `/${SECRET}` };
    await bus.call("register_session", who);
    const traceparent = `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`;
    const headers = { traceparent, authorization: `Bearer ${SECRET}` };
    const answer = await post(bus, "/v1/publish_event", { ...event, session_id: SECRET }, headers);
    assert.equal(answer.status, 200);
    await answer.body?.cancel();
    const params = { name: "publish_event", arguments: event };
    const tool = { jsonrpc: "2.0", id: 1, method: "tools/call", params };
    assert.match(await (await post(bus, "/mcp", tool)).text(), /event_id/);
    await bus.call("get_events", { session_id: SECRET });
    await bus.call("get_events", { cursor: SECRET });
    assert.equal(await bus.stop(), 0);
  }
  const publishes = ours(otel.spans, "publish_event");
  assert.equal(publishes.length, 2);
  for (const span of publishes) {
    assert.deepEqual([span.attributes, span.status], [{ "event_bus.outcome": "ok" }, 0]);
    const children = otel.spans.filter(({ parentSpanId }) => parentSpanId === span.spanId);
    assert.deepEqual(children.map(({ name }) => name), ["transaction"]);
    assert.equal(children[0]?.traceId, span.traceId);
    assert.ok(otel.spans.some(({ spanId }) => spanId === span.parentSpanId), "in its request's");
  }
  assert.equal(
    publishes.filter(({ traceId }) => traceId === "ab".repeat(16)).length,
    1,
    "the trace of a caller that has one goes on",
  );
  const reads = ours(otel.spans, "get_events");
  assert.deepEqual(
    reads.map(({ attributes }) => attributes["event_bus.outcome"]).sort(),
    ["invalid_argument", "ok"],
  );
  assert.ok(reads.every(({ status }) => status === 0), "a refusal is no failure of the bus");
  assert.ok(
    reads.every(({ spanId }) => !otel.spans.some(({ parentSpanId }) => parentSpanId === spanId)),
    "a read has no transaction",
  );
  for (const { text } of otel.spans) assert.ok(!text.includes(SECRET), text);
  const log = Deno.readTextFileSync(join(home.dataDir, "event-bus.log"));
  assert.match(log, /\[WARNING\].* tracing is on/);
}

/** Whether there will be spans is told to a compiled program when it is compiled. */
async function saysThatItCannot() {
  using home = tempHome();
  await using otel = collector();
  {
    await using bus = await serve({ home, env: otel.env });
    assert.equal(await bus.stop(), 0);
  }
  assert.equal(otel.requests, 0);
  const log = Deno.readTextFileSync(join(home.dataDir, "event-bus.log"));
  assert.match(log, /\[WARNING\].* tracing stays off: .*OTEL_DENO=true/);
}

if (SUBJECT === "source") {
  Deno.test("source tracing: an operation and its transaction are parent and child", traces);
} else {
  Deno.test("binary tracing: a program compiled without it says so", saysThatItCannot);
}

Deno.test(`${SUBJECT} tracing: without OTEL_DENO nothing is sent`, async () => {
  using home = tempHome();
  await using otel = collector();
  const { OTEL_DENO: _, ...env } = otel.env;
  {
    await using bus = await serve({ home, env });
    await bus.call("publish_event", { event_type: "t", payload: "p" });
    assert.equal(await bus.stop(), 0);
  }
  assert.equal(otel.requests, 0);
  const log = Deno.readTextFileSync(join(home.dataDir, "event-bus.log"));
  assert.doesNotMatch(log, /tracing/);
});
