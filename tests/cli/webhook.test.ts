import assert from "node:assert/strict";
import { cli as runCommand, standIn } from "../helpers/cli.ts";
import { receiver, until } from "../helpers/receiver.ts";
import { testServer } from "../helpers/server.ts";
import { tempHome } from "../helpers/home.ts";

/** A bus, and the command line that talks to it. */
function busAndCli() {
  const server = testServer();
  return {
    server,
    cli: (line: string[], stdin = "") =>
      runCommand(line, { home: server.home, env: { EVENT_BUS_URL: server.url }, stdin }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

Deno.test("cli webhook: add, list, pause, resume, test and remove, for people and scripts", async () => {
  await using hook = receiver();
  await using bus = busAndCli();
  assert.equal((await bus.cli(["webhook", "list"])).out, "No webhooks\n");
  const added = await bus.cli([
    ...["webhook", "add", hook.url, "--channel", "repo:*", "--event-types", "done, failed"],
    ...["--secret", "s3cret-text"],
  ]);
  assert.equal(added.code, 0);
  const { created_at, ...webhook } = JSON.parse(added.out);
  assert.deepEqual(webhook, {
    webhook_id: 1,
    url: hook.url,
    channel: "repo:*",
    event_types: ["done", "failed"],
  });
  assert.equal(
    (await bus.cli(["webhook", "list"])).out,
    `Webhooks (1):\n\n  ✓ 1 🔒  ${hook.url}\n    channel: repo:*\n    events: done, failed\n` +
      `    created: ${created_at}\n\n`,
  );
  const did = async (...line: string[]) => {
    const { code, out, err } = await bus.cli(["webhook", ...line]);
    assert.deepEqual([code, err], [0, ""]);
    return out;
  };
  assert.equal(await did("pause", "1"), "Webhook 1 paused\n");
  assert.equal(await did("list", "--active"), "No webhooks\n");
  await bus.server.call("publish_event", { event_type: "done", payload: "", channel: "repo:x" });
  assert.match(
    await did("list"),
    /^ {2}✗ 1 🔒 {2}.*\n(.*\n)* {4}waiting: 1 event\n {4}paused: on request\n/m,
  );
  assert.equal(await did("test", "1"), "Webhook 1 took it: HTTP 200\n");
  assert.equal(hook.posts[0]?.body.event_type, "webhook_test");
  assert.deepEqual(JSON.parse(await did("resume", "1", "--json")), {
    success: true,
    webhook_id: 1,
    active: true,
  });
  await until(() => hook.posts.length === 2);
  const [listed] = JSON.parse(await did("list", "--json"));
  assert.deepEqual([listed.webhook_id, listed.has_secret, listed.active], [1, true, true]);
  assert.doesNotMatch(JSON.stringify(listed) + added.out, /s3cret-text/);
  assert.equal(await did("remove", "1"), "Webhook 1 removed\n");
  assert.equal(await did("list"), "No webhooks\n");
});

Deno.test("cli webhook: the original's words and its --url still work", async () => {
  await using hook = receiver();
  await using bus = busAndCli();
  const did = async (...line: string[]) => (await bus.cli(["webhook", ...line])).out;
  const registered = JSON.parse(
    await did("register", "--url", hook.url, "--channel", "session:", "--event-types", "a"),
  );
  assert.deepEqual([registered.url, registered.channel], [hook.url, "session:*"]);
  assert.equal(await did("disable", "1"), "Webhook 1 paused\n");
  assert.match(await did("list", "--all"), /✗ 1 {2}/);
  assert.equal(await did("enable", "1"), "Webhook 1 resumed\n");
  assert.equal(await did("unregister", "1"), "Webhook 1 removed\n");
});

Deno.test("cli webhook: --url before the verb is the bus, behind add the hook's, else the bus again", async () => {
  using home = tempHome();
  await using bus = standIn(() => Response.json([]));
  await using wrong = standIn();
  const run = async (...line: string[]) => {
    bus.asked.length = 0;
    const ended = await runCommand(line, { home, env: { EVENT_BUS_URL: wrong.url } });
    return { ...ended, asked: bus.asked.map(({ path, body }) => [path, body.url]) };
  };
  const added = [["/v1/register_webhook", "http://hook.test/"]];
  const hook = "http://hook.test/";
  assert.deepEqual((await run("--url", bus.url, "webhook", "add", "--url", hook)).asked, added);
  assert.deepEqual((await run("--url", bus.url, "webhook", "add", hook)).asked, added);
  assert.deepEqual(
    (await run(`--url=${bus.url}`, "webhook", "register", `--url=${hook}`)).asked,
    added,
  );
  const listed = [["/v1/list_webhooks", undefined]];
  assert.deepEqual((await run("--url", bus.url, "webhook", "list")).asked, listed);
  assert.deepEqual((await run("webhook", "list", "--url", `${bus.url}/mcp`)).asked, listed);
  assert.deepEqual((await run("webhook", "pause", "3", "--url", bus.url)).asked, [
    ["/v1/set_webhook_active", undefined],
  ]);
  const twice = await run("webhook", "add", hook, "--url", bus.url);
  assert.equal(twice.code, 2);
  assert.match(twice.err, /takes one URL; the bus's own is named before/);
  assert.equal(wrong.asked.length, 0, "nothing went to the wrong bus, or to the hook");
});

Deno.test("cli webhook: a secret can come from standard input", async () => {
  using home = tempHome();
  await using bus = standIn();
  const line = ["--url", bus.url, "webhook", "add", "http://hook.test/", "--secret", "-"];
  assert.equal((await runCommand(line, { home, stdin: "piped\n" })).code, 0);
  assert.equal(bus.asked[0]?.body.secret, "piped");
});

Deno.test("cli webhook: wrong usage is exit 2, a refusal exit 1, a test that fails too", async () => {
  await using hook = receiver(() => new Response(null, { status: 500 }));
  await using bus = busAndCli();
  for (
    const line of [
      ["webhook"],
      ["webhook", "fly"],
      ["webhook", "__proto__"],
      ["webhook", "add"],
      ["webhook", "pause"],
      ["webhook", "pause", "all"],
      ["webhook", "list", "1"],
      ["webhook", "add", "file:///etc/passwd"],
      ["webhook", "add", "http://169.254.169.254/"],
    ]
  ) {
    const { code, out, err } = await bus.cli(line);
    assert.deepEqual([code, out], [2, ""], line.join(" "));
    assert.match(err, /^Error: .+\n$/);
  }
  const unknown = await bus.cli(["webhook", "remove", "9"]);
  assert.deepEqual([unknown.code, unknown.err], [1, "Error: Webhook not found\n"]);
  const script = await bus.cli(["webhook", "remove", "9", "--json"]);
  const { success, webhook_id, code } = JSON.parse(script.out);
  assert.deepEqual([script.code, success, webhook_id, code], [1, false, 9, "not_found"]);
  await bus.cli(["webhook", "add", hook.url]);
  const failed = await bus.cli(["webhook", "test", "1"]);
  assert.deepEqual([failed.code, failed.out, failed.err], [
    1,
    "",
    "Webhook 1 did not take it: HTTP 500\n",
  ]);
  assert.equal((await bus.cli(["webhook", "test", "1", "--json"])).code, 1);
});
