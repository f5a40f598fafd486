/** Tokens, proxies, TLS and the audit log, on the whole program. */
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { makeCertificate, NO_CERTIFICATES } from "../helpers/certificate.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { type Finished, run, serve, type Served, spawn, SUBJECT } from "../helpers/process.ts";
import { tailnet } from "../helpers/tailnet.ts";

/** An address of this machine that is not loopback; through it we are somebody from elsewhere. */
const outside = Object.values(networkInterfaces()).flat()
  .find((address) => address?.family === "IPv4" && !address.internal)?.address;
const unless = outside === undefined ? " (skipped: this machine has no other address)" : "";

const DATA = ".claude/contrib/event-bus";

/** Every file below a folder, as text. */
function* written(folder: string): Generator<[path: string, text: string]> {
  for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* written(path);
    else if (isFile) yield [path, new TextDecoder("latin1").decode(Deno.readFileSync(path))];
  }
}

interface AuditLine {
  time: string;
  principal: string | null;
  peer: string;
  operation: string;
  session_id: string | null;
  result: string;
  ms: number;
}

function auditOf(home: Home): AuditLine[] {
  const text = Deno.readTextFileSync(join(home.dataDir, "audit.log"));
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** Resolves when the only session there is has a stream; fails when whoever should open it has ended. */
async function untilFollowing(bus: Served, follower: Deno.ChildProcess): Promise<void> {
  let ended = false;
  void follower.status.then(() => ended = true);
  while (!(await bus.call("list_sessions"))[0].reachable_by.includes("stream")) {
    assert.ok(!ended, "the follower has ended");
  }
}

const secretOf = ({ code, stdout, stderr }: Finished): string => {
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^ebt_[0-9a-f]{64}\n$/);
  return stdout.trim();
};

Deno.test({
  name: `${SUBJECT} token: create, use, rotate and revoke, from another machine${unless}`,
  ignore: outside === undefined,
  async fn() {
    using home = tempHome();
    using laptop = tempHome();
    const secrets: string[] = [];
    {
      // The first is made where nobody else can reach the bus.
      await using bus = await serve({ home });
      const line = ["--url", bus.url, "token", "create", "--name", "laptop", "--expires", "90d"];
      const made = await run(line, { home });
      secrets.push(secretOf(made));
      assert.match(made.stderr, /^Token laptop may publish, read, until .*not shown again/);
      assert.match(made.stderr, /EVENT_BUS_TOKEN/);
      const ops = [
        "--url",
        bus.url,
        "token",
        "create",
        "--name",
        "ops",
        "--scope",
        "admin",
        "--json",
      ];
      const { token } = JSON.parse((await run(ops, { home })).stdout);
      secrets.push(token);
    }
    const [first = "", ops = ""] = secrets;
    await using bus = await serve({ home }, ["--host", "0.0.0.0"]);
    const url = `http://${outside}:${new URL(bus.url).port}/mcp`;
    const far = (args: string[], token: string) =>
      run(args, { home: laptop, env: { EVENT_BUS_URL: url, EVENT_BUS_TOKEN: token } });

    const registered = await far(["register", "--name", "n", "--client-id", "far-1"], first);
    assert.equal(JSON.parse(registered.stdout).session_id, "far-1", registered.stderr);
    const denied = await far(["token", "list"], first);
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /^Error: Cannot run list_tokens: the scope admin is missing\n/);
    const foreign = await run(["--url", bus.url, "events", "--resume", "--session-id", "far-1"], {
      home,
    });
    assert.equal(foreign.code, 1);
    assert.match(foreign.stderr, /^Error: Cannot act as session "far-1": another caller/);

    const listed = await far(["token", "list"], ops);
    assert.match(listed.stdout, /^Tokens \(2\):\n\n {2}laptop {2}publish, read\n/);
    assert.match(listed.stdout, /expires: 20.*\n {4}last used: 20/);
    const second = secretOf(await far(["token", "rotate", "laptop"], ops));
    secrets.push(second);
    assert.equal((await far(["sessions"], first)).code, 1);
    assert.equal((await far(["sessions"], second)).code, 0);

    const follower = spawn(["events", "--follow", "--resume", "--session-id", "far-1"], {
      home: laptop,
      env: { EVENT_BUS_URL: url, EVENT_BUS_TOKEN: second },
    });
    await untilFollowing(bus, follower);
    const revoked = await far(["token", "revoke", "laptop"], ops);
    assert.equal(revoked.stdout, "Token laptop is revoked\n");
    const { code, stderr } = await follower.output();
    assert.equal(code, 1);
    assert.match(new TextDecoder().decode(stderr), /the token has expired or was revoked/);
    const over = await far(["sessions"], second);
    assert.match(over.stderr, /^Error: Cannot serve with this token: .*not any more\n/);
    assert.match((await far(["token", "list", "--all"], ops)).stdout, /laptop \(revoked\)/);

    assert.equal(await bus.stop(), 0);
    secrets.push(await bus.output, await bus.errors);
    for (const [path, text] of [...written(home.path), ...written(laptop.path)]) {
      for (const secret of [first, ops, second]) {
        assert.ok(!text.includes(secret.slice(4)), `${path} has a secret`);
      }
    }
    for (const said of secrets.slice(3)) assert.ok(!/ebt_/.test(said));
    const audit = auditOf(home);
    const told = audit.map(({ principal, operation, session_id, result }) =>
      [principal, operation, session_id, result].join(" ")
    );
    for (
      const line of [
        "laptop register_session far-1 ok",
        "laptop list_tokens  forbidden",
        "loopback get_events far-1 forbidden",
        "ops rotate_token  ok",
        "laptop stream_events far-1 ok",
        "ops revoke_token  ok",
        " /v1  unauthenticated",
      ]
    ) assert.ok(told.includes(line), `${line}\n${told.join("\n")}`);
    assert.ok(audit.some(({ principal, peer }) => principal === "laptop" && peer === outside));
  },
});

Deno.test(`${SUBJECT} serve --require-token: this machine needs one, too; without any it does not start`, async () => {
  using home = tempHome();
  const none = await run(["serve", "--port", "0", "--require-token"], { home });
  assert.equal(none.code, 2);
  assert.match(none.stderr, /^Error: Cannot require a token: there is none; .*token create/);
  let token: string;
  {
    await using bus = await serve({ home });
    token = secretOf(await run(["--url", bus.url, "token", "create", "--name", "me"], { home }));
  }
  await using bus = await serve({ home, env: { EVENT_BUS_REQUIRE_TOKEN: "1" } });
  const line = ["--url", bus.url, "register", "--name", "n"];
  const refused = await run(line, { home });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^Error: Cannot serve without a token: /);
  const env = { EVENT_BUS_TOKEN: token };
  const { machine, cwd } = JSON.parse((await run(line, { home, env })).stdout);
  assert.ok(machine !== "127.0.0.1" && cwd === home.path, "it is still on this machine");
  const health = await fetch(`${bus.url}/health`);
  assert.equal(health.status, 401);
  await health.body?.cancel();

  const proxy = { EVENT_BUS_REQUIRE_TOKEN: "1", EVENT_BUS_TRUSTED_PROXIES: "127.0.0.1" };
  const both = await run(["serve", "--port", "0"], { home, env: proxy });
  assert.equal(both.code, 2);
  assert.match(both.stderr, /choose require_token or trusted_proxies\n$/);
});

Deno.test(`${SUBJECT}: behind a proxy that mounts it under a path, by login, every way in works`, async () => {
  using home = tempHome();
  using phone = tempHome();
  const host = "home.tailnet.ts.net";
  home.write(
    `${DATA}/config.json`,
    JSON.stringify({ allowed_hosts: [host], trusted_proxies: ["127.0.0.1"], base_path: "/bus/" }),
  );
  await using bus = await serve({ home });
  const login = "alice@example.com";
  for (const keepsMount of [false, true]) {
    await using proxy = tailnet(bus.url, { mount: "/bus", keepsMount, host, login });
    const far = (...args: string[]) =>
      run(args, { home: phone, env: { EVENT_BUS_URL: `${proxy.url}/mcp` } });
    const status = await far("status");
    assert.equal(status.code, 0, status.stderr);
    assert.equal((await far("register", "--name", "n", "--client-id", "p1")).code, 0);
    assert.equal((await far("publish", "--type", "t", "--payload", "hi")).code, 0);
    const read = await far("events", "--session-id", "p1", "--resume", "--json");
    assert.equal(JSON.parse(read.stdout).events[0].payload, "hi", read.stderr);

    const text = await fetch(`${proxy.url}/publish/repo%3Ax%2Fy`, { method: "POST", body: "t" });
    assert.equal((await text.json()).channel, "repo:x/y");
    for (const path of ["/health", "/openapi.json", "/health/"]) {
      const answer = await fetch(proxy.url + path);
      assert.equal(answer.status, 200, path);
      await answer.body?.cancel();
    }
    for (const path of ["/mcp", "/mcp/"]) {
      const answer = await fetch(proxy.url + path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
      });
      assert.match(await answer.text(), /"register_session"/, path);
    }
    const follower = spawn([
      "events",
      "--follow",
      "--resume",
      "--session-id",
      "p1",
    ], {
      home: phone,
      env: { EVENT_BUS_URL: proxy.url },
    });
    await untilFollowing(bus, follower);
    await bus.call("publish_event", { event_type: "t", payload: "pushed" });
    const reader = follower.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let seen = "";
    while (!seen.includes("pushed")) {
      const { done, value } = await reader.read();
      assert.ok(!done, seen);
      seen += value;
    }
    follower.kill("SIGTERM");
    await Promise.all([reader.cancel(), follower.stderr.cancel(), follower.status]);

    const operating = await far("webhook", "list");
    assert.match(operating.stderr, /the scope admin is missing/);
    await using funnel = tailnet(bus.url, { mount: "/bus", keepsMount, host, login: null });
    const nobody = await fetch(`${funnel.url}/health`, {
      headers: { "Tailscale-User-Login": login },
    });
    assert.equal(nobody.status, 401);
    await nobody.body?.cancel();
  }
  const elsewhere = await fetch(`${bus.url}/busy/health`);
  assert.equal(elsewhere.status, 404, "a path that only begins like it is another");
  await elsewhere.body?.cancel();
  assert.equal(await bus.stop(), 0);
  const registered = auditOf(home).find(({ operation }) => operation === "register_session");
  assert.deepEqual(
    [registered?.principal, registered?.peer, registered?.session_id],
    [login, "100.64.0.7", "p1"],
  );
});

Deno.test({
  name: `${SUBJECT} serve --tls-cert: https for every way in${
    NO_CERTIFICATES === null ? "" : ` (skipped: ${NO_CERTIFICATES})`
  }`,
  ignore: NO_CERTIFICATES !== null,
  async fn() {
    using home = tempHome();
    const { cert, key, otherKey, authority } = await makeCertificate(home);
    const wrong: [args: string[], error: RegExp][] = [
      [["--tls-cert", cert], /Cannot serve https with tls_cert alone: tls_key is missing/],
      [["--tls-key", key], /Cannot serve https with tls_key alone: tls_cert is missing/],
      [["--tls-cert", `${cert}.gone`, "--tls-key", key], /Cannot read the certificate \S+\.gone: /],
      [["--tls-cert", cert, "--tls-key", otherKey], /Cannot use the certificate \S+ with the key /],
      [["--tls-cert", join(home.path, "names"), "--tls-key", key], /it is not a PEM file/],
    ];
    for (const [args, error] of wrong) {
      const { code, stderr } = await run(["serve", "--port", "0", ...args], { home });
      assert.deepEqual([code, error.test(stderr)], [2, true], stderr);
    }
    Deno.chmodSync(key, 0o644);
    const open = await run(["serve", "--port", "0", "--tls-cert", cert, "--tls-key", key], {
      home,
    });
    assert.match(open.stderr, /everybody can read it; run chmod 600/);
    Deno.chmodSync(key, 0o600);
    assert.deepEqual(
      [...Deno.readDirSync(home.path)].some(({ name }) => name === "data.db"),
      false,
    );

    await using bus = await serve({ home }, ["--tls-cert", cert, "--tls-key", key]);
    assert.match(bus.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    const call = (args: string[], env: Record<string, string> = {}) =>
      run(["--url", bus.url, ...args], { home, env });
    const unknown = await call(["status"]);
    assert.equal(unknown.code, 3);
    assert.match(unknown.stderr, /its certificate is not known here.* DENO_CERT/);
    const env = { DENO_CERT: authority };
    const status = await call(["status"], env);
    assert.equal(status.code, 0, status.stderr);
    assert.equal((await call(["register", "--name", "n", "--client-id", "s1"], env)).code, 0);
    assert.equal((await call(["publish", "--type", "t", "--payload", "hi"], env)).code, 0);
    const read = await call(["events", "--session-id", "s1", "--resume", "--json"], env);
    assert.equal(JSON.parse(read.stdout).events[0].payload, "hi");
    const plain = bus.url.replace("https", "http");
    const http = await run(["--url", plain, "status"], { home });
    assert.equal(http.code, 3);
    assert.match(http.stderr, /it does not speak http; is its URL https:\/\/\?/);

    const client = Deno.createHttpClient({ caCerts: [Deno.readTextFileSync(authority)] });
    const foreign = await fetch(`${bus.url}/health`, {
      client,
      headers: { origin: "https://evil.example" },
    });
    assert.equal(foreign.status, 403);
    await foreign.body?.cancel();
    const own = await fetch(`${bus.url}/health`, { client, headers: { origin: bus.url } });
    assert.equal(own.status, 200);
    await own.body?.cancel();
    client.close();
    assert.equal(await bus.stop(), 0, "strangers on its port do it no harm");
    assert.equal(await bus.errors, "");
  },
});

Deno.test(`${SUBJECT} audit.log: one line a call, no payload, the user's alone, and off on request`, async () => {
  using home = tempHome();
  {
    await using bus = await serve({ home });
    const nasty = 'x"}\n{"forged":true}\u202e\u001b[2J';
    await bus.call("get_events", { session_id: nasty });
    await bus.call("publish_event", { event_type: "secret-type", payload: "secret payload" });
    await bus.call("register_session", { name: "n", client_id: "c1" });
    const page = await fetch(`${bus.url}/publish/secret-channel`, {
      method: "POST",
      headers: { origin: "https://evil.example" },
    });
    await page.body?.cancel();
    assert.equal(await bus.stop(), 0);
    const path = join(home.dataDir, "audit.log");
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    const text = Deno.readTextFileSync(path);
    assert.match(text, /^[\x20-\x7e\n]*$/);
    assert.doesNotMatch(text, /secret/);
    const [read, published, registered, refused] = auditOf(home);
    assert.equal(read?.session_id, nasty, "escaped, and nothing lost");
    assert.deepEqual(Object.keys(published ?? {}), [
      "time",
      "principal",
      "peer",
      "operation",
      "session_id",
      "result",
      "ms",
    ]);
    assert.equal(registered?.session_id, "c1");
    const { time: _, ms: __, ...facts } = refused ?? { time: "", ms: 0 };
    assert.deepEqual(facts, {
      principal: null,
      peer: "127.0.0.1",
      operation: "/publish",
      session_id: null,
      result: "forbidden",
    });
    Deno.removeSync(path);
  }
  await using bus = await serve({ home, env: { EVENT_BUS_AUDIT: "false" } });
  await bus.call("list_sessions");
  assert.equal(await bus.stop(), 0);
  assert.ok(![...Deno.readDirSync(home.dataDir)].some(({ name }) => name === "audit.log"));
});
