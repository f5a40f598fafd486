/** The lock that makes one server the owner of one database. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openStore } from "../../src/store/open.ts";
import { nameOwner } from "../../src/store/owner.ts";
import { tempHome } from "../helpers/home.ts";
import { run, serve, SUBJECT } from "../helpers/process.ts";

Deno.test(`${SUBJECT} serve: a second server on the same database is told who has it, until the first is killed`, async () => {
  using home = tempHome();
  await using first = await serve({ home });
  const second = await run(["serve", "--port", "0"], { home });
  assert.equal(second.code, 1);
  const database = join(home.dataDir, "data.db");
  assert.equal(
    second.stderr,
    `Error: Cannot use the database ${database}: the event-bus at ${first.url} (process ` +
      `${first.pid}) has it open; stop that one first, or name another database with --db\n`,
  );
  assert.equal((await first.call("publish_event", { event_type: "t", payload: "" })).event_id, 1);
  await first.stop("SIGKILL");
  await using third = await serve({ home });
  assert.equal((await third.call("get_events")).events.length, 1);
});

Deno.test("openStore lets go of its database when it is closed", () => {
  using home = tempHome();
  const path = join(home.path, "data.db");
  openStore(path).close();
  openStore(path).close();
  assert.equal((Deno.statSync(`${path}-lock`).mode ?? 0) & 0o777, 0o600);
});

Deno.test("nameOwner: the name is the user's alone, goes with a clean stop, and a dead owner's is not believed", () => {
  using home = tempHome();
  const path = join(home.path, "data.db");
  const name = `${path}-owner`;
  const store = openStore(path);
  nameOwner(path, { pid: 7, url: "http://127.0.0.1:7" });
  assert.equal((Deno.statSync(name).mode ?? 0) & 0o777, 0o600);
  store.close();
  assert.throws(() => Deno.statSync(name), Deno.errors.NotFound);
  home.write("data.db-owner", JSON.stringify({ pid: 7, url: "http://127.0.0.1:7" }));
  const next = openStore(path);
  assert.throws(() => Deno.statSync(name), Deno.errors.NotFound);
  next.close();
});

Deno.test("openStore: a database that another server has is not even looked at", async () => {
  using home = tempHome();
  await using first = await serve({ home });
  const database = join(home.dataDir, "data.db");
  Deno.removeSync(database);
  assert.equal((await run(["serve", "--port", "0"], { home })).code, 1);
  assert.throws(() => Deno.statSync(database), Deno.errors.NotFound);
  await first.stop("SIGKILL");
});
