/** The record: what a move of a position writes down, in detail. `reading.test.ts` has the sums. */
import { deepStrictEqual as equal, match } from "node:assert";
import { MAX_PEEKS } from "../../src/bus/positions.ts";
import { PATHS } from "../../src/delivery.ts";
import { START, type TestBus, testBus } from "../helpers/bus.ts";

interface Row {
  consumer: string;
  from: number;
  through: number;
  filter: unknown;
  path: string;
  count: number;
}

function record(bus: TestBus): Row[] {
  return bus.store.db.prepare("SELECT * FROM delivery ORDER BY id").all().map((row) => ({
    consumer: `${row.session_id || row.principal}/${row.consumer}`,
    from: row.from_id as number,
    through: row.through_id as number,
    filter: JSON.parse(row.filter as string),
    path: row.path as string,
    count: row.count as number,
  }));
}

/** `me` at 1, then one event of each type, from 2 on. */
async function withEvents(bus: TestBus, ...types: string[]): Promise<void> {
  await bus.call("register_session", { name: "me", client_id: "me" });
  for (const event_type of types) await bus.call("publish_event", { event_type, payload: "" });
}

const mine = { session_id: "me", resume: true };
const main = { consumer: "me/main", path: "http" };
const own = { not_from: "me" };

Deno.test("the record has a row for each move: from where, to where, past what, by which path, how many", async () => {
  using bus = testBus();
  await withEvents(bus, "a", "b", "a", "c");
  await bus.call("get_events", { ...mine, limit: 1 }, { path: "prompt hook" });
  bus.pass(5);
  await bus.call("get_events", { ...mine, exclude_types: ["a"], min_level: "info" });
  equal(record(bus), [
    { ...main, path: "prompt hook", from: 1, through: 2, filter: own, count: 1 },
    {
      ...main,
      from: 2,
      through: 5,
      filter: { exclude_types: ["a"], min_level: "info", ...own },
      count: 2,
    },
  ]);
  const times = bus.store.db.prepare("SELECT at FROM delivery ORDER BY id").all();
  equal(times.map(({ at }) => at), [START, START + 5]);
});

Deno.test("the record has no row for a read that moved nothing", async () => {
  using bus = testBus();
  await withEvents(bus, "a");
  const reads = [
    { session_id: "me" },
    { ...mine, peek: true },
    { ...mine, cursor: "0" },
    { ...mine, channel: "all" },
    { ...mine, limit: 0 },
    { ...mine, consumer: "urgent", peek: true },
    { resume: true, consumer: "ci" },
  ];
  for (const args of reads) await bus.call("get_events", args);
  equal(record(bus), []);
  await bus.call("get_events", mine);
  await bus.call("get_events", mine);
  equal(record(bus).length, 1, "the second found the log as it was");
});

Deno.test("a read that found only what it leaves out moves, with a count of 0", async () => {
  using bus = testBus();
  await withEvents(bus, "a", "a");
  const page = await bus.call("get_events", { ...mine, exclude_types: ["a"] });
  equal(page.events, []);
  const filter = { exclude_types: ["a"], ...own };
  equal(record(bus), [{ ...main, from: 1, through: 3, filter, count: 0 }]);
});

Deno.test("every way out of the log has its name in the record", async () => {
  using bus = testBus();
  await withEvents(bus);
  for (const path of PATHS) {
    await bus.call("publish_event", { event_type: "t", payload: "" });
    await bus.call("get_events", mine, { path });
  }
  equal(record(bus).map(({ path }) => path), [...PATHS]);
});

Deno.test("ack_events after a peek takes what the peek left out, and counts what it showed", async () => {
  using bus = testBus();
  await withEvents(bus, "a", "b", "a", "c", "b");
  const peek = { ...mine, peek: true, exclude_types: ["b"] };
  const filter = { exclude_types: ["b"], ...own };
  const { next_cursor } = await bus.call("get_events", { ...peek, limit: 2 });
  equal(next_cursor, "4");
  await bus.call("ack_events", { session_id: "me", cursor: "3" }, { path: "cli" });
  await bus.call("ack_events", { session_id: "me", cursor: "4" }, { path: "stop hook" });
  equal(record(bus), [
    { ...main, path: "cli", from: 1, through: 3, filter, count: 1 },
    { ...main, path: "stop hook", from: 3, through: 4, filter, count: 1 },
  ]);
  equal(bus.peeks.size, 0, "what is acknowledged is forgotten");
});

Deno.test("ack_events after a peek that showed nothing says so", async () => {
  using bus = testBus();
  await withEvents(bus, "b", "b");
  const peek = { ...mine, peek: true, exclude_types: ["b"] };
  const { events, next_cursor } = await bus.call("get_events", peek);
  equal([events, next_cursor], [[], "3"]);
  await bus.call("ack_events", { session_id: "me", cursor: next_cursor });
  const filter = { exclude_types: ["b"], ...own };
  equal(record(bus), [{ ...main, from: 1, through: 3, filter, count: 0 }]);
});

Deno.test("ack_events after a peek counts nothing twice that was read meanwhile", async () => {
  using bus = testBus();
  await withEvents(bus, "a", "a", "a");
  const { next_cursor } = await bus.call("get_events", { ...mine, peek: true });
  await bus.call("get_events", { ...mine, limit: 2 });
  await bus.call("ack_events", { session_id: "me", cursor: next_cursor });
  equal(record(bus).map(({ from, through, count }) => [from, through, count]), [
    [1, 3, 2],
    [3, 4, 1],
  ]);
});

Deno.test("ack_events without a peek says that all was dealt with; on urgent, all that is urgent", async () => {
  using bus = testBus();
  await withEvents(bus, "note", "ci_failed", "note");
  await bus.call("ack_events", { session_id: "me", consumer: "urgent", cursor: "4" });
  await bus.call("ack_events", { session_id: "me", cursor: "3" });
  const urgent = {
    direct: "session:me",
    channels: ["all", "repo:bus", "machine:home"],
  };
  equal(record(bus), [
    {
      consumer: "me/urgent",
      path: "http",
      from: 1,
      through: 4,
      filter: { ...own, urgent },
      count: 1,
    },
    { ...main, from: 1, through: 3, filter: {}, count: 2 },
  ]);
});

Deno.test("a rewind is on record, and hands nothing over", async () => {
  using bus = testBus();
  await withEvents(bus, "a", "a", "a");
  await bus.call("get_events", { ...mine, peek: true, limit: 1 });
  await bus.call("get_events", mine);
  await bus.call("ack_events", { session_id: "me", cursor: "2", allow_rewind: true });
  await bus.call("get_events", mine);
  equal(record(bus).map(({ from, through, count }) => [from, through, count]), [
    [1, 4, 3],
    [4, 2, 0],
    [2, 4, 2],
  ]);
});

Deno.test("urgent cannot be moved behind main, which has passed what lies there", async () => {
  using bus = testBus();
  await withEvents(bus, "ci_failed", "ci_failed");
  await bus.call("get_events", mine);
  const back = { session_id: "me", consumer: "urgent", cursor: "2", allow_rewind: true };
  const { code, message, details } = await bus.refusal("ack_events", back);
  equal([code, details.cursor], ["conflict", "3"]);
  match(message, /main has read through 3/);
  await bus.call("ack_events", { session_id: "me", cursor: "1", allow_rewind: true });
  const page = await bus.call("get_events", { ...mine, consumer: "urgent", order: "asc" });
  equal(page.events.length, 2, "with main back, urgent shows again");
});

Deno.test("main shows what urgent hid, or could not hear because the session worked elsewhere", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me", cwd: "/w/here" });
  const publish = (event_type: string, channel: string) =>
    bus.call("publish_event", { event_type, payload: "", channel });
  await publish("ci_failed", "repo:here");
  await publish("help_needed", "repo:here");
  await publish("help_needed", "repo:there");
  const urgent = { ...mine, consumer: "urgent", exclude_types: ["ci_failed"], order: "asc" };
  const ids = async (args: Record<string, unknown>) =>
    (await bus.call("get_events", args)).events.map(({ id }: { id: number }) => id);
  equal(await ids(urgent), [3]);
  await bus.call("register_session", { name: "me", client_id: "me", cwd: "/w/there" });
  equal(await ids({ ...mine, order: "asc" }), [2, 4]);
});

Deno.test("main, moved back, shows again also what urgent had shown", async () => {
  using bus = testBus();
  await withEvents(bus, "help_needed", "a");
  await bus.call("get_events", { ...mine, consumer: "urgent" });
  await bus.call("get_events", mine);
  await bus.call("ack_events", { session_id: "me", cursor: "1", allow_rewind: true });
  const { events } = await bus.call("get_events", { ...mine, order: "asc" });
  equal(events.map(({ id }: { id: number }) => id), [2, 3]);
});

Deno.test("main shows what urgent may have hidden, when a restart forgot what it had shown", async () => {
  using bus = testBus();
  await withEvents(bus, "ci_failed", "help_needed");
  const urgent = { session_id: "me", consumer: "urgent" };
  const page = { ...urgent, resume: true, peek: true, exclude_types: ["ci_failed"] };
  equal((await bus.call("get_events", page)).events.length, 1);
  bus.peeks.clear();
  await bus.call("ack_events", { ...urgent, cursor: "3" });
  const { events } = await bus.call("get_events", { ...mine, order: "asc" });
  equal(events.map(({ id }: { id: number }) => id), [2, 3]);
});

Deno.test("consumers of the same name are one per session and one per principal", async () => {
  using bus = testBus();
  await withEvents(bus);
  const ci = { resume: true, consumer: "ci" };
  await bus.call("get_events", ci);
  await bus.call("get_events", ci, { principal: "token" });
  await bus.call("publish_event", { event_type: "t", payload: "" });
  await bus.call("get_events", ci);
  await bus.call("get_events", { ...mine, consumer: "ci" });
  equal(record(bus).map(({ consumer, from, through }) => [consumer, from, through]), [
    ["loopback/ci", 1, 2],
    ["me/ci", 1, 2],
  ]);
  equal((await bus.call("get_events", ci, { principal: "token" })).events.length, 1);
});

Deno.test("a consumer of no session begins at its first call, also when that only looks", async () => {
  using bus = testBus();
  await withEvents(bus, "before");
  const peek = { resume: true, consumer: "ci", peek: true };
  equal((await bus.call("get_events", peek)).events, []);
  await bus.call("publish_event", { event_type: "after", payload: "" });
  const page = await bus.call("get_events", peek);
  equal([page.events.length, page.unread], [1, 1]);
  await bus.call("ack_events", { consumer: "ci", cursor: page.next_cursor });
  equal(record(bus).map(({ from, through, count }) => [from, through, count]), [[2, 3, 1]]);

  const from = await bus.call("get_events", { resume: true, consumer: "all", cursor: "0" });
  equal([from.events.length, from.next_cursor, from.unread], [3, "3", 0]);
  for (const consumer of ["main", "urgent"]) {
    const { message } = await bus.refusal("get_events", { resume: true, consumer });
    match(message, /without a session_id/);
  }
});

Deno.test("pages that nobody acknowledges are forgotten before they fill the memory", async () => {
  using bus = testBus();
  await withEvents(bus, "a");
  const filter = {};
  for (let i = 0; i < MAX_PEEKS; i++) bus.peeks.set(`old ${i}`, { through: 1, filter });
  await bus.call("get_events", { ...mine, peek: true });
  equal([bus.peeks.size, bus.peeks.has("old 0"), bus.peeks.has("old 1")], [MAX_PEEKS, false, true]);
});
