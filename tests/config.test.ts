/** Settings that say who may call. */
import assert from "node:assert/strict";
import { loadConfig } from "../src/config.ts";
import { envOf, tempHome } from "./helpers/home.ts";

Deno.test("loadConfig: who may call is closed by default, and who did what is kept", () => {
  using home = tempHome();
  const config = loadConfig({}, envOf(home));
  const { require_token, trusted_proxies, base_path, tls_cert, tls_key, audit } = config;
  assert.deepEqual({ require_token, trusted_proxies, base_path, tls_cert, tls_key, audit }, {
    require_token: false,
    trusted_proxies: [],
    base_path: "",
    tls_cert: null,
    tls_key: null,
    audit: true,
  });
  assert.equal(config.auditLog, `${home.dataDir}/audit.log`);
  assert.equal(config.url, "http://127.0.0.1:8080");
});

Deno.test("loadConfig: the settings of tokens, proxies and TLS, from the environment and the file", () => {
  using home = tempHome();
  home.write(
    ".claude/contrib/event-bus/config.json",
    JSON.stringify({
      require_token: true,
      trusted_proxies: ["127.0.0.1", "::1"],
      base_path: "/event-bus/",
      tls_cert: "~/bus.pem",
      audit: false,
    }),
  );
  const config = loadConfig({}, envOf(home, { EVENT_BUS_TLS_KEY: "/etc/key.pem" }));
  assert.equal(config.require_token, true);
  assert.deepEqual(config.trusted_proxies, ["127.0.0.1", "::1"]);
  assert.equal(config.base_path, "/event-bus");
  assert.deepEqual([config.tls_cert, config.tls_key], [`${home.path}/bus.pem`, "/etc/key.pem"]);
  assert.equal(config.audit, false);
  assert.equal(config.url, "https://127.0.0.1:8080", "where this machine finds it");
  assert.equal(loadConfig({ require_token: "0" }, envOf(home)).require_token, false);
});

Deno.test("loadConfig: a setting that would let in somebody else is refused, naming what is expected", () => {
  using home = tempHome();
  const wrong: [name: string, value: string, expected: RegExp][] = [
    ["REQUIRE_TOKEN", "maybe", /true or false is expected/],
    ["REQUIRE_TOKEN", "constructor", /true or false is expected/],
    ["TRUSTED_PROXIES", "10.0.0.1", /addresses of this machine are expected/],
    ["TRUSTED_PROXIES", "127.0.0.1,*", /addresses of this machine are expected/],
    ["TRUSTED_PROXIES", "localhost", /addresses of this machine are expected/],
    ["BASE_PATH", "event-bus", /a path is expected/],
    ["BASE_PATH", "/a b", /a path is expected/],
    ["BASE_PATH", "/a/?x", /a path is expected/],
    ["AUDIT", "quiet", /true or false is expected/],
  ];
  for (const [name, value, expected] of wrong) {
    assert.throws(
      () => loadConfig({}, envOf(home, { [`EVENT_BUS_${name}`]: value })),
      expected,
      `${name}=${value}`,
    );
  }
});
