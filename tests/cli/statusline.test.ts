import assert from "node:assert/strict";
import { runCli } from "../../cli/run.ts";
import { cli, standIn } from "../helpers/cli.ts";
import { envOf, tempHome } from "../helpers/home.ts";
import { testServer } from "../helpers/server.ts";

const UNREACHABLE = "⚠ event-bus: unreachable, see event-bus doctor\n";
const SESSION = { name: "bus/main", display_id: "brave-otter", state: "idle", peers: 2, unseen: 3 };

const input = (session_id: unknown) => JSON.stringify({ session_id, cwd: "/w" });

Deno.test("cli statusline: name, peers and unread of the session that the client names", async () => {
  await using server = testServer();
  const { home } = server;
  const env = { EVENT_BUS_URL: server.url };
  const { display_id } = await server.call("register_session", {
    name: "bus/main",
    client_id: "c1",
    machine: "far",
  });
  const line = () => cli(["statusline"], { home, env, stdin: input("c1") });
  const alone = await line();
  assert.deepEqual(alone, {
    code: 0,
    out: `${display_id} (bus/main) · 0 peers · 0 unread\n`,
    err: "",
  });
  await server.call("register_session", { name: "other", client_id: "c2", machine: "far" });
  await server.call("publish_event", { event_type: "t", payload: "x", session_id: "c2" });
  assert.equal((await line()).out, `${display_id} (bus/main) · 1 peer · 1 unread\n`);
  assert.equal((await line()).out, `${display_id} (bus/main) · 1 peer · 1 unread\n`, "looks only");
});

Deno.test("cli statusline: one request, about this session alone", async () => {
  using home = tempHome();
  await using server = standIn(() => Response.json(SESSION));
  const env = { EVENT_BUS_URL: server.url };
  const { out } = await cli(["statusline"], { home, env, stdin: input("c1") });
  assert.equal(out, "brave-otter (bus/main) · 2 peers · 3 unread\n");
  assert.deepEqual(server.asked.map(({ path, body }) => [path, body]), [
    ["/v1/get_session", { session_id: "c1" }],
  ]);
});

Deno.test("cli statusline: what the bus answers, and how it reads on one line", async () => {
  using home = tempHome();
  const answers: [answer: unknown, line: string][] = [
    [{ ...SESSION, name: "brave-otter", peers: 1 }, "brave-otter · 1 peer · 3 unread\n"],
    [{ ...SESSION, unseen: 1000 }, "brave-otter (bus/main) · 2 peers · 1000+ unread\n"],
    [{ ...SESSION, state: "ended" }, "brave-otter (bus/main) · ended\n"],
    [
      { ...SESSION, name: "a\u001b[31m\nb" },
      "brave-otter (a\\u001b[31m\\nb) · 2 peers · 3 unread\n",
    ],
    [
      { ...SESSION, name: "🦦".repeat(200) },
      `brave-otter (${"🦦".repeat(47)}…) · 2 peers · 3 unread\n`,
    ],
    [
      { error: "Session not found", code: "not_found" },
      "event-bus: this session is not registered\n",
    ],
    [
      { error: "No", code: "unauthenticated" },
      "⚠ event-bus: token refused, see event-bus doctor\n",
    ],
    [{ error: "No", code: "internal" }, UNREACHABLE],
    [{ something: "else" }, UNREACHABLE],
    [null, UNREACHABLE],
    ["text", UNREACHABLE],
  ];
  for (const [answer, line] of answers) {
    const isRefusal = (answer as { code?: string } | null)?.code !== undefined;
    await using server = standIn(() => Response.json(answer, { status: isRefusal ? 404 : 200 }));
    const env = { EVENT_BUS_URL: server.url };
    const ended = await cli(["statusline"], { home, env, stdin: input("c1") });
    assert.deepEqual(ended, { code: 0, out: line, err: "" });
  }
});

Deno.test("cli statusline: no bus, one that never answers, and no usable settings are a mark and exit 0", async () => {
  using home = tempHome();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  const marked = async (env: Record<string, string>) => {
    const began = performance.now();
    const ended = await cli(["statusline"], { home, env, stdin: input("c1") });
    assert.deepEqual(ended, { code: 0, out: UNREACHABLE, err: "" }, JSON.stringify(env));
    return performance.now() - began;
  };
  // It takes the connection and says nothing.
  const took = await marked({ EVENT_BUS_URL: url });
  assert.ok(took >= 250 && took < 2000, `${took} ms`);
  listener.close();
  await marked({ EVENT_BUS_URL: url });
  await marked({ EVENT_BUS_URL: "ftp://x" });
  home.write("token", "secret-of-this-bus", 0o644);
  await marked({ EVENT_BUS_URL: url, EVENT_BUS_TOKEN_FILE: `${home.path}/token` });
});

Deno.test("cli statusline: input that names no session falls back on the shell's, else says so", async () => {
  using home = tempHome();
  await using server = standIn(() => Response.json(SESSION));
  const env = { EVENT_BUS_URL: server.url };
  const nonsense = [
    "",
    "{",
    "null",
    "7",
    "[]",
    input(""),
    input(7),
    input(null),
    "\u0000",
    "x".repeat(1e6),
  ];
  for (const stdin of nonsense) {
    const ended = await cli(["statusline"], { home, env, stdin });
    assert.deepEqual(
      ended,
      { code: 0, out: "event-bus: no session\n", err: "" },
      stdin.slice(0, 20),
    );
  }
  assert.equal(server.asked.length, 0);
  const own = { ...env, CLAUDE_CODE_SESSION_ID: "mine" };
  await cli(["statusline"], { home, env: own, stdin: "{" });
  assert.deepEqual(server.asked.map(({ body }) => body.session_id), ["mine"]);
});

Deno.test("cli statusline: standard input that never ends is not waited for", async () => {
  using home = tempHome();
  let out = "";
  const terminal = {
    out: (text: string) => void (out += text),
    err: () => {},
    stdin: () => new Promise<string>(() => {}),
  };
  assert.equal(await runCli(["statusline"], terminal, envOf(home)), 0);
  assert.equal(out, "event-bus: no session\n");
});
