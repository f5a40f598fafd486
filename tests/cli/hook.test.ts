/** `event-bus hook`: the bus's answer, or nothing; never a failure. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createClient } from "../../cli/client.ts";
import { nextSummons } from "../../cli/hook/summons.ts";
import type { Cli } from "../../cli/verb.ts";
import { cli, type Ended, standIn } from "../helpers/cli.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { checkHookOutput, shownIn } from "../helpers/injected.ts";
import { nearHook } from "../helpers/near_hook.ts";
import { recordings, showsOf } from "../helpers/recorded.ts";
import { type TestServer, testServer } from "../helpers/server.ts";
import { TORTURE } from "../helpers/torture.ts";

const SILENT: Ended = { code: 0, out: "", err: "" };

/** Runs the command for a hook. */
function hook(home: Home, url: string, body: unknown, env: Record<string, string> = {}) {
  const stdin = typeof body === "string" ? body : JSON.stringify(body);
  return cli(["hook"], { home, env: { EVENT_BUS_URL: url, ...env }, stdin });
}

const prompt = (session_id: string) => ({
  session_id,
  hook_event_name: "UserPromptSubmit",
  cwd: "/w",
});
const start = (session_id: string) => ({ ...prompt(session_id), hook_event_name: "SessionStart" });

async function receipt(server: TestServer, event_id: number, session: string) {
  const { audience, others } = await server.call("get_delivery", { event_id });
  return [...audience, ...others].find(({ session_id }) => session_id === session);
}

Deno.test("cli hook: every recorded hook gives what Claude Code takes, and what is shown is read", async () => {
  await using server = testServer();
  const { home, url } = server;
  for (const recorded of recordings()) {
    const session_id = `of ${recorded.name}`;
    const json = { ...recorded.hook, session_id };
    assert.equal((await hook(home, url, start(session_id))).code, 0);
    const { event_id } = await server.call("publish_event", {
      event_type: "note",
      payload: "p",
      channel: `session:${session_id}`,
    });
    const { code, out, err } = await hook(home, url, json);
    assert.deepEqual([code, err], [0, ""], recorded.name);
    assert.ok(out === "" || out.endsWith("}\n"));
    const shows = showsOf(recorded) !== "nothing";
    const shown = shownIn(checkHookOutput(recorded.event, out)).includes(event_id);
    assert.equal(shown, shows, recorded.name);
    const { state } = await receipt(server, event_id, session_id);
    assert.equal(state, shows ? "has" : recorded.event === "SessionEnd" ? "ended" : "waiting");
  }
});

Deno.test("cli hook: what could not be written does not count as read", async () => {
  await using server = testServer();
  const { home, url } = server;
  await hook(home, url, start("s"));
  const args = { event_type: "note", payload: "p", channel: "session:s" };
  const { event_id } = await server.call("publish_event", args);
  const closed = await cli(["hook"], {
    home,
    env: { EVENT_BUS_URL: url },
    stdin: JSON.stringify(prompt("s")),
    out() {
      throw new Deno.errors.BrokenPipe();
    },
  });
  assert.equal(closed.code, 0);
  assert.equal((await receipt(server, event_id, "s")).state, "waiting");
  // It waits for the one before, which might still acknowledge: longer than a session would.
  const { out } = await cli(["hook", "--timeout", "5000"], {
    home,
    env: { EVENT_BUS_URL: url },
    stdin: JSON.stringify(prompt("s")),
  });
  assert.deepEqual(shownIn(checkHookOutput("UserPromptSubmit", out)), [event_id]);
});

Deno.test("cli hook: a start says where it works and in which process, other hooks say nothing more", async () => {
  using home = tempHome();
  home.write("shop/.git/HEAD", "ref: refs/heads/fix/till\n");
  home.write("shop/sub/x", "");
  const queries: Record<string, string>[] = [];
  await using bus = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    queries.push(Object.fromEntries(new URL(request.url).searchParams));
    return new Response(null, { status: 204 });
  });
  const url = `http://127.0.0.1:${bus.addr.port}`;
  const before = Deno.cwd();
  const env = { CLAUDE_PID: String(Deno.pid), EVENT_BUS_MACHINE: "desk" };
  try {
    Deno.chdir(`${home.path}/shop/sub`);
    await hook(home, url, start("s"), env);
    await hook(home, url, prompt("s"), env);
  } finally {
    Deno.chdir(before);
  }
  const [first, second] = queries;
  const { pid_start, ...facts } = first ?? {};
  assert.deepEqual(facts, {
    ack: "later",
    machine: "desk",
    root: `${home.path}/shop`,
    repo: "shop",
    branch: "fix/till",
    pid: String(Deno.pid),
  });
  assert.ok(pid_start);
  assert.deepEqual(second, { ack: "later", machine: "desk" });
});

Deno.test("cli hook: a start exports the session's id to the scripts that it runs, once", async () => {
  await using server = testServer();
  const { home, url } = server;
  const file = home.write("env.sh", "export OTHER=1\n");
  const env = { CLAUDE_ENV_FILE: file };
  for (const source of ["startup", "compact"]) {
    await hook(home, url, { ...start("it's"), source }, env);
  }
  await hook(home, url, prompt("it's"), env);
  assert.equal(
    Deno.readTextFileSync(file),
    `export OTHER=1\nexport EVENT_BUS_SESSION_ID='it'\\''s'\n`,
  );
  // One that cannot be written keeps nothing from the model.
  const { out } = await hook(home, url, start("s2"), { CLAUDE_ENV_FILE: home.path });
  assert.match(checkHookOutput("SessionStart", out), /"s2"/);
});

Deno.test("cli hook --url: goes to where the http hooks go, whatever the settings say", async () => {
  await using server = testServer();
  await using other = standIn();
  const { home } = server;
  home.write(".claude/contrib/event-bus/config.json", JSON.stringify({ url: other.url }));
  const env = { EVENT_BUS_URL: other.url };
  const { out } = await cli(["hook", "--url", server.url], {
    home,
    env,
    stdin: JSON.stringify(prompt("s")),
  });
  assert.match(out, /additionalContext/);
  assert.equal(other.asked.length, 0);
});

Deno.test("cli hook: a bus that is not there is nothing to the session", async () => {
  using home = tempHome();
  const gone = standIn();
  await gone[Symbol.asyncDispose]();
  assert.deepEqual(await hook(home, gone.url, prompt("s")), SILENT);
});

Deno.test("cli hook: a bus that does not answer is left when the time is over", async () => {
  using home = tempHome();
  const left = Promise.withResolvers<void>();
  await using bus = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    request.signal.addEventListener("abort", () => left.resolve());
    return left.promise.then(() => new Response());
  });
  const options = {
    home,
    env: { EVENT_BUS_URL: `http://127.0.0.1:${bus.addr.port}` },
    stdin: JSON.stringify(prompt("s")),
  };
  assert.deepEqual(await cli(["hook", "--timeout", "20"], options), SILENT);
  await left.promise;
  // Without a word of how long: as long as a session can wait.
  assert.deepEqual(await cli(["hook"], options), SILENT);
});

Deno.test("cli hook: a bus that stops answering after its headers is left too, and nothing is shown", async () => {
  using home = tempHome();
  const body = new ReadableStream<Uint8Array>({
    start: (out) => out.enqueue(new TextEncoder().encode('{"hookSpecificOutput"')),
  });
  await using bus = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(body, { headers: { "Event-Bus-Session": "s" } }),
  );
  const ended = await cli(["hook", "--timeout", "20"], {
    home,
    env: { EVENT_BUS_URL: `http://127.0.0.1:${bus.addr.port}` },
    stdin: JSON.stringify(prompt("s")),
  });
  assert.deepEqual(ended, SILENT);
});

const ANSWERS: [what: string, answer: () => Response][] = [
  ["a page", () => new Response("<h1>It works</h1>")],
  ["somebody else's JSON", () => Response.json({ hookSpecificOutput: { additionalContext: "x" } })],
  ["a refusal", () => Response.json({ error: "no", code: "forbidden" }, { status: 403 })],
  ["a fault", () => new Response("oops", { status: 500 })],
  ["another place", () => Response.redirect("http://127.0.0.1:1/")],
];

for (const [what, answer] of ANSWERS) {
  Deno.test(`cli hook: ${what} instead of the bus is nothing for a model to read`, async () => {
    using home = tempHome();
    await using other = standIn(answer);
    assert.deepEqual(await hook(home, other.url, prompt("s")), SILENT);
    assert.equal(other.asked.length, 1);
  });
}

Deno.test("cli hook --wake: what is not the bus wakes nobody", async () => {
  for (const said of [{}, [], "called", 7, { kind: "other" }]) {
    await using other = standIn(() => Response.json(said));
    const client = createClient({ url: other.url, token: null, timeoutMs: 1000 });
    const world = { client, config: { machine: "desk" } } as Cli;
    const { signal } = new AbortController();
    const summons = await nextSummons(world, { by: "wake", body: "{}", signal });
    assert.deepEqual(summons, { kind: "leave" });
  }
});

Deno.test("cli hook: whatever is wrong here, it is silent and exits 0, which nobody takes for an order", async () => {
  await using bus = standIn();
  const wrong: [what: string, prepare: (home: Home) => Record<string, string>, args?: string[]][] =
    [
      ["a config file that is none", (home) => {
        home.write(".claude/contrib/event-bus/config.json", "{");
        return {};
      }],
      ["a token file that others can read", (home) => {
        home.write(".claude/contrib/event-bus/token", "secret", 0o644);
        return {};
      }],
      ["an address that is none", () => ({ EVENT_BUS_URL: "nowhere" })],
      ["an option of the future", () => ({}), ["hook", "--later"]],
      ["an option of the future for a listener", () => ({}), ["hook", "--wake", "--later"]],
      ["a listener's address that is none", () => ({}), ["hook", "--wake", "--url", "nowhere"]],
      ["an address that is missing", () => ({}), ["hook", "--wake", "--url"]],
      ["a word too much", () => ({}), ["hook", "more"]],
      ["a time that is none", () => ({}), ["hook", "--timeout", "soon"]],
    ];
  for (const [what, prepare, args = ["hook"]] of wrong) {
    using home = tempHome();
    const env = { EVENT_BUS_URL: bus.url, ...prepare(home) };
    const ended = await cli(args, { home, env, stdin: JSON.stringify(prompt("s")) });
    assert.deepEqual(ended, SILENT, what);
  }
});

Deno.test("cli hook: whatever stands on its input, its output is a hook's JSON or nothing", async () => {
  await using server = testServer();
  const { home, url } = server;
  const input = fc.oneof(
    { weight: 4, arbitrary: nearHook.map((value) => JSON.stringify(value)) },
    fc.json(),
    fc.string({ unit: "binary" }),
  );
  await fc.assert(
    fc.asyncProperty(input, async (stdin) => {
      const { code, out, err } = await hook(home, url, stdin);
      assert.deepEqual([code, err], [0, ""]);
      if (out !== "") checkHookOutput(JSON.parse(stdin).hook_event_name, out.trimEnd());
    }),
    TORTURE ? { numRuns: 3000 } : { numRuns: 150, seed: 20260108 },
  );
});
