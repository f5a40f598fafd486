import assert from "node:assert/strict";
import { ABSENT } from "../../src/event.ts";
import { insertEvent, MAX_SCAN } from "../../src/store/events.ts";
import { archivingBus, DAY_MS } from "../helpers/archive.ts";
import { type TestBus, testBus } from "../helpers/bus.ts";
import { type TestApp, testApp } from "../helpers/server.ts";
import { streamOf, type TestStream } from "../helpers/streams.ts";

const PATH = "/v1/events/stream";
/** Long enough to play no part. */
const QUIET = { maxStreams: 100, keepAliveMs: 60_000 };

async function open(
  app: TestApp,
  query: Record<string, string> = {},
  headers: HeadersInit = {},
): Promise<TestStream> {
  const answer = await app.fetch(`${PATH}?${new URLSearchParams(query)}`, { headers });
  assert.equal(answer.status, 200, await (answer.ok ? "" : answer.text()));
  return streamOf(answer);
}

/** Where a stream begins, as its first block says. */
async function startOf(stream: TestStream): Promise<string | undefined> {
  return (await stream.next())?.fields.get("id");
}

const ids = (events: { id: number }[]): number[] => events.map(({ id }) => id);

/** Sessions `a` (event 1) and `b` (event 2), and three events (3 to 5) that nobody signed. */
async function scene(bus: TestBus = testBus()): Promise<TestBus> {
  for (const name of ["a", "b"]) {
    await bus.call("register_session", { name, client_id: name, cwd: `/src/${name}` });
  }
  for (const payload of ["one", "two", "three"]) {
    await bus.call("publish_event", { event_type: "t", payload });
  }
  return bus;
}

Deno.test("GET /v1/events/stream: what is published comes at once, one block for each event", async () => {
  await using app = testApp({}, await scene(), QUIET);
  const answer = await app.fetch(PATH);
  assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.equal(answer.headers.get("x-accel-buffering"), "no");
  await using stream = streamOf(answer);
  assert.equal((await stream.next())?.text, "retry: 1000\nid: 5", "it says where it begins");
  await app.bus.call("publish_event", { event_type: "t", payload: "a\n\nb\u2028c" });
  const block = await stream.next();
  assert.equal(block?.fields.get("id"), "6");
  const page = await app.bus.call("get_events", { cursor: "5", order: "asc" });
  assert.deepEqual(JSON.parse(block?.fields.get("data") ?? ""), page.events[0]);
});

Deno.test("GET /v1/events/stream: begins where Last-Event-ID, else cursor, else the reader stands, else now", async () => {
  await using app = testApp({}, await scene(), QUIET);
  await app.bus.call("get_events", { session_id: "b", resume: true, limit: 1 });
  await app.bus.call("get_events", { consumer: "ci", cursor: "1", resume: true, limit: 1 });
  const cases: [query: Record<string, string>, headers: HeadersInit, start: string][] = [
    [{}, {}, "5"],
    [{ cursor: "" }, {}, "5"],
    [{ cursor: "0" }, {}, "0"],
    [{ cursor: "2" }, {}, "2"],
    [{ cursor: "2" }, { "Last-Event-ID": "4" }, "4"],
    [{ session_id: "a" }, {}, "1"],
    [{ session_id: "b" }, {}, "3"],
    [{ session_id: "b", consumer: "mine" }, {}, "2"],
    [{ session_id: "b", consumer: "urgent" }, {}, "3"],
    [{ session_id: "b" }, { "Last-Event-ID": "1" }, "1"],
    [{ session_id: "nobody", cursor: "3" }, {}, "3"],
    [{ consumer: "ci" }, {}, "2"],
  ];
  for (const [query, headers, start] of cases) {
    await using stream = await open(app, query, headers);
    assert.equal(await startOf(stream), start, JSON.stringify([query, headers]));
  }
});

Deno.test("GET /v1/events/stream: who begins in the pruned part of the log is told so first", async () => {
  const bus = archivingBus();
  await using app = testApp({}, await scene(bus), QUIET);
  for (const session_id of ["a", "b"]) await bus.call("unregister_session", { session_id });
  bus.pass(91 * DAY_MS);
  await bus.call("publish_event", { event_type: "t", payload: "young" });
  await bus.prune(90);
  for (const [cursor, told] of [["3", true], ["7", false]] as const) {
    await using stream = await open(app, { cursor });
    await startOf(stream);
    if (told) {
      assert.equal((await stream.next())?.text, 'event: archived\ndata: {"through":"7"}');
    }
    assert.equal((await stream.next())?.fields.get("id"), "8");
  }
});

Deno.test("GET /v1/events/stream: a consumer of no session begins at its first call, and misses nothing after", async () => {
  await using app = testApp({}, await scene(), QUIET);
  for (let opened = 1; opened <= 2; opened++) {
    await using stream = await open(app, { consumer: "new" });
    assert.equal(await startOf(stream), "5");
    await app.bus.call("publish_event", { event_type: "t", payload: "p" });
  }
  await using stream = await open(app, { consumer: "new" });
  assert.deepEqual(ids(await stream.events(2)), [6, 7]);
});

Deno.test("GET /v1/events/stream: every filter leaves out what the same read leaves out", async () => {
  await using app = testApp({}, await scene(), QUIET);
  const { bus } = app;
  const more: Record<string, unknown>[] = [
    { event_type: "u", payload: "p", channel: "repo:a", correlation_id: "th" },
    { event_type: "help_needed", payload: "p", channel: "repo:b" },
    { event_type: "t", payload: "p", session_id: "a" },
    { event_type: "v", payload: "p", channel: "session:a", session_id: "b" },
  ];
  for (const one of more) await bus.call("publish_event", one);
  const filters: Record<string, unknown>[] = [
    {},
    { event_types: ["u"] },
    { event_types: ["u", "v"] },
    { exclude_types: ["t", "session_registered"] },
    { channel: "repo:b" },
    { channel: `session:${(await bus.call("list_sessions"))[0].display_id}` },
    { correlation_id: "th" },
    { min_level: "info" },
    { min_level: "actionable" },
    { session_id: "a" },
    { session_id: "a", include_own: true },
    { session_id: "a", consumer: "urgent" },
    { session_id: "b", consumer: "mine", event_types: ["v"], include_own: true },
  ];
  for (const filter of filters) {
    const resume = "session_id" in filter;
    const page = await bus.call("get_events", {
      ...filter,
      ...(resume ? { resume, peek: true } : { cursor: "0" }),
      order: "asc",
    });
    const query = Object.fromEntries(Object.entries(filter).map(([k, v]) => [k, String(v)]));
    await using stream = await open(app, resume ? query : { ...query, cursor: "0" });
    const found = ids(page.events);
    assert.deepEqual(ids(await stream.events(found.length)), found, JSON.stringify(filter));
    // Nothing that does not match was behind them: the next thing that comes is the next that matches.
    const next = await bus.call("publish_event", {
      event_type: "v",
      payload: "p",
      channel: "session:a",
    });
    if (!["event_types", "channel", "correlation_id"].some((narrowing) => narrowing in filter)) {
      assert.deepEqual(ids(await stream.events(1)), [next.event_id], JSON.stringify(filter));
    }
  }
});

Deno.test("GET /v1/events/stream: what cannot be read is refused before the stream begins", async () => {
  await using app = testApp({}, await scene(), QUIET);
  await app.bus.call("unregister_session", { session_id: "b" });
  const cases: [query: string, status: number, code: string, error: RegExp][] = [
    ["frob=1", 400, "invalid_argument", /"frob"/],
    ["limit=3", 400, "invalid_argument", /"limit"/],
    ["min_level=loud", 400, "invalid_argument", /min_level/],
    ["include_own=perhaps", 400, "invalid_argument", /include_own/],
    ["event_types=", 400, "invalid_argument", /event_types/],
    ["event_types=a,,b", 400, "invalid_argument", /event_types/],
    [`exclude_types=${"x,".repeat(101)}x`, 400, "invalid_argument", /exclude_types/],
    ["channel=a%00b", 400, "invalid_argument", /NUL/],
    ["consumer=main", 400, "invalid_argument", /as main without a session_id/],
    [`consumer=${"c".repeat(65)}`, 400, "invalid_argument", /consumer/],
    ["cursor=abc", 400, "invalid_argument", /from cursor "abc": .* from 0 to [0-9]+/],
    ["cursor=-1", 400, "invalid_argument", /from cursor "-1"/],
    ["cursor=99", 400, "invalid_argument", /from cursor "99"/],
    ["session_id=nobody", 404, "not_found", /^Session not found$/],
    ["session_id=b", 410, "session_ended", /^Session deleted$/],
    ["session_id=b&cursor=1", 410, "session_ended", /^Session deleted$/],
  ];
  for (const [query, status, code, error] of cases) {
    const answer = await app.fetch(`${PATH}?${query}`);
    const body = await answer.json();
    assert.deepEqual([answer.status, body.code], [status, code], query);
    assert.match(body.error, error, query);
  }
  for (const id of ["abc", "99"]) {
    const answer = await app.fetch(PATH, { headers: { "Last-Event-ID": id } });
    assert.equal(answer.status, 400);
    assert.equal((await answer.json()).tip, "6", "it says where the log ends");
  }
});

Deno.test("GET /v1/events/stream: reading moves nothing; an ack marks what was shown and passes what was not", async () => {
  await using app = testApp({}, await scene(), QUIET);
  const { bus } = app;
  await bus.call("publish_event", { event_type: "u", payload: "p" });
  const unread = async () =>
    (await bus.call("get_events", { session_id: "a", resume: true, peek: true })).unread;
  assert.equal(await unread(), 5);
  await using stream = await open(app, { session_id: "a", consumer: "ci", event_types: "u" });
  assert.deepEqual(ids(await stream.events(1)), [6]);
  assert.equal(await unread(), 5, "the main consumer is another one");
  const ci = { session_id: "a", consumer: "ci" };
  const page = await bus.call("get_events", { ...ci, resume: true, peek: true });
  assert.equal(page.unread, 5, "what was sent may not have arrived");

  // Its reader marks in smaller steps than it was sent.
  await bus.call("publish_event", { event_type: "u", payload: "p" });
  assert.deepEqual(ids(await stream.events(1)), [7]);
  for (const cursor of ["6", "7"]) {
    await bus.call("ack_events", { ...ci, cursor }, { path: "stream" });
  }
  const states = async (event_id: number) => {
    const { audience } = await bus.call("get_delivery", { event_id });
    const [one] = audience.filter((receipt: { session_id: string }) => receipt.session_id === "a");
    return [one.state, one.path];
  };
  assert.deepEqual(await states(5), ["passed_over", "stream"]);
  assert.deepEqual(await states(6), ["has", "stream"]);
  assert.deepEqual(await states(7), ["has", "stream"]);
});

Deno.test("GET /v1/events/stream: silence is broken, and tells how far was looked", async () => {
  await using app = testApp({}, await scene(), { maxStreams: 9, keepAliveMs: 2 });
  await using stream = await open(app, { event_types: "none" });
  assert.equal(await startOf(stream), "5");
  assert.equal((await stream.next())?.text, ":");
  await app.bus.call("publish_event", { event_type: "t", payload: "p" });
  let block = await stream.next();
  while (block?.text === ":") block = await stream.next();
  assert.equal(block?.text, "id: 6", "an id without data: a client comes back after it");
  assert.equal((await stream.next())?.text, ":", "and is told once");
});

Deno.test("GET /v1/events/stream: a reader that takes nothing is not written to again and again", async () => {
  await using app = testApp({}, await scene(), { maxStreams: 9, keepAliveMs: 2 });
  await using idle = await open(app, { cursor: "0" });
  assert.equal(await startOf(idle), "0");
  // Somebody else is kept awake for many beats meanwhile.
  await using other = await open(app);
  for (let beat = 0; beat < 20; beat++) await other.next();
  const first = await idle.next();
  const second = await idle.next();
  assert.equal(first?.text, ":", "one beat waited for it, …");
  assert.equal(second?.fields.get("id"), "1", "… and then the log goes on");
});

Deno.test("GET /v1/events/stream: the end of a session, or of the server, is told with its reason", async () => {
  await using app = testApp({}, await scene(), QUIET);
  const ofSession = await open(app, { session_id: "a", cursor: "5" });
  const ofAnybody = await open(app, { cursor: "5" });
  for (const stream of [ofSession, ofAnybody]) assert.equal(await startOf(stream), "5");
  await app.bus.call("unregister_session", { session_id: "a" });
  const end = await ofSession.next();
  assert.equal(end?.fields.get("event"), "end");
  const reason = JSON.parse(end?.fields.get("data") ?? "");
  assert.equal(reason.code, "session_ended");
  assert.equal(reason.session_deleted, true);
  assert.equal(await ofSession.next(), null);
  assert.deepEqual(ids(await ofAnybody.events(1)), [6], "the others go on, and hear of it");

  app.bus.bell.stop();
  const stop = await ofAnybody.next();
  assert.equal(stop?.fields.get("event"), "end");
  assert.equal(JSON.parse(stop?.fields.get("data") ?? "").code, "unavailable");
  assert.equal(await ofAnybody.next(), null);
});

Deno.test("GET /v1/events/stream: an open stream is a way by which its session is reached", async () => {
  await using app = testApp({}, await scene(), QUIET);
  const reachable = async () => {
    const message = { event_type: "m", payload: "p", channel: "session:a" };
    return (await app.bus.call("publish_event", message)).recipients[0].reachable_by;
  };
  assert.deepEqual(await reachable(), []);
  const stream = await open(app, { session_id: "a" });
  await stream.next();
  assert.deepEqual(await reachable(), ["stream"]);
  await stream.cancel();
  assert.deepEqual(await reachable(), []);
});

Deno.test("GET /v1/events/stream: so many at a time, and who leaves makes room", async () => {
  await using app = testApp({}, await scene(), { maxStreams: 2, keepAliveMs: 60_000 });
  assert.equal((await app.fetch(PATH, { method: "HEAD" })).status, 200, "takes no place");
  const streams = [await open(app), await open(app)];
  for (const stream of streams) await stream.next();
  const refusal = await app.fetch(PATH);
  assert.equal(refusal.status, 503);
  const { error, code, limit } = await refusal.json();
  assert.deepEqual([code, limit], ["unavailable", 2]);
  assert.match(error, /^Cannot open a stream: 2 are open already; poll with get_events instead$/);
  await streams[0]?.cancel();
  const another = await open(app);
  await another.next();
  for (const stream of [...streams.slice(1), another]) await stream.cancel();
});

Deno.test("GET /v1/events/stream: of a burst no more than that get in, the others are told why", async () => {
  await using app = testApp({}, await scene(), { maxStreams: 2, keepAliveMs: 60_000 });
  const answers = await Promise.all(Array.from({ length: 5 }, () => open(app)));
  const first = await Promise.all(answers.map((stream) => stream.next()));
  const refused = first.filter((block) => block?.fields.get("event") === "end");
  assert.equal(refused.length, 3);
  assert.match(refused[0]?.fields.get("data") ?? "", /Cannot open a stream: 2 are open already/);
  for (const stream of answers) await stream.cancel();
});

Deno.test("GET /v1/events/stream: a log longer than one scan is looked through to its end, in bounded steps", async () => {
  await using app = testApp({}, await scene(), QUIET);
  const { store } = app.bus;
  const event = {
    event_type: "t",
    payload: "p",
    channel: "all",
    session_id: "anonymous",
    at: 0,
    ...ABSENT,
  };
  const last = await store.inBatch(() => {
    for (let n = 0; n < 2 * MAX_SCAN + 10; n++) {
      insertEvent(store, { ...event, signal_level: "info" });
    }
    return insertEvent(store, { ...event, signal_level: "actionable" });
  });
  await using stream = await open(app, { cursor: "0", min_level: "actionable" });
  assert.deepEqual(ids(await stream.events(1)), [last]);
  await using all = await open(app, { cursor: String(last - 1001) });
  assert.deepEqual(
    ids(await all.events(1001)),
    Array.from({ length: 1001 }, (_, n) => last - 1000 + n),
    "pages follow each other without a gap",
  );
});

Deno.test("GET /v1/events/stream: large events come one after another, whole", async () => {
  await using app = testApp({}, await scene(), QUIET);
  const payloads = ["é".repeat(100_000), "x".repeat(256 * 1024), "", "y".repeat(70_000)];
  for (const payload of payloads) {
    await app.bus.call("publish_event", { event_type: "big", payload });
  }
  await using stream = await open(app, { cursor: "5" });
  assert.deepEqual((await stream.events(4)).map(({ payload }) => payload), payloads);
});
