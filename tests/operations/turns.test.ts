/** Long work goes in steps, and everybody else gets their turn between them. */
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { learnAllWords, learnWords } from "../../src/operations/indexing.ts";
import { join } from "node:path";
import { bestMatches, findWords, indexedThrough, MANY_EVENTS } from "../../src/store/search.ts";
import { type TestBus, testBus } from "../helpers/bus.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { createOriginal, fillOriginal } from "../helpers/original_database.ts";

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

/** A bus in a file whose log is large enough that a thread searches it; its words are known. */
async function largeBus(home: Home): Promise<TestBus> {
  const bus = testBus(join(home.path, "data.db"));
  addOld(bus, MANY_EVENTS);
  await learnAllWords(bus);
  return bus;
}

Deno.test("search_events holds nobody up while it goes through a large log", async () => {
  using home = tempHome();
  using bus = await largeBus(home);
  const order: string[] = [];
  const searching = bus.call("search_events", { query: "words 777*" })
    .then((answer) => (order.push("search"), answer));
  const publishing = bus.call("publish_event", { event_type: "t", payload: "words 777" })
    .then(() => order.push("publish"));
  const { events, has_more, not_searched } = await searching;
  await publishing;
  assert.deepEqual(order, ["publish", "search"]);
  assert.deepEqual([events.length, events[0].payload, has_more, not_searched], [
    11,
    "some words of event 7779",
    false,
    undefined,
  ]);
});

Deno.test("findWords finds in a thread what it would find at once; several searches take turns", async () => {
  using home = tempHome();
  using bus = await largeBus(home);
  const sought = (match: string) => ({ match, filter: { channel: "all" }, since: 1, limit: 50 });
  const matches = ['"words" AND "7"*', '"event 12"', '"nowhere"'].map(sought);
  const found = await Promise.all(matches.map((one) => findWords(bus.store, one)));
  assert.deepEqual(found, matches.map((one) => bestMatches(bus.store.sql, one)));
  assert.deepEqual(found.map(({ ids }) => ids.length), [50, 1, 0]);
});

Deno.test("search_events learns the words anew when a large log's index is damaged, and only then", async () => {
  using home = tempHome();
  using bus = await largeBus(home);
  const path = bus.store.path;
  Object.assign(bus.store, { path: join(home.path, "none.db") });
  const { code, message } = await bus.refusal("search_events", { query: "words" });
  assert.deepEqual([code, indexedThrough(bus.store)], ["unavailable", MANY_EVENTS], message);
  assert.match(message, /^Cannot search the database: /);
  Object.assign(bus.store, { path });
  (bus.store.db as unknown as { enableDefensive(on: boolean): void }).enableDefensive(false);
  bus.store.db.exec("UPDATE event_words_data SET block = x'00' WHERE id > 10");
  await bus.call("search_events", { query: "words" });
  await learnAllWords(bus);
  assert.equal((await bus.call("search_events", { query: '"event 12"' })).events.length, 1);
});

Deno.test("import_database holds nobody up while another database is copied and converted", async () => {
  using home = tempHome();
  const path = join(home.path, "old.db");
  const db = createOriginal(path, 5);
  fillOriginal(db, 5);
  db.close();
  using bus = testBus();
  const order: string[] = [];
  const importing = bus.call("import_database", { path }).then(() => order.push("import"));
  await bus.call("publish_event", { event_type: "t", payload: "" });
  assert.deepEqual(order, []);
  const before = bus.store.sql("SELECT count(*) AS n FROM event").get() as { n: number };
  assert.equal(before.n, 1, "nothing of it is here yet");
  await importing;
});
