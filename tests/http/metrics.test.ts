/** `/metrics`: right after known calls through each door, for those who may, without what was said. */
import assert from "node:assert/strict";
import { BusError } from "../../src/errors.ts";
import { EVERY_SCOPE } from "../../src/token.ts";
import { testBus } from "../helpers/bus.ts";
import { type Metric, parseMetrics } from "../helpers/prometheus.ts";
import { type TestApp, testApp } from "../helpers/server.ts";
import { streamOf } from "../helpers/streams.ts";

interface Scraped {
  readonly text: string;
  readonly all: Map<string, Metric>;
  /** The value of one series, 0 when there is none. */
  value(name: string, labels?: string): number;
}

async function scrape({ fetch }: TestApp): Promise<Scraped> {
  const answer = await fetch("/metrics");
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const text = await answer.text();
  const all = parseMetrics(text);
  return { text, all, value: (name, labels = "") => all.get(name)?.samples.get(labels) ?? 0 };
}

const outcome = (operation: string, code: string) => `{operation="${operation}",outcome="${code}"}`;

/** Calls a tool, and answers whether it was refused. */
async function tool({ post }: TestApp, name: string, args: unknown): Promise<boolean> {
  const params = { name, arguments: args };
  const answer = await post("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params });
  const text = await answer.text();
  return JSON.parse(text.match(/^data: (.*)$/m)?.[1] ?? text).result.isError === true;
}

Deno.test("/metrics: counts what came through each door, by operation and outcome", async () => {
  await using app = testApp();
  const event = { event_type: "t", payload: "p" };
  await (await app.post("/v1/publish_event", event)).body?.cancel();
  await (await app.post("/publish/all", "text")).body?.cancel();
  assert.equal(await tool(app, "publish_event", event), false);
  await (await app.post("/v1/publish_event", {})).body?.cancel();
  assert.equal(await tool(app, "publish_event", {}), true);
  assert.equal(await tool(app, "get_events", { cursor: "99" }), true);

  const { value } = await scrape(app);
  const calls = (operation: string, code: string) =>
    value("event_bus_operations_total", outcome(operation, code));
  assert.equal(calls("publish_event", "ok"), 3);
  assert.equal(calls("publish_event", "invalid_argument"), 2);
  assert.equal(calls("get_events", "invalid_argument"), 1);
  assert.equal(value("event_bus_operation_seconds", '_count{operation="publish_event"}'), 5);
  assert.equal(value("event_bus_last_event_id"), 3);
  assert.equal(value("event_bus_database_up"), 1);
  assert.ok(value("event_bus_database_bytes", '{file="main"}') > 4096);
  assert.ok(value("process_resident_memory_bytes") > 1e6);
  assert.ok(Math.abs(value("process_start_time_seconds") - Date.now() / 1000) < 86_400);
});

Deno.test("/metrics: refusals over HTTP are counted by door and code", async () => {
  await using app = testApp({ exposed: true, token: "0123456789abcdef" });
  const refused = async (answering: Promise<Response>, status: number) => {
    const answer = await answering;
    assert.equal(answer.status, status);
    await answer.body?.cancel();
  };
  await refused(app.fetch("/v1/get_events", { headers: { host: "evil.example" } }), 403);
  await refused(app.fetch("/mcp", {}, "192.168.1.9"), 401);
  await refused(app.fetch("/metrics", {}, "192.168.1.9"), 401);
  await refused(app.fetch("/no/such/thing"), 404);
  await refused(app.post("/v1/no_such_operation", {}), 404);
  await refused(app.post("/v1/publish_event", {}, { "content-type": "text/plain" }), 415);
  await refused(app.post("/publish/all", "x".repeat(2 * 1024 * 1024)), 413);
  const { all } = await scrape(app);
  assert.deepEqual(Object.fromEntries(all.get("event_bus_http_refusals_total")?.samples ?? []), {
    '{door="/v1",code="forbidden"}': 1,
    '{door="/mcp",code="unauthenticated"}': 1,
    '{door="/metrics",code="unauthenticated"}': 1,
    '{door="elsewhere",code="not_found"}': 1,
    '{door="/v1",code="not_found"}': 1,
    '{door="/v1",code="unsupported_media_type"}': 1,
    '{door="/publish",code="too_large"}': 1,
  });
});

Deno.test("/metrics: reads by path, once they are durable, with what they handed over", async () => {
  await using app = testApp();
  const { bus } = app;
  const { session_id } = await bus.call("register_session", { name: "a", client_id: "a" });
  for (const payload of ["1", "2", "3"]) {
    await bus.call("publish_event", { event_type: "t", payload, channel: `session:${session_id}` });
  }
  await bus.call("get_events", { session_id, resume: true, limit: 1 }, { path: "tool" });
  await bus.call("get_events", { session_id, resume: true, peek: true });
  await bus.call("ack_events", { session_id, cursor: "4" }, { path: "prompt hook" });
  await bus.call("get_events", {});
  const { all } = await scrape(app);
  const of = (name: string) => Object.fromEntries(all.get(name)?.samples ?? []);
  assert.deepEqual(of("event_bus_reads_total"), { '{path="tool"}': 1, '{path="prompt hook"}': 1 });
  assert.deepEqual(of("event_bus_events_delivered_total"), {
    '{path="tool"}': 1,
    '{path="prompt hook"}': 2,
  });
});

Deno.test("/metrics: who listens is counted while it does, and a wait is not taken for slowness", async () => {
  await using app = testApp();
  const stream = streamOf(await app.fetch("/v1/events/stream"));
  await stream.next();
  const waiting = app.bus.call("get_events", { cursor: "0", wait_seconds: 30 });
  const during = await scrape(app);
  assert.equal(during.value("event_bus_streams"), 1);
  assert.equal(during.value("event_bus_waits"), 1);
  await app.bus.call("publish_event", { event_type: "t", payload: "p" });
  await waiting;
  await stream.cancel();
  const after = await scrape(app);
  assert.equal(after.value("event_bus_streams"), 0);
  assert.equal(after.value("event_bus_waits"), 0);
  assert.equal(after.value("event_bus_operations_total", outcome("get_events", "ok")), 1);
  assert.equal(after.value("event_bus_operation_seconds", '_count{operation="get_events"}'), 0);
});

Deno.test("/metrics: inboxes that are followed are counted", async () => {
  await using app = testApp();
  const leave = app.bus.readers.attend("a", "subscription");
  app.bus.readers.attend("a", "stream");
  assert.equal((await scrape(app)).value("event_bus_subscriptions"), 1);
  leave();
  assert.equal((await scrape(app)).value("event_bus_subscriptions"), 0);
});

Deno.test("/metrics: the backlog of each webhook, to a bound, and whether it works", async () => {
  await using app = testApp();
  const { bus } = app;
  const { webhook_id: id } = await bus.call("register_webhook", { url: "http://127.0.0.1:9/x" });
  const publish = () => bus.call("publish_event", { event_type: "t", payload: "p" });
  await Promise.all(Array.from({ length: 3 }, publish));
  const first = await scrape(app);
  assert.equal(first.value("event_bus_webhook_backlog", `{webhook="${id}"}`), 3);
  assert.equal(first.value("event_bus_webhook_up", `{webhook="${id}"}`), 1);
  await bus.call("set_webhook_active", { webhook_id: id, active: false });
  await Promise.all(Array.from({ length: 1100 }, publish));
  const later = await scrape(app);
  assert.equal(later.value("event_bus_webhook_backlog", `{webhook="${id}"}`), 1000);
  assert.equal(later.value("event_bus_webhook_up", `{webhook="${id}"}`), 0);
});

Deno.test("/metrics: needs the scope admin of a token, and none on the bus's own machine", async () => {
  await using app = testApp({ exposed: true });
  Object.assign(app.bus, { uuid: () => crypto.randomUUID() });
  const token = async (name: string, scopes: readonly string[]) =>
    (await app.bus.call("create_token", { name, scopes })).token;
  const as = (token: string) =>
    app.fetch("/metrics", { headers: { authorization: `Bearer ${token}` } }, "192.168.1.9");
  const others = await as(await token("worker", [...EVERY_SCOPE].filter((one) => one !== "admin")));
  assert.equal(others.status, 403);
  assert.deepEqual(await others.json(), {
    error: "Cannot run metrics: the scope admin is missing",
    code: "forbidden",
    missing_scope: "admin",
  });
  const admin = await as(await token("ops", ["admin"]));
  assert.equal(admin.status, 200);
  parseMetrics(await admin.text());
});

Deno.test("/metrics: nothing that a caller said is in it", async () => {
  await using app = testApp({ exposed: true });
  const secret = "s3cret-marker";
  const { session_id } = await app.bus.call("register_session", {
    name: secret,
    client_id: secret,
  });
  await app.bus.call("publish_event", {
    event_type: secret,
    payload: secret,
    channel: `repo:${secret}`,
    session_id,
  });
  await app.bus.call("get_events", { session_id, resume: true, consumer: secret });
  await app.bus.call("register_webhook", { url: `http://127.0.0.1:9/${secret}`, secret });
  for (const path of [`/${secret}`, `/v1/${secret}`, `/health/${secret}`]) {
    await (await app.post(path, secret, { authorization: `Bearer ${secret}` })).body?.cancel();
  }
  await (await app.fetch("/health", { headers: { host: secret } })).body?.cancel();
  const headers = { "event-bus-path": secret, "user-agent": secret };
  await (await app.post("/v1/get_events", { event_types: [secret] }, headers)).body?.cancel();
  const { text } = await scrape(app);
  assert.ok(!text.includes(secret), text);
});

Deno.test("/metrics: a database that cannot be read is told, beside everything else", async () => {
  const bus = testBus();
  await using app = testApp({}, {
    ...bus,
    store: {
      ...bus.store,
      sql: () => {
        throw new BusError("unavailable", "Cannot");
      },
    },
  });
  bus.metrics.performed("publish_event", "ok", 0.001);
  const { all, value } = await scrape(app);
  assert.equal(value("event_bus_database_up"), 0);
  assert.equal(all.has("event_bus_database_bytes"), false);
  assert.equal(value("event_bus_operations_total", outcome("publish_event", "ok")), 1);
});
