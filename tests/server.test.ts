import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { loadConfig } from "../src/config.ts";
import { BusError } from "../src/errors.ts";
import { startServer } from "../src/server.ts";
import { envOf, tempHome } from "./helpers/home.ts";
import { testServer } from "./helpers/server.ts";

const health = async (url: string) => {
  const answer = await fetch(`${url}/health`);
  return { status: answer.status, facts: await answer.json() };
};

const call = async (url: string, operation: string, args: unknown) => {
  const answer = await fetch(`${url}/v1/${operation}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(args),
  });
  return await answer.json();
};

Deno.test("startServer: says where it can be reached from here, also when it listens everywhere", async () => {
  const token = { EVENT_BUS_TOKEN: "a token of 16+ signs" };
  await using everywhere = testServer({ host: "0.0.0.0" }, token);
  assert.match(everywhere.url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  assert.equal((await health(everywhere.url)).status, 200);
  await using byName = testServer({ host: "localhost" });
  assert.equal((await health(byName.url)).status, 200);
});

const hasIPv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1");

Deno.test({
  name: `startServer: serves IPv6${hasIPv6 ? "" : " (skipped: this machine has no ::1)"}`,
  ignore: !hasIPv6,
  async fn() {
    await using server = testServer({ host: "::1" });
    assert.match(server.url, /^http:\/\/\[::1\]:[1-9]\d*$/);
    assert.equal((await health(server.url)).status, 200);
    await using everywhere = testServer({ host: "::" }, {
      EVENT_BUS_TOKEN: "a token of 16+ signs",
    });
    assert.match(everywhere.url, /^http:\/\/\[::1\]:/);
    assert.equal((await health(everywhere.url)).status, 200);
  },
});

Deno.test("startServer: /health tells version, schema and uptime, and when the database is broken", async () => {
  await using server = testServer();
  const { status, facts } = await health(server.url);
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(facts), [
    "status",
    "service",
    "version",
    "schema",
    "uptime_seconds",
    "writes",
    "database",
  ]);
  server.store.db.exec("DROP TABLE event");
  const broken = await health(server.url);
  assert.equal(broken.status, 503);
  assert.equal(broken.facts.status, "unavailable");
  assert.match(broken.facts.database, /event/);
});

Deno.test("startServer: an address in use is refused before the database is touched", async () => {
  await using server = testServer();
  using home = tempHome();
  const { port } = new URL(server.url);
  const config = loadConfig({ port }, envOf(home));
  assert.throws(
    () => startServer(config),
    (refusal) =>
      refusal instanceof BusError && refusal.code === "unavailable" &&
      refusal.message.includes("in use"),
  );
  assert.deepEqual([...Deno.readDirSync(home.path)], []);
});

Deno.test("startServer: an address that is not ours is refused with the reason", () => {
  using home = tempHome();
  const config = loadConfig(
    { port: "0", host: "192.0.2.1" },
    envOf(home, { EVENT_BUS_TOKEN: "a token of 16+ signs" }),
  );
  assert.throws(() => startServer(config), /^BusError: Cannot listen on 192\.0\.2\.1:0: /);
});

Deno.test("close: what was heard meanwhile is written, and the database is closed", async () => {
  using home = tempHome();
  const start = () => startServer(loadConfig({ port: "0", machine: "home" }, envOf(home)));
  const first = start();
  await call(first.url, "register_session", { name: "a", client_id: "c1", machine: "far" });
  await call(first.url, "get_events", { session_id: "c1" });
  const [before] = await call(first.url, "list_sessions", {});
  await first.close();
  assert.deepEqual(
    [...Deno.readDirSync(home.dataDir)].map(({ name }) => name).sort(),
    ["data.db", "data.db-lock"],
    "no write-ahead log is left behind",
  );
  const second = start();
  const [after] = await call(second.url, "list_sessions", {});
  await second.close();
  assert.equal(after.last_heartbeat, before.last_heartbeat);
});

Deno.test("close: the database is closed, also when nothing can be written to it any more", async () => {
  using home = tempHome();
  const server = startServer(loadConfig({ port: "0" }, envOf(home)));
  await call(server.url, "register_session", { name: "a", client_id: "a" });
  await call(server.url, "get_events", { session_id: "a" });
  server.store.db.exec(
    "CREATE TRIGGER full BEFORE UPDATE ON session BEGIN SELECT raise(ABORT, 'full'); END",
  );
  await server.close();
  assert.equal(server.store.db.isOpen, false);
});
