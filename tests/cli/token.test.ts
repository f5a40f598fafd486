import assert from "node:assert/strict";
import { cli as runCommand, standIn } from "../helpers/cli.ts";
import { tempHome } from "../helpers/home.ts";
import { testServer } from "../helpers/server.ts";

/** A bus, and the command line that talks to it. */
function busAndCli() {
  const server = testServer();
  return {
    server,
    cli: (line: string[]) =>
      runCommand(["token", ...line], { home: server.home, env: { EVENT_BUS_URL: server.url } }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

Deno.test("cli token: create, list, rotate and revoke, for people and scripts", async () => {
  await using bus = busAndCli();
  assert.equal((await bus.cli(["list"])).out, "No tokens\n");
  const made = await bus.cli(["create", "--name", "laptop", "--scope", "read", "--expires", "90d"]);
  assert.equal(made.code, 0, made.err);
  assert.match(made.out, /^ebt_[0-9a-f]{64}\n$/, "nothing but the secret, for a pipe");
  assert.match(made.err, /^Token laptop may read, until \d{4}-.*It is not shown again\.\n/);
  assert.match(made.err, /EVENT_BUS_TOKEN, or in .*token \(chmod 600\)/);
  assert.ok(!made.err.includes(made.out.trim()));

  const script = await bus.cli(["create", "ci", "--json"]);
  const ci = JSON.parse(script.out);
  assert.deepEqual([ci.name, ci.scopes, ci.expires_at], ["ci", ["publish", "read"], null]);
  assert.equal(script.err, "");
  const listed = await bus.cli(["list"]);
  assert.equal(
    listed.out.replaceAll(/20\S+Z/g, "TIME"),
    "Tokens (2):\n\n" +
      "  ci  publish, read\n    created: TIME\n    last used: never\n\n" +
      "  laptop  read\n    created: TIME\n    expires: TIME\n    last used: never\n\n",
  );
  assert.equal(JSON.parse((await bus.cli(["list", "--json"])).out).length, 2);

  const rotated = await bus.cli(["rotate", "ci", "--grace", "10m"]);
  assert.match(rotated.out, /^ebt_[0-9a-f]{64}\n$/);
  assert.notEqual(rotated.out.trim(), ci.token);
  assert.match((await bus.cli(["list"])).out, /ci \(rotated\) {2}publish, read/);
  assert.equal((await bus.cli(["revoke", "ci"])).out, "Token ci is revoked\n");
  const answer = JSON.parse((await bus.cli(["revoke", "--name", "laptop", "--json"])).out);
  assert.deepEqual(answer, { success: true, name: "laptop", ended: 1 });
  assert.equal((await bus.cli(["list"])).out, "No tokens\n");
  assert.match((await bus.cli(["list", "--all"])).out, /laptop \(revoked\)[^]*revoked: 20/);
});

Deno.test("cli token: what is missing or wrong is told, and how the exit code says so", async () => {
  await using bus = busAndCli();
  const cases: [line: string[], code: number, error: RegExp][] = [
    [[], 2, /^Error: token requires one of create, list, rotate, revoke/],
    [["make"], 2, /^Error: There is no token "make": one of create/],
    [["toString"], 2, /^Error: There is no token "toString"/],
    [["create"], 2, /^Error: token create requires a name/],
    [["create", "a", "--name", "b"], 2, /^Error: token create takes one name/],
    [["create", "a", "--expires", "soon"], 2, /^Error: Cannot use --expires "soon"/],
    [["create", "a", "--scope", "root"], 2, /scopes.*one of read, publish, admin is expected/],
    [["create", "a b"], 2, /^Error: Cannot call a token "a b"/],
    [["rotate", "gone"], 1, /^Error: No valid token is called "gone"/],
    [["revoke", "gone"], 1, /^Error: No valid token is called "gone"/],
    [["list", "x"], 2, /^Error: token list takes no NAME/],
  ];
  for (const [line, code, error] of cases) {
    const ended = await bus.cli(line);
    assert.deepEqual([ended.code, ended.out], [code, ""], line.join(" "));
    assert.match(ended.err, error);
  }
});

Deno.test("cli token: an expiry and a grace are sent in seconds, never shorter than they were said", async () => {
  await using bus = standIn(() => Response.json({ token: "ebt_x", name: "a", scopes: ["read"] }));
  using home = tempHome();
  const line = ["token", "rotate", "a", "--grace", "1500ms", "--expires", "90d"];
  await runCommand(line, { home, env: { EVENT_BUS_URL: bus.url } });
  assert.deepEqual(bus.asked.map(({ path, body }) => [path, body]), [[
    "/v1/rotate_token",
    { name: "a", grace_seconds: 2, expires_in_seconds: 7_776_000 },
  ]]);
});
