/** Killed between spool and bus: each event is there once. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openSpool } from "../../src/spool.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { run, serve, type Served, spawn, SUBJECT } from "../helpers/process.ts";
import { TORTURE } from "../helpers/torture.ts";

const EVENTS = TORTURE ? 60 : 12;

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

const publish = (payload: string, ...more: string[]) => [
  ...["publish", "--type", "t", "--payload", payload],
  ...more,
];

async function payloads(server: Served): Promise<string[]> {
  const { events } = await server.call("get_events", { order: "asc", limit: 1000 });
  return events.map((one: { payload: string }) => one.payload);
}

/** Puts numbered events for the bus at `url` into the spool, as its one writer. */
function fill(home: Home, url: string): string[] {
  const spool = openSpool(home.dataDir);
  return Array.from({ length: EVENTS }, (_, n) => {
    const sent_at = new Date(Date.now() - 60_000 + n).toISOString();
    const args = { event_type: "t", payload: `${n}`, dedupe_key: crypto.randomUUID(), sent_at };
    spool.add({ url, args });
    return `${n}`;
  });
}

/** Kills a process that may have ended by itself meanwhile. */
function killed(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (failure) {
    if (!(failure instanceof TypeError)) throw failure;
  }
}

Deno.test(`${SUBJECT} publish --spool: what was killed before, in or after writing left nothing half, and is delivered once`, async () => {
  using home = tempHome();
  const port = freePort();
  const env = { EVENT_BUS_URL: `http://127.0.0.1:${port}` };
  const said: string[] = [];
  for (let n = 0; n < EVENTS / 4; n++) {
    const child = spawn(publish(`${n}`, "--spool"), { home, env });
    // As soon as it says that the event waits.
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    killed(child);
    await reader.cancel();
    await Promise.all([child.status, child.stderr.cancel()]);
    if (value !== undefined) said.push(`${n}`);
  }
  assert.ok(said.length > 0);
  await using server = await serve({ home }, ["--port", String(port)]);
  assert.equal((await run(publish("last"), { home, env })).code, 0);
  assert.deepEqual(await payloads(server), [...said, "last"]);
});

Deno.test(`${SUBJECT} publish: killed again and again while it delivers the spool, each event comes once and in order`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  // Between client and bus: the event is in, and its sender is killed before it hears of it.
  let kill: (() => void) | null = null;
  const between = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const answer = await fetch(`${server.url}${pathname}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: await request.text(),
    });
    const text = await answer.text();
    kill?.();
    kill = null;
    const headers = { "Content-Type": "application/json" };
    return new Response(text, { status: answer.status, headers });
  });
  const url = `http://127.0.0.1:${between.addr.port}`;
  const env = { EVENT_BUS_URL: url };
  const sent = fill(home, url);
  for (let n = 0; n < EVENTS / 4; n++) {
    const child = spawn(publish("never"), { home, env });
    kill = () => child.kill("SIGKILL");
    await Promise.all([child.status, child.stdout.cancel(), child.stderr.cancel()]);
    assert.equal(kill, null);
  }
  assert.equal(openSpool(home.dataDir).names().length, EVENTS, "the first one came many times");
  const last = await run(publish("last"), { home, env });
  assert.equal(last.code, 0, last.stderr);
  assert.deepEqual(await payloads(server), [...sent, "last"]);
  assert.deepEqual(openSpool(home.dataDir).names(), []);
  await between.shutdown();
});

Deno.test(`${SUBJECT} serve: killed as soon as it has taken something from the spool, each event is there once and in order`, async () => {
  using home = tempHome();
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const sent = fill(home, url);
  const spool = openSpool(home.dataDir);
  const files = spool.names().map((name) => join(spool.folder, name));
  const texts = files.map((file) => Deno.readTextFileSync(file));
  for (let n = 0; n < 2; n++) {
    const server = await serve({ home }, ["--port", String(port)]);
    assert.ok((await server.call("get_events")).events.length > 0);
    await server.stop("SIGKILL");
    // As if it had been killed before it could remove any of them.
    files.forEach((file, i) => Deno.writeTextFileSync(file, texts[i] ?? ""));
  }
  await using server = await serve({ home }, ["--port", String(port)]);
  assert.equal((await run(publish("last"), { home, env: { EVENT_BUS_URL: url } })).code, 0);
  assert.deepEqual(await payloads(server), [...sent, "last"]);
});

Deno.test(`${SUBJECT} publish: several at once deliver the spool once and in order, and lose none of their own`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const env = { EVENT_BUS_URL: server.url };
  const sent = fill(home, server.url);
  const own = ["x", "y", "z"];
  const ends = await Promise.all(own.map((payload) => run(publish(payload), { home, env })));
  assert.deepEqual(ends.map(({ code }) => code), [0, 0, 0]);
  const found = await payloads(server);
  assert.deepEqual(found.filter((payload) => !own.includes(payload)), sent);
  assert.deepEqual(found.filter((payload) => own.includes(payload)).sort(), own);
  assert.deepEqual(openSpool(home.dataDir).names(), []);
});
