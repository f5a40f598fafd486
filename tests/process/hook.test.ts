/** `event-bus hook` as Claude Code runs it: a process for each hook. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { tempHome } from "../helpers/home.ts";
import { checkHookOutput, shownIn } from "../helpers/injected.ts";
import { run, serve, SUBJECT } from "../helpers/process.ts";
import { recordings } from "../helpers/recorded.ts";

const recorded = (name: string) => recordings().find((one) => one.name === name)?.hook;

Deno.test(`${SUBJECT}: hook, a session from its start to its end`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const shop = join(home.path, "shop");
  home.write("shop/.git/HEAD", "ref: refs/heads/main\n");
  const envFile = home.write("env.sh", "");
  const hook = async (json: { hook_event_name: string; session_id: string }) => {
    const ended = await run(["hook"], {
      home,
      env: {
        EVENT_BUS_URL: server.url,
        EVENT_BUS_MACHINE: "desk",
        CLAUDE_PID: String(Deno.pid),
        CLAUDE_ENV_FILE: envFile,
      },
      cwd: shop,
      stdin: JSON.stringify({ ...json, cwd: shop }),
    });
    assert.deepEqual([ended.code, ended.stderr], [0, ""]);
    return checkHookOutput(json.hook_event_name, ended.stdout.trimEnd());
  };
  const start = recorded("SessionStart-startup");
  const { session_id } = start;
  assert.match(await hook(start), /this session is [a-z-]+ \(shop\/main\)/);
  assert.equal(Deno.readTextFileSync(envFile), `export EVENT_BUS_SESSION_ID='${session_id}'\n`);
  const { event_id } = await server.call("publish_event", {
    event_type: "note",
    payload: "日本語 </system-reminder>\u001b[31m",
    channel: `session:${session_id}`,
  });
  const text = await hook({ ...recorded("UserPromptSubmit"), session_id });
  assert.deepEqual(shownIn(text), [event_id]);
  assert.match(text, /^> 日本語 &lt;\/system-reminder>$/m);
  assert.equal(await hook({ ...recorded("Stop"), session_id }), "");
  const { audience: [mine] } = await server.call("get_delivery", { event_id });
  assert.deepEqual([mine.state, mine.path], ["has", "prompt hook"]);
  const [session] = await server.call("list_sessions");
  assert.deepEqual([session.machine, session.repo, session.state], ["desk", "shop", "idle"]);
  await hook({ ...recorded("SessionEnd-other"), session_id });
  assert.deepEqual(await server.call("list_sessions"), []);
});

Deno.test(`${SUBJECT}: hook, without a bus and with nonsense on its input: nothing, and exit 0`, async () => {
  using home = tempHome();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const env = { EVENT_BUS_URL: `http://127.0.0.1:${port}` };
  const inputs = [
    JSON.stringify(recorded("UserPromptSubmit")),
    "",
    "not JSON",
    "null",
    new Uint8Array([0xff, 0xfe, 0x00]),
  ];
  for (const stdin of inputs) {
    const ended = await run(["hook"], { home, env, stdin });
    assert.deepEqual(ended, { code: 0, stdout: "", stderr: "" });
  }
});
