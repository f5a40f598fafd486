/** Who the guard takes a caller for: this machine, a token's name, or a login that a proxy vouches for. */
import assert from "node:assert/strict";
import type { Caller } from "../../src/bus.ts";
import { BusError } from "../../src/errors.ts";
import { createGuard, type GuardRules } from "../../src/http/guard.ts";
import { SCOPES } from "../../src/token.ts";
import { type TestBus, testBus } from "../helpers/bus.ts";

const RULES: GuardRules = {
  exposed: true,
  token: "the-shared-secret",
  allowedHosts: ["bus.tailnet.ts.net"],
  allowedOrigins: [],
};
const FAR = "192.168.1.9";
const HERE = "127.0.0.1";

/** Whom a request is from, or its refusal. */
function asked(
  bus: TestBus,
  headers: Record<string, string>,
  peer = FAR,
  rules: Partial<GuardRules> = {},
): Caller | BusError {
  const request = new Request("http://localhost:8080/health", { headers });
  try {
    return createGuard({ ...RULES, ...rules }, bus.credentials)(request, peer);
  } catch (refusal) {
    if (refusal instanceof BusError) return refusal;
    throw refusal;
  }
}

/** Its name, what it may do and whether it counts as local; or the code of the refusal. */
function told(...args: Parameters<typeof asked>): string {
  const answer = asked(...args);
  if (answer instanceof BusError) return answer.code;
  const scopes = SCOPES.filter((scope) => answer.scopes.has(scope)).join(",");
  return `${answer.principal} ${scopes} ${answer.local ? "local" : "remote"}`;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function create(bus: TestBus, name: string, scopes: string[]): Promise<string> {
  const uuid = () => crypto.randomUUID();
  Object.assign(bus, { uuid });
  return (await bus.call("create_token", { name, scopes })).token;
}

Deno.test("guard: a token's name is the principal, with its scopes, also on this machine", async () => {
  using bus = testBus();
  const ci = await create(bus, "ci", ["publish"]);
  assert.equal(told(bus, bearer(ci)), "ci publish remote");
  assert.equal(told(bus, bearer(ci), HERE), "ci publish local", "it may do no more here");
  assert.equal(told(bus, bearer("the-shared-secret")), "token read,publish,admin remote");
  assert.equal(told(bus, bearer("the-shared-secret"), HERE), "loopback read,publish,admin local");
  assert.equal(told(bus, {}, HERE), "loopback read,publish,admin local");
});

Deno.test("guard: unknown, expired and revoked tokens are refused in the same words", async () => {
  using bus = testBus();
  const revoked = await create(bus, "gone", ["read"]);
  await bus.call("revoke_token", { name: "gone" });
  const uuid = () => crypto.randomUUID();
  Object.assign(bus, { uuid });
  const expired = (await bus.call("create_token", { name: "old", expires_in_seconds: 1 })).token;
  const valid = await create(bus, "valid", ["read"]);
  bus.pass(1000);
  const others = [revoked, expired, "ebt_" + "0".repeat(64), valid.slice(0, -1), `${valid}0`, "x"];
  for (const token of [...others, valid.toUpperCase()]) {
    const refusal = asked(bus, bearer(token));
    assert.ok(refusal instanceof BusError, token);
    assert.equal(refusal.code, "unauthenticated");
    assert.equal(
      refusal.message,
      "Cannot serve with this token: it is not the bus's, or not any more",
    );
    assert.deepEqual(refusal.details, {});
  }
  for (const token of [revoked, expired]) {
    assert.equal(told(bus, bearer(token), HERE), "unauthenticated", "its end made nobody mightier");
  }
  assert.equal(
    told(bus, bearer("some-other-bus"), HERE),
    "loopback read,publish,admin local",
    "what was never a token of ours says nothing",
  );
});

Deno.test("guard: a shared token that is also a token with a name is that name's", async () => {
  using bus = testBus();
  const ci = await create(bus, "ci", ["read"]);
  assert.equal(told(bus, bearer(ci), FAR, { token: ci }), "ci read remote");
  await bus.call("revoke_token", { name: "ci" });
  assert.equal(told(bus, bearer(ci), FAR, { token: ci }), "unauthenticated");
});

Deno.test("guard: without any token callers from elsewhere are told so, with one that it is missing", async () => {
  using bus = testBus();
  const message = (rules: Partial<GuardRules>) => {
    const answer = asked(bus, {}, FAR, rules);
    return answer instanceof BusError ? answer.message : "served";
  };
  assert.match(message({ token: null }), /the server has no token configured$/);
  await create(bus, "ci", ["read"]);
  assert.match(message({ token: null }), /^Cannot serve without a token: send the header /);
});

Deno.test("guard: require_token asks this machine for a token, too, and serves it as local with one", async () => {
  using bus = testBus();
  const rules = { requireToken: true };
  const ci = await create(bus, "ci", ["read", "publish"]);
  assert.equal(told(bus, {}, HERE, rules), "unauthenticated");
  assert.equal(told(bus, bearer("guess"), HERE, rules), "unauthenticated");
  assert.equal(told(bus, bearer(ci), HERE, rules), "ci read,publish local");
  assert.equal(
    told(bus, bearer("the-shared-secret"), HERE, rules),
    "token read,publish,admin local",
  );
  assert.equal(told(bus, {}, HERE, { ...rules, token: null }), "unauthenticated");
});

const LOGIN = {
  host: "bus.tailnet.ts.net",
  "tailscale-user-login": "alice@example.com",
  "x-forwarded-for": "100.64.0.7",
  "x-forwarded-proto": "https",
};

Deno.test("guard: a Tailscale login counts from a named proxy of this machine, and works without operating", () => {
  using bus = testBus();
  const rules = { trustedProxies: ["127.0.0.1"] };
  assert.equal(told(bus, LOGIN, HERE, rules), "alice@example.com read,publish remote");
  assert.equal(
    told(bus, LOGIN, "::ffff:127.0.0.1", rules),
    "alice@example.com read,publish remote",
  );
  const caller = asked(bus, LOGIN, HERE, rules);
  assert.ok(!(caller instanceof BusError));
  assert.equal(caller.peer, "100.64.0.7", "whom the proxy was called by");
});

Deno.test("guard: a Tailscale login means nothing from anybody else", () => {
  using bus = testBus();
  const rules = { trustedProxies: ["127.0.0.1"] };
  const cases: [peer: string, rules: Partial<GuardRules>][] = [
    [HERE, {}],
    [HERE, { trustedProxies: ["127.0.0.2"] }],
    ["127.0.0.2", rules],
    ["::1", rules],
    [FAR, rules],
    [FAR, { trustedProxies: [FAR] }],
    ["::ffff:192.168.1.9", { trustedProxies: [FAR] }],
  ];
  for (const [peer, rule] of cases) {
    assert.equal(
      told(bus, LOGIN, peer, rule),
      "unauthenticated",
      `${peer} ${JSON.stringify(rule)}`,
    );
  }
  const { "tailscale-user-login": _, ...anonymous } = LOGIN;
  assert.equal(told(bus, anonymous, HERE, rules), "unauthenticated", "Funnel names nobody");
  for (
    const login of [
      "",
      " ",
      "loopback",
      "token",
      "server",
      "alice",
      "a@b.c, d@e.f",
      "a b@c.d",
      "a@{x}",
    ]
  ) {
    const headers = { ...LOGIN, "tailscale-user-login": login };
    assert.equal(told(bus, headers, HERE, rules), "unauthenticated", login);
  }
});

Deno.test("guard: through a trusted proxy a token says more than a login, and a wrong one is refused", async () => {
  using bus = testBus();
  const rules = { trustedProxies: ["127.0.0.1"] };
  const ops = await create(bus, "ops", ["admin"]);
  assert.equal(told(bus, { ...LOGIN, ...bearer(ops) }, HERE, rules), "ops admin remote");
  assert.equal(told(bus, { ...LOGIN, ...bearer("guess") }, HERE, rules), "unauthenticated");
  const foreign = { ...LOGIN, host: "evil.example" };
  assert.equal(told(bus, foreign, HERE, rules), "forbidden", "the rules about pages stay");
});

Deno.test("guard: what a proxy says of its caller's address is told only if it is one", () => {
  using bus = testBus();
  const rules = { trustedProxies: ["127.0.0.1"] };
  const peer = (headers: Record<string, string>, from = HERE) => {
    const caller = asked(bus, { ...LOGIN, ...headers }, from, rules);
    return caller instanceof BusError ? caller.code : caller.peer;
  };
  assert.equal(peer({ "x-forwarded-for": "8.8.8.8, 100.64.0.9" }), "100.64.0.9");
  assert.equal(peer({ "x-forwarded-for": 'evil"\t{}' }), HERE);
  const far = { ...bearer("the-shared-secret"), "x-forwarded-for": "10.0.0.1" };
  assert.equal(peer(far, FAR), FAR, "nobody else is believed");
});
