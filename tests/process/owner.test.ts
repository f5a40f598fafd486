/** The lock that makes one server the owner of one database. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openStore } from "../../src/store/open.ts";
import { tempHome } from "../helpers/home.ts";
import { run, serve, SUBJECT } from "../helpers/process.ts";

Deno.test(`${SUBJECT} serve: a second server on the same database is refused, until the first is killed`, async () => {
  using home = tempHome();
  await using first = await serve({ home });
  const second = await run(["serve", "--port", "0"], { home });
  assert.equal(second.code, 1);
  assert.match(
    second.stderr,
    /^Error: Cannot use the database \S+: another event-bus has it open; [^\n]*--db\n$/,
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
