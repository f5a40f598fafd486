import assert from "node:assert/strict";
import { join } from "node:path";
import { durationOf } from "../../cli/duration.ts";
import { cli as runCommand, type Ended } from "../helpers/cli.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { type TestServer, testServer } from "../helpers/server.ts";
import { wireTo } from "../helpers/wire.ts";

function wait(home: Home, url: string, line: string[], env: Record<string, string> = {}) {
  const run = { over: false, ended: undefined as unknown as Promise<Ended> };
  run.ended = runCommand(["wait", ...line], { home, env: { EVENT_BUS_URL: url, ...env } })
    .finally(() => run.over = true);
  return run;
}

const publish = (server: TestServer, event: Record<string, unknown> = {}) =>
  server.call("publish_event", { event_type: "t", payload: "p", ...event });

Deno.test("durationOf: seconds, minutes, hours and days as people write them, and nothing else", () => {
  const times: [text: string, ms: number][] = [
    ["30", 30_000],
    ["30s", 30_000],
    ["10m", 600_000],
    ["1h", 3_600_000],
    ["90d", 7_776_000_000],
    ["0.5s", 500],
    ["250ms", 250],
    ["0", 0],
  ];
  for (const [text, ms] of times) assert.equal(durationOf("timeout", text), ms, text);
  for (const text of ["", "s", "-1", "1w", "1 h", "1h30m", "soon", "1e3", "1".repeat(10)]) {
    assert.throws(
      () => durationOf("timeout", text),
      /^CliError: Cannot use --timeout ".*30s, 10m or 1h/,
    );
  }
});

Deno.test("wait: the first event that matches from now on is printed, exit 0", async () => {
  await using server = testServer();
  await publish(server, { event_type: "ci", channel: "repo:x", payload: "before" });
  const line = ["--type", "ci,other", "--channel", "repo:x", "--timeout", "1m"];
  const waiting = wait(server.home, server.url, [...line, "--json"]);
  while (!waiting.over) {
    await publish(server, { channel: "repo:x" });
    await publish(server, { event_type: "ci" });
    await publish(server, { event_type: "ci", channel: "repo:x", payload: "after" });
  }
  const { code, out, err } = await waiting.ended;
  assert.deepEqual([code, err], [0, ""]);
  const { event_type, channel, payload } = JSON.parse(out);
  assert.deepEqual([event_type, channel, payload], ["ci", "repo:x", "after"]);

  const text = wait(server.home, server.url, [...line, "--cursor", "0"]);
  assert.match((await text.ended).out, /^\[1\] ci \(repo:x\) \[info\]\n {4}before\n/);
});

Deno.test("wait: exit 4 when it never came, with nothing on stdout", async () => {
  await using server = testServer();
  await publish(server);
  const { code, out, err } = await wait(server.home, server.url, ["--timeout", "50ms"]).ended;
  assert.deepEqual([code, out], [4, ""]);
  assert.match(err, /^Error: Waited in vain: no such event came within 50ms\n$/);
});

Deno.test("wait: what is published while the bus restarts, or nobody is connected, is not missed", async () => {
  using home = tempHome();
  const db = join(home.path, "bus.db");
  await using wire = wireTo(null);
  let waiting: ReturnType<typeof wait>;
  {
    await using server = testServer({ db });
    wire.target = server.url;
    await publish(server);
    waiting = wait(home, wire.url, ["--type", "ci", "--timeout", "1m", "--cursor", "1"]);
    while (wire.answered === 0) await publish(server);
  }
  await using server = testServer({ db });
  await publish(server, { event_type: "ci", payload: "between" });
  await publish(server, { event_type: "ci", payload: "later" });
  wire.target = server.url;
  const { code, out, err } = await waiting.ended;
  assert.equal(code, 0);
  assert.match(out, /between/);
  assert.doesNotMatch(out, /later/);
  assert.match(err, /^(The bus is away; waiting for it\n)?$/);
});

Deno.test("wait: a bus that cannot be reached is exit 3, never an event that did not come", async () => {
  await using server = testServer();
  await using wire = wireTo(null);
  const never = await wait(server.home, wire.url, ["--timeout", "1m"]).ended;
  assert.equal(never.code, 3);
  assert.match(never.err, /^Error: Cannot reach the bus at /);

  wire.target = server.url;
  const lost = wait(server.home, wire.url, ["--type", "ci", "--timeout", "300ms"]);
  while (wire.answered === 0) await publish(server);
  wire.target = null;
  wire.cut();
  const { code, out, err } = await lost.ended;
  assert.deepEqual([code, out], [3, ""]);
  assert.match(
    err,
    /^The bus is away; waiting for it\nError: Cannot tell whether the event came: /,
  );
});

Deno.test("wait: a bus that accepts and never answers is exit 3 as well", async () => {
  using home = tempHome();
  const { promise: release, resolve } = Promise.withResolvers<Response>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => release);
  const url = `http://127.0.0.1:${server.addr.port}`;
  const { code, err } = await wait(home, url, ["--timeout", "50ms"]).ended;
  assert.equal(code, 3);
  assert.match(err, /Cannot tell whether the event came: it did not answer/);
  resolve(new Response());
  await server.shutdown();
});

Deno.test("wait --consumer: goes on where the last wait of this name ended", async () => {
  await using server = testServer();
  const line = ["--type", "ci", "--consumer", "deploy", "--timeout", "30s"];
  const vain = await wait(server.home, server.url, [...line.slice(0, 4), "--timeout", "20ms"])
    .ended;
  assert.equal(vain.code, 4);
  for (const payload of ["one", "two"]) await publish(server, { event_type: "ci", payload });
  for (const payload of ["one", "two"]) {
    const { code, out } = await wait(server.home, server.url, line).ended;
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^    ${payload}$`, "m"));
  }
  const { others } = await server.call("get_delivery", { event_id: 1 });
  assert.deepEqual(
    others.map(({ consumer, path }: Record<string, unknown>) => [consumer, path]),
    [["deploy", "wait"]],
  );
});

Deno.test("wait --session-id: begins at what the session has not read, and marks nothing", async () => {
  await using server = testServer();
  await server.call("register_session", { name: "a", client_id: "c1", machine: "far" });
  await publish(server, { session_id: "c1" });
  await publish(server, { payload: "unread" });
  const line = ["--session-id", "c1", "--timeout", "30s"];
  for (let again = 0; again < 2; again++) {
    assert.match((await wait(server.home, server.url, line).ended).out, /^\[3\]/);
  }
  const own = await wait(server.home, server.url, [...line, "--include-own"]).ended;
  assert.match(own.out, /^\[2\]/);
  // The shell of a session is not asked for what that has not read.
  const env = { CLAUDE_CODE_SESSION_ID: "c1" };
  const shell = await wait(server.home, server.url, ["--timeout", "20ms"], env).ended;
  assert.equal(shell.code, 4);
});

Deno.test("wait: each error has its own message and exit code", async () => {
  await using server = testServer();
  await server.call("register_session", { name: "b", client_id: "c2", machine: "far" });
  await server.call("unregister_session", { session_id: "c2" });
  const cases: [line: string[], code: number, error: RegExp][] = [
    [["--timeout", "soon"], 2, /--timeout "soon"/],
    [["--cursor", "x"], 2, /cursor "x"/],
    [["--cursor", "99"], 2, /cursor "99"/],
    [["--consumer", "main"], 2, /as main without a session_id/],
    [["--session-id", "nobody"], 1, /^Error: Session not found\n/],
    [["--session-id", "c2"], 1, /^Error: Session deleted\n/],
  ];
  for (const [line, code, error] of cases) {
    const ended = await wait(server.home, server.url, line).ended;
    assert.equal(ended.code, code, line.join(" "));
    assert.match(ended.err, error, line.join(" "));
    assert.equal(ended.out, "", line.join(" "));
  }
});

const events = (server: TestServer, line: string[]) =>
  runCommand(["events", ...line], { home: server.home, env: { EVENT_BUS_URL: server.url } });

Deno.test("events --wait: returns what is there at once, waits for what is not, exit 4 in vain", async () => {
  await using server = testServer();
  await publish(server);
  assert.equal((await events(server, ["--wait", "60"])).code, 0);
  // Longer than the client's own patience with an answer.
  const vain = await events(server, ["--wait", "1", "--timeout", "20", "--cursor", "1"]);
  assert.deepEqual([vain.code, vain.out, vain.err], [4, "No events\n", ""]);
  let over = false;
  const waiting = events(server, ["--wait", "1m", "--include", "ci"]).finally(() => over = true);
  while (!over) await publish(server, { event_type: "ci" });
  const { code, out } = await waiting;
  assert.equal(code, 0);
  assert.match(out, /^\[\d+\] ci /);
  assert.equal((await events(server, ["--wait", "301"])).code, 2, "the bus waits no longer");
});

Deno.test("events --resume --consumer: a narrowed loop makes progress and loses nothing", async () => {
  await using server = testServer();
  const line = [
    "--include",
    "ci",
    "--resume",
    "--consumer",
    "ci",
    "--order",
    "asc",
    "--limit",
    "2",
  ];
  assert.equal((await events(server, line)).out, "No events\n", "it begins now");
  for (let n = 0; n < 5; n++) {
    await publish(server);
    await publish(server, { event_type: "ci", payload: `ci ${n}` });
  }
  const seen: string[] = [];
  for (let page = await events(server, line);; page = await events(server, line)) {
    if (page.out === "No events\n") break;
    seen.push(...page.out.match(/ci \d/g) ?? []);
  }
  assert.deepEqual(seen, ["ci 0", "ci 1", "ci 2", "ci 3", "ci 4"]);
  await publish(server);
  assert.equal((await events(server, line)).out, "No events\n");
  const { unread, next_cursor } = await server.call("get_events", {
    consumer: "ci",
    resume: true,
    peek: true,
  });
  assert.deepEqual([unread, next_cursor], [0, "11"], "what it left out is passed");
});
