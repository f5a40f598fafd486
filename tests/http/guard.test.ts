import assert from "node:assert/strict";
import type { Caller } from "../../src/bus.ts";
import { BusError, type ErrorCode } from "../../src/errors.ts";
import { createGuard, type GuardRules } from "../../src/http/guard.ts";
import { testApp } from "../helpers/server.ts";

const CLOSED: GuardRules = { exposed: false, token: null, allowedHosts: [], allowedOrigins: [] };
const OPEN: GuardRules = { ...CLOSED, exposed: true, token: "secret" };

/** Who a request is from, or the code of its refusal. */
function verdict(
  rules: Partial<GuardRules>,
  headers: Record<string, string>,
  peer = "127.0.0.1",
): Caller["principal"] | ErrorCode {
  const request = new Request("http://localhost:8080/health", { headers });
  try {
    const { principal, local } = createGuard({ ...CLOSED, ...rules })(request, peer);
    assert.equal(local, principal === "loopback", "who needs a token is not local");
    return principal;
  } catch (refusal) {
    if (refusal instanceof BusError) return refusal.code;
    throw refusal;
  }
}

const HOSTS_HERE = [
  "localhost",
  "localhost:8080",
  "LocalHost:8080",
  "127.0.0.1",
  "127.0.0.1:8080",
  "127.1.2.3:1",
  "[::1]",
  "[::1]:8080",
  "[::ffff:127.0.0.1]:8080",
];
const HOSTS_ELSEWHERE = [
  "evil.example",
  "evil.example:8080",
  "localhost.evil.example",
  "127.0.0.1.evil.example",
  "127.0.0.1.nip.io:8080",
  "evillocalhost",
  "localhost@evil.example",
  "evil.example#localhost",
  "localhost:8080.evil.example",
  "[::1].evil.example",
  "bus.internal:8080",
];
const ADDRESSES = ["192.168.1.5:8080", "100.64.0.7", "[fd7a:115c:a1e0::1]:8080", "0.0.0.0:8080"];

Deno.test("guard: a loopback Host is served, whatever its port and case", () => {
  for (const host of HOSTS_HERE) assert.equal(verdict({}, { host }), "loopback", host);
});

Deno.test("guard: a foreign Host is refused, also one that only looks like ours", () => {
  for (const host of HOSTS_ELSEWHERE) {
    assert.equal(verdict({}, { host }), "forbidden", host);
    assert.equal(
      verdict(OPEN, { host, authorization: "Bearer secret" }),
      "forbidden",
      `${host}, with the token`,
    );
  }
});

Deno.test("guard: an address as Host is served only by a server that listens beyond loopback", () => {
  for (const host of ADDRESSES) {
    assert.equal(verdict({}, { host }), "forbidden", host);
    assert.equal(verdict(OPEN, { host, authorization: "Bearer secret" }), "token", host);
  }
});

Deno.test("guard: a configured Host is served in any case and with any port", () => {
  const rules = { allowedHosts: ["Bus.Internal"], token: "secret" };
  for (const host of ["bus.internal", "bus.internal:8080", "BUS.INTERNAL"]) {
    assert.equal(verdict(rules, { host, authorization: "Bearer secret" }), "token", host);
    assert.equal(verdict(rules, { host }), "unauthenticated", `${host} is not a loopback name`);
  }
  assert.equal(verdict(rules, { host: "other.internal" }), "forbidden");
});

Deno.test("guard: an Origin must be ours, to the port, or configured", () => {
  const host = "localhost:8080";
  const ours = ["http://localhost:8080", "HTTP://LOCALHOST:8080"];
  const foreign = [
    "null",
    "",
    "http://localhost",
    "http://localhost:8081",
    "http://127.0.0.1:8080",
    "http://evil.example",
    "http://localhost:8080.evil.example",
    "http://evil.example/localhost:8080",
    "file://",
    "localhost:8080",
    "data:text/html,x",
    "chrome-extension://abcdef",
  ];
  for (const origin of ours) assert.equal(verdict({}, { host, origin }), "loopback", origin);
  for (const origin of foreign) assert.equal(verdict({}, { host, origin }), "forbidden", origin);

  const rules = { allowedOrigins: ["https://Board.Example"] };
  assert.equal(verdict(rules, { host, origin: "https://board.example" }), "loopback");
  assert.equal(verdict(rules, { host, origin: "http://board.example" }), "forbidden");
});

Deno.test("guard: the Origin of a server called by an IPv6 address is known as ours", () => {
  assert.equal(verdict({}, { host: "[::1]:8080", origin: "http://[::1]:8080" }), "loopback");
  assert.equal(verdict({}, { host: "[::1]:8080", origin: "http://[::1]:8081" }), "forbidden");
});

Deno.test("guard: Sec-Fetch-Site says when another page is behind a request", () => {
  const expected = {
    "same-origin": "loopback",
    "none": "loopback",
    "same-site": "forbidden",
    "cross-site": "forbidden",
    "Cross-Site": "forbidden",
    "": "forbidden",
  };
  for (const [site, principal] of Object.entries(expected)) {
    assert.equal(verdict({}, { "sec-fetch-site": site }), principal, site);
  }
});

Deno.test("guard: whoever comes through a proxy is remote, although the peer is this machine", () => {
  const added = [
    "forwarded",
    "x-forwarded-for",
    "X-Forwarded-Host",
    "x-forwarded-proto",
    "x-real-ip",
    "tailscale-user-login",
    "Tailscale-Headers-Info",
  ];
  for (const name of added) {
    assert.equal(verdict({}, { [name]: "127.0.0.1" }), "unauthenticated", name);
    const headers = { [name]: "127.0.0.1", authorization: "Bearer secret" };
    assert.equal(verdict({ token: "secret" }, headers), "token", name);
  }
  assert.equal(verdict({}, { "x-forwarding": "1" }), "loopback", "no such header");
});

Deno.test("guard: a peer beyond this machine needs the token, also with a loopback Host", () => {
  for (const peer of ["192.168.1.9", "100.64.0.7", "::2", "fe80::1%eth0", "::ffff:10.0.0.1", ""]) {
    assert.equal(verdict(OPEN, { host: "localhost:8080" }, peer), "unauthenticated", peer);
    assert.equal(verdict(OPEN, { authorization: "Bearer secret" }, peer), "token", peer);
    assert.equal(verdict({}, { authorization: "Bearer secret" }, peer), "unauthenticated", peer);
  }
  for (const peer of ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]) {
    assert.equal(verdict(OPEN, {}, peer), "loopback", peer);
  }
});

Deno.test("guard: only the token itself passes, in whatever case the scheme is written", () => {
  const peer = "192.168.1.9";
  const passes = ["Bearer secret", "bearer secret", "BEARER   secret"];
  const fails = [
    "",
    "secret",
    "Bearer",
    "Bearer ",
    "Bearer Secret",
    "Bearer secre",
    "Bearer secrets",
    "Bearer secret secret",
    "Basic secret",
    "Bearer undefined",
    "Bearer null",
  ];
  for (const authorization of passes) {
    assert.equal(verdict(OPEN, { authorization }, peer), "token", authorization);
  }
  for (const authorization of fails) {
    assert.equal(verdict(OPEN, { authorization }, peer), "unauthenticated", authorization);
  }
  assert.equal(verdict(OPEN, {}, peer), "unauthenticated");
});

Deno.test("app: every door is behind the guard, and a refusal names what was wrong", async () => {
  await using app = testApp({ exposed: true, token: "secret" });
  const doors: [method: string, path: string][] = [
    ["GET", "/health"],
    ["GET", "/openapi.json"],
    ["POST", "/v1/list_sessions"],
    ["POST", "/publish/all"],
    ["POST", "/mcp"],
    ["POST", "/mcp/"],
    ["GET", "/mcp"],
    ["DELETE", "/mcp"],
    ["GET", "/nothing-here"],
  ];
  for (const [method, path] of doors) {
    const door = `${method} ${path}`;
    const foreign = await app.fetch(path, { method, headers: { host: "evil.example" } });
    assert.equal(foreign.status, 403, door);
    const { error, code } = await foreign.json();
    assert.equal(code, "forbidden", door);
    assert.match(error, /^Cannot .*"evil\.example".*allowed_hosts/, door);

    const remote = await app.fetch(path, { method }, "192.168.1.9");
    assert.equal(remote.status, 401, door);
    assert.equal(remote.headers.get("www-authenticate"), "Bearer", door);
    assert.equal((await remote.json()).code, "unauthenticated", door);

    const page = await app.fetch(path, { method, headers: { origin: "https://evil.example" } });
    assert.equal(page.status, 403, door);
    assert.match((await page.json()).error, /"https:\/\/evil\.example".*allowed_origins/, door);
  }
});

Deno.test("app: what a refusal quotes of a header is short and on one line", async () => {
  await using app = testApp();
  const answer = await app.fetch("/health", { headers: { host: "x".repeat(5000) } });
  const { error } = await answer.json();
  assert.ok(error.length < 250, error);
});

Deno.test("app: the token never appears in an answer", async () => {
  await using app = testApp({ exposed: true, token: "hunter2-secret" });
  const headers = { authorization: "Bearer hunter2-wrong" };
  const text = await (await app.fetch("/health", { headers }, "10.0.0.9")).text();
  assert.match(text, /Cannot serve with this token/);
  assert.ok(!text.includes("hunter2"), text);
});
