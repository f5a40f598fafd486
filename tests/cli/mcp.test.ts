import assert from "node:assert/strict";
import { join } from "node:path";
import { optsIn } from "../../cli/mcp/opt_in.ts";
import { answerTo } from "../../cli/mcp/protocol.ts";
import { cli } from "../helpers/cli.ts";
import { tempHome } from "../helpers/home.ts";
import { installAs, surroundings } from "../helpers/process.ts";
import { type TestServer, testServer } from "../helpers/server.ts";

// deno-lint-ignore no-explicit-any -- answers are looked at field by field
const answered = (message: object, started = () => {}): any =>
  answerTo(JSON.stringify(message), "1.2.3", started);

Deno.test("answerTo: discovery is declined, so that the client falls back to what channels speak", () => {
  const discover = { jsonrpc: "2.0", id: "probe", method: "server/discover", params: {} };
  assert.equal(answered(discover).error.code, -32601);
  assert.equal(answered(discover).id, "probe");
  assert.equal(answered({ jsonrpc: "2.0", id: 2, method: "tools/list" }).error.code, -32601);
});

Deno.test("answerTo: initialize agrees on a revision and declares a channel and nothing else", () => {
  const initialize = (protocolVersion?: unknown) =>
    answered({ jsonrpc: "2.0", id: 0, method: "initialize", params: { protocolVersion } }).result;
  const { protocolVersion, capabilities, serverInfo, instructions } = initialize("2025-06-18");
  assert.equal(protocolVersion, "2025-06-18");
  assert.deepEqual(capabilities, { experimental: { "claude/channel": {} } });
  assert.deepEqual(serverInfo, { name: "event-bus", version: "1.2.3" });
  assert.ok(instructions.length < 300);
  for (const other of ["2026-07-28", "", undefined, 7]) {
    assert.equal(initialize(other).protocolVersion, "2025-11-25");
  }
  assert.deepEqual(answered({ jsonrpc: "2.0", id: 1, method: "ping" }), {
    jsonrpc: "2.0",
    id: 1,
    result: {},
  });
});

Deno.test("answerTo: notifications and answers get no answer, nonsense gets an error", () => {
  let started = 0;
  const ready = { jsonrpc: "2.0", method: "notifications/initialized" };
  assert.equal(answered(ready, () => started++), null);
  assert.equal(started, 1);
  assert.equal(answered({ jsonrpc: "2.0", id: 1, result: {} }), null);
  assert.equal(answered({ jsonrpc: "2.0", method: "notifications/cancelled" }), null);
  for (const [line, code] of [["{", -32700], ["[]", -32600], ["1", -32600], ["null", -32600]]) {
    const { id, error } = answerTo(line as string, "1", () => {}) as ReturnType<typeof answered>;
    assert.deepEqual([id, error.code], [null, code], String(line));
  }
});

Deno.test("optsIn: only a session that was started with this very channel", () => {
  const lines: [line: string, expected: boolean][] = [
    ["claude --dangerously-load-development-channels server:event-bus", true],
    ["claude --dangerously-load-development-channels=server:event-bus -c", true],
    ["claude --channels plugin:other@x plugin:event-bus@event-bus --model m", true],
    ["claude --channels server:other,server:event-bus", true],
    ["claude", false],
    ["claude server:event-bus", false],
    ["claude --channels --model server:event-bus", false],
    ["claude --channels server:event-bus-2", false],
    ["claude --channels plugin:event-bus", false],
    ["claude --channels=server:other --name=server:event-bus", false],
  ];
  for (const [line, expected] of lines) {
    assert.equal(optsIn(line.split(" "), "event-bus"), expected, line);
  }
});

Deno.test("mcp without --channel is refused, and names where the tools are", async () => {
  using home = tempHome();
  const { code, err } = await cli(["mcp"], { home });
  assert.equal(code, 2);
  assert.match(err, /mcp requires --channel.*http:\/\/127\.0\.0\.1:8080\/mcp/);
});

/** `event-bus mcp --channel` as the child of a session that was started with these words. */
function startShim(server: TestServer, words: readonly string[]) {
  const program = join(installAs(server.home, "event-bus"), "event-bus");
  const child = new Deno.Command("sh", {
    args: ["-c", '"$0" mcp --channel; exit $?', program, ...words],
    clearEnv: true,
    env: {
      ...surroundings(),
      HOME: server.home.path,
      EVENT_BUS_URL: server.url,
      EVENT_BUS_MACHINE: "home",
      EVENT_BUS_SESSION_ID: "not-this-one",
      CLAUDE_CODE_SESSION_ID: "bbbb",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const errors = new Response(child.stderr).text();
  const lines = messagesOf(child.stdout);
  return {
    errors,
    send: (message: object) =>
      writer.write(new TextEncoder().encode(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)),
    // deno-lint-ignore no-explicit-any -- looked at field by field
    next: async (): Promise<any> => (await lines.next()).value,
    /** Closes its input and answers its exit code, once everything it wrote is read. */
    async close() {
      await writer.close();
      for await (const more of lines) assert.fail(JSON.stringify(more));
      return (await child.status).code;
    },
  };
}

async function* messagesOf(output: ReadableStream<Uint8Array>) {
  let rest = "";
  for await (const piece of output.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line);
  }
}

const hook = (server: TestServer, path: string, body: object) =>
  fetch(`${server.url}/hooks/claude-code${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ session_id: "bbbb", cwd: "/src", ...body }),
  });

const publish = (server: TestServer, payload: string) =>
  server.call("publish_event", { event_type: "ask", payload, channel: "session:bbbb" });

Deno.test("mcp --channel: pushes each message once, and what its prompt holds is read", async () => {
  await using server = testServer();
  await (await hook(server, "", { hook_event_name: "SessionStart" })).text();
  const shim = startShim(server, ["--dangerously-load-development-channels", "server:event-bus"]);
  await shim.send({ id: 0, method: "initialize", params: { protocolVersion: "2025-11-25" } });
  assert.equal((await shim.next()).result.protocolVersion, "2025-11-25");
  await publish(server, "one");
  await shim.send({ method: "notifications/initialized" });

  const { method, params } = await shim.next();
  assert.equal(method, "notifications/claude/channel");
  assert.match(params.content, /\n> one$/);
  assert.deepEqual(Object.keys(params.meta), ["delivery"]);
  const prompt = `<channel source="event-bus" delivery="${params.meta.delivery}">…</channel>`;
  const answer = await hook(server, "", { hook_event_name: "UserPromptSubmit", prompt });
  assert.equal(answer.status, 204);

  await publish(server, "two");
  await (await hook(server, "", { hook_event_name: "StopFailure" })).text();
  const { params: { content } } = await shim.next();
  assert.match(content, /\n> two$/);
  assert.doesNotMatch(content, /> one/);
  // Nobody has shown it: the next hook does.
  const shown = await hook(server, "?ack=later", { hook_event_name: "UserPromptSubmit" });
  assert.match(await shown.text(), /> two/);
  await (await hook(server, "/ack", { ack: shown.headers.get("event-bus-ack") })).text();
  assert.equal(await shim.close(), 0);
  assert.equal(await shim.errors, "");
});

Deno.test("mcp --channel: to a session that did not ask for it, it pushes nothing and says so", async () => {
  await using server = testServer();
  await (await hook(server, "", { hook_event_name: "SessionStart" })).text();
  await publish(server, "one");
  const shim = startShim(server, ["--model", "server:event-bus"]);
  await shim.send({ method: "notifications/initialized" });
  await shim.send({ id: 1, method: "ping" });
  assert.deepEqual((await shim.next()).result, {});
  assert.equal(await shim.close(), 0);
  assert.match(await shim.errors, /pushes nothing: Claude Code was not started with --dangerously/);
  const shown = await hook(server, "", { hook_event_name: "UserPromptSubmit" });
  assert.match(await shown.text(), /> one/);
});
