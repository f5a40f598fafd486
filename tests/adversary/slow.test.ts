/** Clients that begin and do not go on: others are served meanwhile, and what they hold comes back. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { tempHome } from "../helpers/home.ts";
import { serve, type Served, SUBJECT } from "../helpers/process.ts";
import { testApp } from "../helpers/server.ts";
import { streamOf } from "../helpers/streams.ts";
import { TORTURE } from "../helpers/torture.ts";
import { doorsOf, everythingIn } from "./doors.ts";

/** Of each kind. The system gives a process a few thousand connections at least. */
const CONNECTIONS = TORTURE ? 1000 : 100;

const encoder = new TextEncoder();

/** A body of which the first bytes come, and never the rest. */
const neverEnding = () =>
  new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode('{"event_type":')),
  });

const JSON_TYPE = { "content-type": "application/json" };

Deno.test("every POST: a body that does not come is given up, said so, and does nothing", async () => {
  await using app = testApp({}, undefined, undefined, {}, 1);
  const before = everythingIn(app);
  for (const { path } of doorsOf(app).filter(({ method }) => method === "POST")) {
    for (const length of [{}, { "content-length": "100" }]) {
      const headers = { ...JSON_TYPE, ...length };
      const answer = await app.fetch(path, { method: "POST", headers, body: neverEnding() });
      assert.equal(answer.status, 503, path);
      assert.match(await answer.text(), /Cannot read the body: it did not come within 1 ms/, path);
    }
  }
  assert.equal(everythingIn(app), before);
});

Deno.test("every POST: nobody waits for the body of a caller that is not let in", async () => {
  await using app = testApp({ exposed: true, token: "a-token-of-some-length" });
  for (const { path } of doorsOf(app).filter(({ method }) => method === "POST")) {
    const init = { method: "POST", headers: JSON_TYPE, body: neverEnding() };
    const answer = await app.fetch(path, init, "192.168.1.9");
    assert.equal(answer.status, 401, path);
    await answer.body?.cancel();
  }
});

/** Beginnings of requests, none of which is whole. */
const beginnings = (host: string): readonly string[] => [
  "",
  "POST /v1/publ",
  `POST /v1/publish_event HTTP/1.1\r\nHost: ${host}\r\nX-Slow`,
  `POST /v1/publish_event HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
  'Content-Length: 1000\r\n\r\n{"event_type": "slow',
  `POST /mcp HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
  'Transfer-Encoding: chunked\r\n\r\n5\r\n{"jso',
  `POST /publish/all HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1000\r\n\r\nslow`,
];

async function begin(server: Served): Promise<Deno.Conn[]> {
  const { hostname, port, host } = new URL(server.url);
  const open: Deno.Conn[] = [];
  for (const text of beginnings(host)) {
    for (let n = 0; n < CONNECTIONS; n++) {
      const connection = await Deno.connect({ hostname, port: Number(port) });
      open.push(connection);
      await connection.write(encoder.encode(text));
    }
  }
  return open;
}

Deno.test(`${SUBJECT} serve: ${CONNECTIONS} half requests of every kind, trickling on, hold nobody up and leave nothing behind`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  await server.call("publish_event", { event_type: "t", payload: "first" });
  const open = await begin(server);
  try {
    await using stream = streamOf(await fetch(`${server.url}/v1/events/stream?cursor=0`));
    for (let n = 0; n < 50; n++) {
      const { event_id } = await server.call("publish_event", { event_type: "t", payload: `${n}` });
      assert.equal(event_id, n + 2);
      // One more byte from a few of them, as if they were about to go on.
      for (const one of open.filter((_, i) => i % 50 === n)) await one.write(encoder.encode("x"));
    }
    assert.equal((await stream.events(51)).length, 51);
    const { events } = await server.call("get_events", { order: "asc", limit: 1000 });
    assert.deepEqual(events.map(({ id }: { id: number }) => id), numbers(51));
  } finally {
    for (const one of open) one.close();
  }
  // They are gone, and what they had begun never was.
  const { next_cursor } = await server.call("get_events", { limit: 0 });
  assert.equal(next_cursor, "51");
  assert.equal(await server.stop(), 0);
  const log = Deno.readTextFileSync(join(home.dataDir, "event-bus.log"));
  assert.doesNotMatch(log, /\[ERROR\]/);
});

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
