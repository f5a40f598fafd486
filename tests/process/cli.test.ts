import assert from "node:assert/strict";
import { type Home, tempHome } from "../helpers/home.ts";
import { run, serve, spawn, SUBJECT } from "../helpers/process.ts";

Deno.test(`${SUBJECT}: exit codes are 0 done, 1 refused, 2 wrong usage, 3 not reachable`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const env = { EVENT_BUS_URL: server.url };
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const gone = `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  listener.close();
  const lines: [line: string[], code: number][] = [
    [["status"], 0],
    [["version"], 0],
    [["help"], 0],
    [["unregister", "--session-id", "nobody"], 1],
    [[], 2],
    [["events", "--limit", "x"], 2],
    [["events", "--frob"], 2],
    [["sessions", "--url", gone], 3],
  ];
  for (const [line, code] of lines) {
    const ended = await run(line, { home, env });
    assert.equal(ended.code, code, `${line.join(" ")}: ${ended.stderr}`);
  }
});

Deno.test(`${SUBJECT}: letters of all people pass through unharmed, by argument and by standard input`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const env = { EVENT_BUS_URL: server.url };
  const payload = "naïve ✓ 日本語 🦦\n\tsecond line";
  const publish = ["publish", "--type", "t", "--payload"];
  await run([...publish, payload], { home, env });
  await run([...publish, "-"], { home, env, stdin: payload });
  const { events } = await server.call("get_events", { order: "asc" });
  assert.deepEqual(events.map((event: { payload: string }) => event.payload), [payload, payload]);
  const { stdout } = await run(["events"], { home, env });
  assert.equal(stdout.match(/ {4}naïve ✓ 日本語 🦦\n {8}second line\n/g)?.length, 2);
});

Deno.test(`${SUBJECT}: standard input that is not UTF-8 is refused, not published with holes`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const ended = await run(["publish", "--type", "t", "--payload", "-"], {
    home,
    env: { EVENT_BUS_URL: server.url },
    stdin: new Uint8Array([0x61, 0xff, 0x62]),
  });
  assert.equal(ended.code, 2);
  assert.equal(ended.stderr, "Error: Cannot read standard input: it is not UTF-8 text\n");
  assert.deepEqual((await server.call("get_events")).events, []);
});

Deno.test(`${SUBJECT}: a proxy of the shell is not asked for this machine`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const nobody = "http://127.0.0.1:1";
  const env = { EVENT_BUS_URL: server.url, HTTP_PROXY: nobody, http_proxy: nobody, NO_PROXY: "x" };
  assert.equal((await run(["status"], { home, env })).code, 0);
  assert.equal((await run(["status", "--url", "http://bus.example"], { home, env })).code, 3);
});

Deno.test(`${SUBJECT}: PORT and HOST of the shell do not move a client`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const { port } = new URL(server.url);
  home.write(".claude/contrib/event-bus/config.json", JSON.stringify({ port: Number(port) }));
  for (const env of [{ PORT: "3000", HOST: "192.0.2.1" }, { PORT: "tcp://192.0.2.1:3000" }]) {
    const { code, stdout, stderr } = await run(["status"], { home, env });
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^url: ${server.url}\n`));
  }
});

Deno.test(`${SUBJECT}: events --resume killed while it prints shows the same events again`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  await server.call("register_session", { name: "a", client_id: "c1", machine: "far" });
  // More than any pipe holds: whoever does not read it keeps the writer from finishing.
  const payload = "x".repeat(200_000);
  for (const n of [1, 2, 3]) {
    await server.call("publish_event", { event_type: "t", payload: `${n}${payload}` });
  }
  const env = { EVENT_BUS_URL: server.url };
  const line = ["events", "--session-id", "c1", "--resume", "--order", "asc"];
  await killedWhilePrinting(line, home, env);
  const { code, stdout } = await run(line, { home, env });
  assert.equal(code, 0);
  assert.deepEqual(stdout.match(/^\[\d+\]/gm), ["[2]", "[3]", "[4]"]);
  assert.equal((await run(line, { home, env })).stdout, "No events\n");
});

async function killedWhilePrinting(
  line: string[],
  home: Home,
  env: Record<string, string>,
): Promise<void> {
  const child = spawn(line, { home, env });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assert.ok(value !== undefined && value.length > 0, "it has begun to print");
  child.kill("SIGKILL");
  await reader.cancel();
  await Promise.all([child.status, child.stderr.cancel()]);
}
