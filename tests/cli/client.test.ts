import assert from "node:assert/strict";
import { baseOf, createClient, Refusal } from "../../cli/client.ts";
import { CliError } from "../../cli/verb.ts";
import { ERROR_CODES } from "../../src/errors.ts";
import { cli, standIn } from "../helpers/cli.ts";
import { tempHome } from "../helpers/home.ts";

function unexpected(answer: unknown): never {
  throw new Error(`Expected to fail, and got ${JSON.stringify(answer)}`);
}

Deno.test("baseOf: a bus address with or without /mcp is the same bus", () => {
  for (const end of ["", "/", "/mcp", "/mcp/", "//"]) {
    assert.equal(baseOf(`http://h:8080${end}`), "http://h:8080");
    assert.equal(baseOf(`https://h/prefix${end}`), "https://h/prefix");
  }
  assert.equal(baseOf("http://h/mcpx"), "http://h/mcpx");
});

Deno.test("client: the token travels as a bearer, and without one there is no such header", async () => {
  await using server = standIn();
  for (const token of ["t0ken", null]) {
    const client = createClient({ url: server.url, token, timeoutMs: 5000 });
    await client.call("list_sessions", {});
    const [asked] = server.asked.splice(0);
    assert.equal(asked?.headers.get("authorization"), token === null ? null : "Bearer t0ken");
  }
});

Deno.test("client: every code of a refusal has its exit code, 2 for what the caller got wrong", async () => {
  await using server = standIn(({ body }) =>
    Response.json({ error: "Cannot do it", code: body.code }, { status: 400 })
  );
  const client = createClient({ url: server.url, token: null, timeoutMs: 5000 });
  for (const code of [...ERROR_CODES, "from_a_newer_bus"]) {
    const refusal = await client.call("x", { code }).then(unexpected, (thrown: unknown) => thrown);
    assert.ok(refusal instanceof Refusal);
    assert.equal(refusal.message, "Cannot do it");
    assert.equal(refusal.exit, code === "invalid_argument" ? 2 : 1, code);
  }
});

const NOT_A_BUS: [name: string, answer: () => Response][] = [
  ["a web page", () => new Response("<html>hello</html>")],
  ["a web page that is missing", () => new Response("Not Found", { status: 404 })],
  ["JSON of somebody else", () => Response.json({ detail: "Not Found" }, { status: 404 })],
  ["null", () => Response.json(null, { status: 500 })],
  ["nothing", () => new Response(null, { status: 502 })],
];

for (const [name, answer] of NOT_A_BUS) {
  Deno.test(`cli: a server that answers with ${name} is no event-bus, exit 3`, async () => {
    using home = tempHome();
    await using server = standIn(answer);
    for (const verb of ["sessions", "status"]) {
      const { code, out, err } = await cli([verb, "--url", server.url], { home });
      assert.equal(code, 3, `${verb}: ${err}`);
      assert.match(err, new RegExp(`^Error: Cannot use ${server.url}: `));
      assert.equal(out, "");
    }
  });
}

Deno.test("cli: a redirect is not followed, so that the token goes nowhere else", async () => {
  using home = tempHome();
  await using elsewhere = standIn();
  await using server = standIn(() => Response.redirect(`${elsewhere.url}/v1/list_sessions`, 307));
  const { code } = await cli(["sessions", "--url", server.url], {
    home,
    env: { EVENT_BUS_TOKEN: "secret" },
  });
  assert.equal(code, 3);
  assert.deepEqual(elsewhere.asked, []);
});

Deno.test("cli: nobody there is exit 3, and the answer says how to start the bus", async () => {
  using home = tempHome();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const url = `http://127.0.0.1:${port}`;
  for (const line of [["sessions"], ["status"], ["publish", "--type", "t", "--payload", "p"]]) {
    const { code, out, err } = await cli([...line, "--url", `${url}/mcp`], { home });
    assert.equal(code, 3, err);
    assert.match(err, new RegExp(`^Error: Cannot reach the bus at ${url}: .*refused`));
    assert.match(err, /\nStart it with: event-bus serve\n$/);
    assert.equal(out, "");
  }
});

Deno.test("cli: https to a bus that speaks http says so, exit 3", async () => {
  using home = tempHome();
  await using server = standIn();
  const env = { EVENT_BUS_URL: server.url.replace("http:", "https:") };
  const { code, err } = await cli(["sessions"], { home, env });
  assert.equal(code, 3);
  assert.match(
    err,
    /^Error: Cannot reach the bus at https:\S+: it does not speak https; [^\n]*http:/,
  );
});

Deno.test("cli: --timeout bounds how long an answer may take, 0 is the default", async () => {
  using home = tempHome();
  const { promise: release, resolve } = Promise.withResolvers<Response>();
  await using server = standIn(({ body }) =>
    body === null || body.limit === undefined ? Response.json([]) : release
  );
  const line = ["events", "--limit", "1", "--url", server.url];
  const { code, err } = await cli([...line, "--timeout", "20"], { home });
  assert.equal(code, 3);
  assert.match(err, /Cannot reach the bus at .*: no answer within 20 ms/);
  resolve(Response.json({ events: [], has_more: false }));
  assert.equal((await cli(["sessions", "--timeout", "0", "--url", server.url], { home })).code, 0);
});

Deno.test("cli: the token comes from EVENT_BUS_TOKEN, else from a file that is the user's alone", async () => {
  using home = tempHome();
  await using server = standIn(() => Response.json([]));
  const url = ["--url", server.url];
  const sent = async (env: Record<string, string>) => {
    const { code, err } = await cli(["sessions", ...url], { home, env });
    assert.equal(code, 0, err);
    return server.asked.splice(0)[0]?.headers.get("authorization");
  };
  assert.equal(await sent({}), null);
  const file = home.write(".claude/contrib/event-bus/token", "from-file\n");
  assert.equal(await sent({}), "Bearer from-file");
  assert.equal(await sent({ EVENT_BUS_TOKEN: "from-env" }), "Bearer from-env");
  assert.equal(await sent({ AGENT_EVENT_BUS_TOKEN: "later" }), "Bearer later");
  const other = home.write("token2", "second");
  assert.equal(await sent({ EVENT_BUS_TOKEN_FILE: other }), "Bearer second");
  assert.equal(await sent({ EVENT_BUS_TOKEN_FILE: "~/token2" }), "Bearer second");

  for (const mode of [0o644, 0o640, 0o604]) {
    Deno.chmodSync(file, mode);
    const { code, err } = await cli(["sessions", ...url], { home });
    assert.equal(code, 2, mode.toString(8));
    assert.match(err, /^Error: Cannot use the token file .*others can read it; run chmod 600 /);
    assert.ok(!err.includes("from-file"));
    assert.deepEqual(server.asked, [], "nothing was sent");
  }
});

Deno.test("client: what cannot be read is a CliError with one cause, not a stack of wrappers", async () => {
  const client = createClient({ url: "http://127.0.0.1:1/mcp", token: null, timeoutMs: 5000 });
  const failure = await client.health().then(unexpected, (thrown: unknown) => thrown);
  assert.ok(failure instanceof CliError);
  assert.equal(failure.message.split("\n").length, 2);
  assert.ok(failure.message.length < 160, failure.message);
});
