/** The promises of streams, against real sockets and real processes. */
import assert from "node:assert/strict";
import { createClient } from "../../cli/client.ts";
import { follow } from "../../cli/follow.ts";
import { tempHome } from "../helpers/home.ts";
import { serve, type Served, spawn, SUBJECT } from "../helpers/process.ts";
import { type TestServer, testServer } from "../helpers/server.ts";
import { streamOf } from "../helpers/streams.ts";
import { TORTURE } from "../helpers/torture.ts";
import { wireTo } from "../helpers/wire.ts";

const TIMES = TORTURE ? 100 : 3;
const READERS = TORTURE ? 1000 : 100;

const clientAt = (url: string) => createClient({ url, token: null, timeoutMs: 30_000 });

/** Publishes `count` events from each of `publishers`, all at once; answers the ids in their order. */
async function publishAll(
  { call }: Pick<TestServer, "call">,
  publishers: number,
  count: number,
  payload = "p",
): Promise<number[]> {
  const ids: number[] = [];
  await Promise.all(Array.from({ length: publishers }, async () => {
    for (let n = 0; n < count; n++) {
      ids.push((await call("publish_event", { event_type: "t", payload })).event_id);
    }
  }));
  return ids.sort((a, b) => a - b);
}

Deno.test(`stream: no gap and no repeat across cuts while 4 publishers write, ${TIMES} times`, async () => {
  await using server = testServer();
  for (let time = 0; time < TIMES; time++) {
    await using wire = wireTo(server.url);
    // From within the headers to several pages in.
    wire.breaksAfter = () => 1 + Math.floor(Math.random() ** 3 * 30_000);
    const stop = new AbortController();
    const seen: number[] = [];
    const { next_cursor } = await server.call("get_events", { limit: 0 });
    const asked = { cursor: next_cursor ?? "0" };
    const published = publishAll(server, 4, 40, "x".repeat(50));
    let expected: number[] | undefined;
    void published.then((ids) => expected = ids);
    const client = clientAt(wire.url);
    while (expected === undefined || seen.length < expected.length) {
      // The first contact may be cut as well, and is an error then: whoever asked asks again.
      const from = seen.at(-1);
      const again = from === undefined ? asked : { cursor: String(from) };
      const options = { signal: stop.signal, pauseMs: 0 };
      try {
        for await (const { event } of follow(client, again, options)) {
          if (event !== null) seen.push(event.id);
          if (expected !== undefined && seen.length >= expected.length) break;
        }
      } catch (failure) {
        assert.match((failure as Error).message, /^Cannot reach the bus/);
      }
    }
    assert.deepEqual(seen, await published);
  }
});

/** A connection that asks for a stream and never reads a byte of it. */
async function deafReader(url: string, cursor: string): Promise<Deno.Conn> {
  const { hostname, port, host } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const request = `GET /v1/events/stream?cursor=${cursor} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  return connection;
}

Deno.test(`stream: a reader that never reads delays no publisher and no other reader, ${TIMES} times`, async () => {
  await using server = testServer();
  // More than the sockets hold: 10 MB.
  const [publishers, count, payload] = [4, 10, "x".repeat(256 * 1024)];
  for (let time = 0; time < TIMES; time++) {
    const cursor = (await server.call("get_events", { limit: 0 })).next_cursor ?? "0";
    using deaf = await deafReader(server.url, cursor);
    await using other = streamOf(await fetch(`${server.url}/v1/events/stream?cursor=${cursor}`));
    const [ids, events] = await Promise.all([
      publishAll(server, publishers, count, payload),
      other.events(publishers * count),
    ]);
    assert.deepEqual(events.map(({ id }) => id), ids);
    // Nothing was dropped for it either: once it reads, it has everything.
    const body = new Response(deaf.readable.pipeThrough(untilSeen(ids.at(-1) ?? 0)));
    const found = [...(await body.text()).matchAll(/^id: (\d+)\r?$/gm)].map(([, id]) => Number(id));
    assert.deepEqual(found.filter((id) => id > Number(cursor)), ids);
  }
});

/** Passes bytes on until the event `id` has begun. */
function untilSeen(id: number): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  let tail = "";
  return new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk);
      tail = tail.slice(-20) + decoder.decode(chunk, { stream: true });
      if (tail.includes(`\nid: ${id}\n`)) controller.terminate();
    },
  });
}

Deno.test(`stream, get_events: one publish wakes ${READERS} streams and ${READERS} waits`, async () => {
  await using server = testServer();
  const all = Array.from({ length: READERS });
  const streams = await Promise.all(
    all.map(async () => streamOf(await fetch(`${server.url}/v1/events/stream`))),
  );
  // Each has said where it begins: all of them listen.
  await Promise.all(streams.map((stream) => stream.next()));
  const wait = { session_id: "watcher", event_types: ["t"], wait_seconds: 300 };
  await server.call("register_session", { name: "w", client_id: "watcher", machine: "far" });
  const waits = all.map(() => server.call("get_events", wait));
  const { event_id } = await server.call("publish_event", { event_type: "t", payload: "p" });
  const pages = await Promise.all(waits);
  assert.deepEqual(new Set(pages.map((page) => page.events[0]?.id)), new Set([event_id]));
  for (const stream of streams) {
    const ids = (await stream.events(2)).map(({ id }) => id);
    assert.deepEqual(ids, [event_id - 1, event_id]);
    await stream.cancel();
  }
});

Deno.test(`${SUBJECT} events --follow: kill -9 of the server between publish and delivery loses nothing acknowledged, ${TIMES} times`, async () => {
  using home = tempHome();
  await using wire = wireTo(null);
  const line = ["events", "--follow", "--json", "--resume", "--consumer", "f", "--cursor", "0"];
  const printed: string[] = [];
  const acknowledged: string[] = [];
  let follower: { process: Deno.ChildProcess; lines: AsyncIterator<string> } | undefined;
  let count = 0;

  /** Publishes until the server is gone, or the answer is there. */
  async function publish(server: Served): Promise<void> {
    const payload = `event ${++count}`;
    const answer = await server.call("publish_event", { event_type: "t", payload })
      .catch(() => null);
    if (answer !== null) acknowledged.push(payload);
  }

  async function untilPrinted(): Promise<void> {
    while (!acknowledged.every((payload) => printed.includes(payload))) {
      const next = await follower?.lines.next();
      assert.ok(next !== undefined && !next.done, "the follower goes on");
      printed.push(JSON.parse(next.value).payload);
    }
  }

  for (let time = 0; time < TIMES; time++) {
    await using server = await serve({ home });
    wire.target = server.url;
    if (follower === undefined) {
      const process = spawn(line, { home, env: { EVENT_BUS_URL: wire.url } });
      follower = { process, lines: linesOf(process.stdout) };
    }
    await publish(server);
    await untilPrinted();
    // The follower is there and reads: what comes now is on its way at the moment of the kill.
    const others = [1, 2, 3].map(() => publish(server));
    await publish(server);
    await server.stop("SIGKILL");
    await Promise.all(others);
  }
  await using server = await serve({ home });
  wire.target = server.url;
  await untilPrinted();
  assert.ok(acknowledged.length >= 2 * TIMES);
  assert.equal(new Set(printed).size, printed.length, "nothing came twice");
  follower?.process.kill("SIGTERM");
  await follower?.process.stderr.cancel();
  assert.equal((await follower?.process.status)?.code, 0);
  await follower?.lines.return?.();
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${SUBJECT} events --follow: on ${signal} marks what it has printed, exit 0`, async () => {
    using home = tempHome();
    await using server = await serve({ home });
    await server.call("register_session", { name: "a", client_id: "c1", machine: "far" });
    const follower = spawn(["events", "--follow", "--json", "--resume", "--session-id", "c1"], {
      home,
      env: { EVENT_BUS_URL: server.url },
    });
    const lines = linesOf(follower.stdout);
    for (let n = 0; n < 3; n++) {
      await server.call("publish_event", { event_type: "t", payload: "p" });
      await lines.next();
    }
    follower.kill(signal);
    assert.equal((await follower.status).code, 0);
    assert.equal(await new Response(follower.stderr).text(), "");
    await lines.return();
    const page = await server.call("get_events", { session_id: "c1", resume: true, peek: true });
    assert.deepEqual([page.events, page.next_cursor], [[], "4"]);
  });
}

Deno.test(`${SUBJECT} serve: open streams and waits do not keep it from stopping`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  await using stream = streamOf(await fetch(`${server.url}/v1/events/stream`));
  await stream.next();
  await server.call("register_session", { name: "w", client_id: "w", machine: "far" });
  const wait = { session_id: "w", wait_seconds: 300, channel: "none" };
  const waiting = server.call("get_events", wait);
  let waits = false;
  while (!waits) waits = (await server.call("list_sessions"))[0].reachable_by.includes("wait");
  assert.deepEqual((await stream.events(1)).map(({ id }) => id), [1]);
  const started = performance.now();
  const [code, end, refusal] = await Promise.all([server.stop(), stream.next(), waiting]);
  assert.equal(code, 0);
  assert.equal(end?.fields.get("event"), "end");
  assert.equal(refusal.code, "unavailable");
  assert.ok(performance.now() - started < 4000, "it is not cut off after its last patience");
});

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}
