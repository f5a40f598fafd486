import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { tempHome } from "../helpers/home.ts";
import { run, serve, SUBJECT } from "../helpers/process.ts";

Deno.test(`${SUBJECT}: two machines with one client_id are two sessions, each with its own events`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const on = (machine: string) => (...line: string[]) =>
    run(line, { home, env: { EVENT_BUS_URL: server.url, EVENT_BUS_MACHINE: machine } });
  const [desk, laptop] = [on("desk"), on("laptop")];
  const register = async (cli: typeof desk) =>
    JSON.parse((await cli("register", "--client-id", "agent-7", "--name", "n")).stdout);

  const first = await register(desk);
  const second = await register(laptop);
  assert.equal(first.session_id, "agent-7");
  assert.equal(second.session_id, "agent-7@laptop", "a taken id is never taken over");
  assert.notEqual(first.display_id, second.display_id);
  assert.deepEqual([first.machine, second.machine], ["desk", "laptop"]);
  assert.equal((await register(desk)).session_id, "agent-7");
  assert.equal((await register(laptop)).session_id, "agent-7@laptop");

  const line = ["publish", "--type", "t", "--payload", "for the laptop", "--session-id", "agent-7"];
  await desk(...line, "--channel", `session:${second.display_id}`);
  const read = ["events", "--resume", "--order", "asc", "--session-id"];
  assert.match((await laptop(...read, "agent-7@laptop")).stdout, /for the laptop/);
  assert.doesNotMatch((await desk(...read, "agent-7")).stdout, /for the laptop/);

  await laptop("unregister", "--client-id", "agent-7");
  const left = await server.call("list_sessions");
  assert.deepEqual(left.map((s: { session_id: string }) => s.session_id), ["agent-7"]);
});

Deno.test(`${SUBJECT} serve: beyond loopback it does not start without a token, and says how to make one`, async () => {
  using home = tempHome();
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "bus.example"]) {
    const { code, stdout, stderr } = await run(["serve", "--port", "0", "--host", host], { home });
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^Error: Cannot listen on \S+ without a token: [^\n]*EVENT_BUS_TOKEN\n$/);
  }
  home.write(".claude/contrib/event-bus/token", "too short\n");
  const weak = await run(["serve", "--port", "0", "--host", "0.0.0.0"], { home });
  assert.equal(weak.code, 2);
  assert.match(weak.stderr, /without a token: .* of 16 characters or more/);
  home.write(".claude/contrib/event-bus/token", "secret\n", 0o644);
  const { code, stderr } = await run(["serve", "--port", "0", "--host", "0.0.0.0"], { home });
  assert.equal(code, 2);
  assert.match(stderr, /^Error: Cannot use the token file .*chmod 600/);
});

/** An address of this machine that is not loopback; through it we are somebody from elsewhere. */
const outside = Object.values(networkInterfaces()).flat()
  .find((address) => address?.family === "IPv4" && !address.internal)?.address;
const unless = outside === undefined ? " (skipped: this machine has no other address)" : "";

Deno.test({
  name:
    `${SUBJECT}: with a token a bus beyond loopback serves whoever has it, and nobody else${unless}`,
  ignore: outside === undefined,
  async fn() {
    using home = tempHome();
    using laptop = tempHome();
    const token = "c0ffee".repeat(8);
    home.write(".claude/contrib/event-bus/token", `${token}\n`);
    await using server = await serve({ home }, ["--host", "0.0.0.0"]);
    const url = `http://${outside}:${new URL(server.url).port}`;
    const here = await (await fetch(`${server.url}/health`)).json();
    assert.equal(here.status, "ok", "this machine needs none");

    const EVENT_BUS_URL = `${url}/mcp`;
    const none = await run(["sessions"], { home: laptop, env: { EVENT_BUS_URL } });
    assert.equal(none.code, 1);
    assert.match(
      none.stderr,
      /^Error: Cannot serve without a token: [^\n]*\n[^\n]*EVENT_BUS_TOKEN[^\n]*\n$/,
    );
    const wrong = { EVENT_BUS_URL, EVENT_BUS_TOKEN: "guess" };
    assert.match((await run(["status"], { home: laptop, env: wrong })).stderr, /this token/);

    const byFile = { EVENT_BUS_URL, EVENT_BUS_TOKEN_FILE: laptop.write("token", token) };
    const byEnv = { EVENT_BUS_URL, EVENT_BUS_TOKEN: token };
    const line = ["register", "--name", "n", "--client-id", "far-1"];
    const { code, stdout, stderr } = await run(line, { home: laptop, env: byFile });
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).session_id, "far-1");
    const listed = await run(["sessions", "--json"], { home: laptop, env: byEnv });
    assert.equal(JSON.parse(listed.stdout)[0].client_id, "far-1");

    const log = Deno.readTextFileSync(join(home.dataDir, "event-bus.log"));
    assert.ok(!log.includes(token) && !log.includes("guess"), "no secret is in the log");
  },
});
