/** An error is never an empty list: each failure of a read, through all three doors. */
import assert from "node:assert/strict";
import { tempHome } from "../helpers/home.ts";
import { run, serve, SUBJECT } from "../helpers/process.ts";

interface Failure {
  readonly what: string;
  readonly args: Record<string, unknown>;
  readonly line: readonly string[];
  readonly status: number;
  readonly code: string;
  readonly exit: number;
  readonly message: RegExp;
}

const FAILURES: readonly Failure[] = [
  {
    what: "an unknown session that would resume",
    args: { session_id: "nobody", resume: true },
    line: ["--session-id", "nobody", "--resume"],
    status: 404,
    code: "not_found",
    exit: 1,
    message: /^Session not found$/,
  },
  {
    what: "an ended session",
    args: { session_id: "ended" },
    line: ["--session-id", "ended"],
    status: 410,
    code: "session_ended",
    exit: 1,
    message: /^Session deleted$/,
  },
  {
    what: "a cursor that is none",
    args: { cursor: "soon" },
    line: ["--cursor", "soon"],
    status: 400,
    code: "invalid_argument",
    exit: 2,
    message: /^Cannot read from cursor "soon": a cursor is an event id from 0 to 2, the newest$/,
  },
  {
    what: "a cursor in the future",
    args: { cursor: "3" },
    line: ["--cursor", "3"],
    status: 400,
    code: "invalid_argument",
    exit: 2,
    message: /^Cannot read from cursor "3": .* 0 to 2, the newest$/,
  },
  {
    what: "a wait by nobody",
    args: { resume: true, wait_seconds: 1 },
    line: ["--resume", "--wait", "1"],
    status: 400,
    code: "invalid_argument",
    exit: 2,
    message: /^Cannot resume without a session_id or a consumer/,
  },
];

Deno.test(`${SUBJECT}: no failure of a read looks like "no events", through any door`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  await server.call("register_session", { name: "ended", client_id: "ended", machine: "far" });
  await server.call("unregister_session", { session_id: "ended" });
  for (const { what, args, line, status, code, exit, message } of FAILURES) {
    const answer = await fetch(`${server.url}/v1/get_events`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(args),
    });
    const body = await answer.json();
    assert.deepEqual([answer.status, body.code], [status, code], what);
    assert.match(body.error, message, what);

    const { isError, content } = await callTool(server.url, args);
    assert.equal(isError, true, what);
    assert.deepEqual(JSON.parse(content[0].text), body, "the same in every door");

    const env = { EVENT_BUS_URL: server.url };
    const ended = await run(["events", ...line], { home, env });
    assert.deepEqual([ended.code, ended.stdout], [exit, ""], what);
    assert.match(ended.stderr, /^Error: [^\n]+\n/, what);
    // What it was not even asked, the command line says in its own words.
    if (!line.includes("--wait")) {
      assert.match(ended.stderr.split("\n")[0]?.slice(7) ?? "", message);
    }
  }
});

Deno.test(`${SUBJECT}: a bus that is away, or takes too long, is exit 3 and no empty page`, async () => {
  using home = tempHome();
  const silent = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) =>
      new Promise<Response>((resolve) => {
        request.signal.addEventListener(
          "abort",
          () => resolve(new Response(null, { status: 499 })),
        );
      }),
  );
  const url = `http://127.0.0.1:${silent.addr.port}`;
  const late = await run(["events", "--timeout", "200"], { home, env: { EVENT_BUS_URL: url } });
  await silent.shutdown();
  const away = await run(["events"], { home, env: { EVENT_BUS_URL: url } });
  assert.deepEqual([late.code, late.stdout, away.code, away.stdout], [3, "", 3, ""]);
  assert.match(late.stderr, /no answer within 200 ms/);
  assert.match(away.stderr, /Connection refused/);
});

/** One call of 2025's protocol, as the original's client makes it. */
// deno-lint-ignore no-explicit-any -- looked at field by field
async function callTool(url: string, args: Record<string, unknown>): Promise<any> {
  const answer = await fetch(`${url}/mcp`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "get_events", arguments: args },
    }),
  });
  const data = (await answer.text()).split("\n").find((line) => line.startsWith("data: "));
  return JSON.parse(data?.slice("data: ".length) ?? "null").result;
}
