/** The whole program on a disk that fills up, and on files that go. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { NO_DISK, smallDisk } from "../helpers/disk.ts";
import { tempHome } from "../helpers/home.ts";
import { run, serve, type Served, SUBJECT } from "../helpers/process.ts";

const health = async (server: Served) => {
  const answer = await fetch(`${server.url}/health`);
  return { status: answer.status, facts: await answer.json() };
};

const publish = (server: Served, payload: string) =>
  server.call("publish_event", { event_type: "t", payload });

Deno.test({
  name:
    `${SUBJECT} serve: on a full disk it reads on and says why it does not write; killed and freed, it has all it acknowledged${
      NO_DISK === null ? "" : ` (skipped: ${NO_DISK})`
    }`,
  ignore: NO_DISK !== null,
  async fn() {
    using home = tempHome();
    using disk = smallDisk(4096);
    // With the log and everything else that it keeps.
    const env = { HOME: disk.path };
    const acknowledged: number[] = [];
    const payload = "x".repeat(30_000);
    {
      await using server = await serve({ home, env });
      for (let round = 0; round < 2; round++) {
        acknowledged.push((await publish(server, payload)).event_id);
        disk.fill();
        let refusal: { code?: string; error?: string; event_id?: number } = {};
        while (refusal.code === undefined) {
          if (refusal.event_id !== undefined) acknowledged.push(refusal.event_id);
          refusal = await publish(server, payload);
        }
        assert.deepEqual(refusal, {
          error: "Cannot write to the database: the disk is full",
          code: "unavailable",
        });
        assert.ok((await server.call("get_events", { limit: 1 })).events.length > 0);
        const { status, facts } = await health(server);
        assert.deepEqual([status, facts.status, facts.writes], [
          200,
          "degraded",
          "the disk is full",
        ]);
        disk.empty();
        assert.equal((await health(server)).facts.status, "ok", "without a hand on it");
      }
      acknowledged.push((await publish(server, payload)).event_id);
      disk.fill();
      while ((await publish(server, payload)).code === undefined);
      await server.stop("SIGKILL");
    }
    disk.empty();
    await using server = await serve({ home, env });
    const stored = new Set<number>();
    for (let cursor = "0", more = true; more;) {
      const page = await server.call("get_events", { cursor, order: "asc", limit: 50 });
      for (const { id } of page.events) stored.add(id);
      ({ next_cursor: cursor, has_more: more } = page);
    }
    assert.deepEqual(acknowledged.filter((id) => !stored.has(id)), []);
    assert.equal(new Set(acknowledged).size, acknowledged.length);
  },
});

Deno.test(`${SUBJECT} serve: a database that is moved away makes it degraded, for /health, status and publishers, until it is back`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const env = { EVENT_BUS_URL: server.url };
  assert.equal((await publish(server, "kept")).event_id, 1);
  assert.deepEqual((await health(server)).facts.writes, "ok");
  const database = join(home.dataDir, "data.db");
  Deno.renameSync(database, `${database}.moved`);

  const { status, facts } = await health(server);
  assert.equal(status, 200);
  assert.equal(facts.status, "degraded");
  assert.match(facts.writes, /^its file is gone/);
  assert.equal(facts.database, "ok");
  const told = await run(["status"], { home, env });
  assert.equal(told.code, 1);
  assert.match(told.stdout, /^status: degraded$/m);
  assert.match(told.stdout, /^writes: its file is gone/m);
  const refused = await run(["publish", "--type", "t", "--payload", "p", "--spool"], { home, env });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^Error: Cannot write to the database: its file is gone/);
  assert.equal((await server.call("get_events")).events.length, 1, "it can be read");

  Deno.renameSync(`${database}.moved`, database);
  assert.equal((await health(server)).facts.status, "ok");
  assert.equal((await publish(server, "again")).code, undefined);
  assert.equal((await server.call("get_events")).events.length, 2);
});
