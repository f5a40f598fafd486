/** Publishing while the bus is away, and what becomes of it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { startServer } from "../../src/server.ts";
import { loadConfig } from "../../src/config.ts";
import { openSpool } from "../../src/spool.ts";
import { cli as runCommand, standIn } from "../helpers/cli.ts";
import { envOf, type Home, tempHome } from "../helpers/home.ts";
import { testServer } from "../helpers/server.ts";

/** An address where nobody listens. */
function nobody(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return `http://127.0.0.1:${port}`;
}

function publish(home: Home, url: string, payload: string, ...more: string[]) {
  const line = ["publish", "--type", "t", "--payload", payload, ...more];
  return runCommand(line, { home, env: { EVENT_BUS_URL: url } });
}

const spoolOf = (home: Home) => openSpool(home.dataDir);

/** What waits was meant for another address, as if its bus had come back here. */
function readdress(home: Home, url: string): void {
  const spool = spoolOf(home);
  for (const name of spool.names()) {
    const entry = { ...spool.read(name), url };
    Deno.writeTextFileSync(join(spool.folder, name), JSON.stringify(entry));
  }
}

Deno.test("cli publish: a bus that is away is exit 3 and nothing is kept; with --spool it waits, and that is told", async () => {
  using home = tempHome();
  const url = nobody();
  const without = await publish(home, url, "a");
  assert.equal(without.code, 3);
  assert.deepEqual(spoolOf(home).names(), []);

  const before = Date.now();
  const { code, out, err } = await publish(home, `${url}/mcp`, "a", "--spool");
  assert.equal(code, 0);
  assert.match(err, /^Cannot reach the bus at http:.*; the event waits in \S+\/spool\n$/);
  const said = JSON.parse(out);
  assert.equal(said.spooled, true);
  const [name = ""] = spoolOf(home).names();
  const entry = spoolOf(home).read(name);
  assert.equal(entry?.url, url);
  assert.deepEqual(entry?.args, {
    event_type: "t",
    payload: "a",
    dedupe_key: said.dedupe_key,
    sent_at: said.sent_at,
  });
  assert.ok(Date.parse(said.sent_at) >= before);
  const status = await runCommand(["status"], { home, env: { EVENT_BUS_URL: url } });
  assert.equal(status.code, 3);
  assert.match(status.err, /^1 event waits in the spool\nError: Cannot reach/);
});

Deno.test("cli publish: a refusal is a refusal, also with --spool", async () => {
  await using server = testServer();
  const { code } = await publish(server.home, server.url, "a", "--reply-to", "7", "--spool");
  assert.equal(code, 1);
  assert.deepEqual(spoolOf(server.home).names(), []);
});

Deno.test("cli publish: what waits goes first, in order, with its own time, and is gone then; status counts it", async () => {
  await using server = testServer();
  const { home, url } = server;
  for (const payload of ["a", "b", "c"]) await publish(home, nobody(), payload, "--spool");
  const times = spoolOf(home).names().map((name) => spoolOf(home).read(name)?.args.sent_at);
  readdress(home, url);
  const status = await runCommand(["status", "--json"], { home, env: { EVENT_BUS_URL: url } });
  assert.equal(JSON.parse(status.out).spooled, 3);

  const { code, err } = await publish(home, url, "d");
  assert.equal(code, 0);
  assert.equal(err, "Delivered 3 events from the spool\n");
  const { events } = await server.call("get_events", { order: "asc" });
  assert.deepEqual(events.map((one: { payload: string }) => one.payload), ["a", "b", "c", "d"]);
  for (const [n, sent] of times.entries()) {
    // What waited for less than a second has nothing to say of it.
    if (events[n].sent_at !== undefined) assert.equal(events[n].sent_at, sent);
  }
  assert.deepEqual(spoolOf(home).names(), []);
});

Deno.test("cli publish: what waits for another bus stays", async () => {
  await using server = testServer();
  await publish(server.home, nobody(), "elsewhere", "--spool");
  assert.equal((await publish(server.home, server.url, "here")).err, "");
  assert.equal(spoolOf(server.home).names().length, 1);
  assert.equal((await server.call("get_events")).events.length, 1);
});

Deno.test("cli publish: a damaged and a refused entry are set aside, and the others go on", async () => {
  await using server = testServer();
  const { home, url } = server;
  await publish(home, nobody(), "damaged", "--spool");
  await publish(home, nobody(), "x".repeat(300_000), "--spool");
  await publish(home, nobody(), "good", "--spool");
  readdress(home, url);
  const spool = spoolOf(home);
  const [first = "", second = ""] = spool.names();
  Deno.writeTextFileSync(join(spool.folder, first), '{"url": "http');
  const { code, err } = await publish(home, url, "new");
  assert.equal(code, 0);
  assert.match(
    err,
    /^Set aside what waited in \S+: .*JSON.*\nSet aside .*payload of 300000 bytes.*\nDelivered 1 event from the spool\n$/,
  );
  const { events } = await server.call("get_events", { order: "asc" });
  assert.deepEqual(events.map((one: { payload: string }) => one.payload), ["good", "new"]);
  assert.match(
    Deno.readTextFileSync(join(spool.folder, "damaged", `${second}.reason`)),
    /payload of 300000 bytes/,
  );
});

Deno.test("cli publish: an answer that got lost makes no second event", async () => {
  await using server = testServer();
  const { home } = server;
  // Takes the event, and then answers as no bus does: for its client the bus was away.
  await using between = standIn(async ({ path, body }) => {
    await server.call(path.slice("/v1/".length), body);
    return new Response("<html>", { status: 502 });
  });
  const { code } = await publish(home, between.url, "once", "--spool");
  assert.equal(code, 0);
  assert.equal(spoolOf(home).names().length, 1);
  readdress(home, server.url);
  await publish(home, server.url, "new");
  const { events } = await server.call("get_events", { order: "asc" });
  assert.deepEqual(events.map((one: { payload: string }) => one.payload), ["once", "new"]);
});

Deno.test("cli publish: a bus that cannot write just now, or knows no such token, leaves the spool as it is", async () => {
  for (
    const [status, code] of [[503, "unavailable"], [401, "unauthenticated"], [429, "too_many"]]
  ) {
    using home = tempHome();
    await publish(home, nobody(), "a", "--spool");
    await using bus = standIn(() =>
      Response.json({ error: "Cannot now", code }, { status: status as number })
    );
    readdress(home, bus.url);
    assert.equal((await publish(home, bus.url, "b", "--spool")).code, 1);
    assert.equal(spoolOf(home).names().length, 1, String(code));
  }
});

Deno.test("startServer takes what waits for it before anything else, and leaves what is for others", async () => {
  using home = tempHome();
  const url = nobody();
  for (const payload of ["a", "b"]) await publish(home, url, payload, "--spool");
  await publish(home, nobody(), "elsewhere", "--spool");
  const port = new URL(url).port;
  const server = startServer(loadConfig({ port, machine: "home" }, envOf(home)));
  try {
    const sent = await publish(home, server.url, "c");
    assert.equal(JSON.parse(sent.out).event_id, 3);
    const page = await runCommand(["events", "--json", "--order", "asc"], {
      home,
      env: { EVENT_BUS_URL: server.url },
    });
    assert.deepEqual(
      JSON.parse(page.out).events.map((one: { payload: string }) => one.payload),
      ["a", "b", "c"],
    );
  } finally {
    await server.close();
  }
  const spool = spoolOf(home);
  assert.deepEqual(spool.names().map((name) => spool.read(name)?.args.payload), ["elsewhere"]);
});
