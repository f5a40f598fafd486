/** Long work goes in steps, and everybody else gets their turn between them. */
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { learnAllWords, learnWords } from "../../src/operations/indexing.ts";
import { indexedThrough } from "../../src/store/search.ts";
import { type TestBus, testBus } from "../helpers/bus.ts";

const DAY = 86_400_000;

/** Events of a year ago, to work on for a while. */
function addOld(bus: TestBus, count: number): void {
  bus.store.db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO event (event_type, payload, channel, session_id, at, signal_level)
    SELECT 'noise', 'some words of event ' || i, 'all', 's', ${bus.clock() - 365 * DAY} + i, 1
    FROM n`,
  );
}

/** How many times somebody over a connection is answered while `work` goes on. */
async function answeredDuring(work: () => Promise<unknown>): Promise<number> {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  let done = false;
  let answered = 0;
  const working = work().finally(() => done = true);
  while (!done) {
    socket.write("x");
    await once(socket, "data");
    answered++;
  }
  await working;
  socket.destroy();
  server.close();
  await once(server, "close");
  return answered;
}

Deno.test("learnAllWords leaves the event loop to others between its steps", async () => {
  using bus = testBus();
  addOld(bus, 20_000);
  const answered = await answeredDuring(() => learnAllWords(bus));
  assert.equal(indexedThrough(bus.store), 20_000);
  assert.ok(answered >= 20, `${answered} answers in 20 steps`);
});

Deno.test("learnWords: several that search at once never make two steps of one transaction", async () => {
  using bus = testBus();
  addOld(bus, 5000);
  const { inBatch } = bus.store;
  let underWay = 0;
  let most = 0;
  const counting: typeof inBatch = (write) => {
    most = Math.max(most, ++underWay);
    return inBatch(write).finally(() => underWay--);
  };
  Object.assign(bus.store, { inBatch: counting });
  await Promise.all([learnWords(bus), learnWords(bus), learnWords(bus)]);
  assert.deepEqual([most, indexedThrough(bus.store)], [1, 5000]);
});

Deno.test("prune, asked what it would do, leaves the event loop to others between its steps", async () => {
  using bus = testBus();
  addOld(bus, 20_000);
  const args = { older_than_seconds: 30 * DAY / 1000, dry_run: true };
  let pruned = 0;
  const answered = await answeredDuring(async () => {
    pruned = (await bus.call("prune", args)).events;
  });
  assert.equal(pruned, 20_000);
  assert.ok(answered >= 10, `${answered} answers in 40 steps`);
});
