import assert from "node:assert/strict";
import { tempHome } from "../helpers/home.ts";
import { serve, type Served, SUBJECT } from "../helpers/process.ts";
import { TORTURE } from "../helpers/torture.ts";

const PUBLISHERS = 8;
const CRASHES = TORTURE ? 10 : 2;
/** So many acknowledgements are waited for before the server is killed. */
const BEFORE_CRASH = 200;

interface Acknowledged {
  readonly id: number;
  readonly payload: string;
}

/** Publishes until the server is gone; notes what it acknowledged. */
async function publishUntilGone(
  server: Served,
  name: string,
  note: (one: Acknowledged) => void,
): Promise<void> {
  for (let n = 1;; n++) {
    const payload = `${name} ${n}`;
    try {
      const { event_id } = await server.call("publish_event", { event_type: "t", payload });
      note({ id: event_id, payload });
    } catch {
      return;
    }
  }
}

async function allEvents(server: Served): Promise<Map<number, string>> {
  const events = new Map<number, string>();
  let cursor = "0";
  for (let more = true; more;) {
    const page = await server.call("get_events", { cursor, order: "asc", limit: 1000 });
    for (const { id, payload } of page.events) {
      assert.ok(!events.has(id), `id ${id} is there once`);
      events.set(id, payload);
    }
    cursor = page.next_cursor;
    more = page.has_more;
  }
  return events;
}

Deno.test(`${SUBJECT} serve: kill -9 under ${PUBLISHERS} publishers loses no acknowledged event and repeats no id`, async () => {
  using home = tempHome();
  const acknowledged: Acknowledged[] = [];
  for (let crash = 1; crash <= CRASHES; crash++) {
    await using server = await serve({ home });
    const enough = Promise.withResolvers<void>();
    const until = acknowledged.length + BEFORE_CRASH;
    const publishers = Array.from(
      { length: PUBLISHERS },
      (_, i) =>
        publishUntilGone(server, `crash ${crash}, publisher ${i}`, (one) => {
          acknowledged.push(one);
          if (acknowledged.length >= until) enough.resolve();
        }),
    );
    await enough.promise;
    assert.notEqual(await server.stop("SIGKILL"), 0);
    await Promise.all(publishers);
  }
  const ids = acknowledged.map(({ id }) => id);
  assert.ok(ids.length >= CRASHES * BEFORE_CRASH);
  assert.equal(new Set(ids).size, ids.length, "no id was given out twice");

  await using server = await serve({ home });
  const events = await allEvents(server);
  for (const { id, payload } of acknowledged) assert.equal(events.get(id), payload);
  const { event_id } = await server.call("publish_event", { event_type: "t", payload: "after" });
  assert.ok(event_id > Math.max(...events.keys()));
});
