/** A session belongs to the principal that registered it; nobody else acts as it. */
import { deepStrictEqual as equal, match, ok } from "node:assert/strict";
import type { Caller } from "../../src/bus.ts";
import { OPERATIONS } from "../../src/operations/all.ts";
import type { JsonSchema } from "../../src/operations/operation.ts";
import { type TestBus, testBus } from "../helpers/bus.ts";

const as = (principal: string): Partial<Caller> => ({ principal });
const ALICE = as("alice");
const BOB = as("bob");

const idOf = async (bus: TestBus, args: Record<string, unknown>, caller: Partial<Caller>) =>
  (await bus.call("register_session", { name: "n", machine: "m", ...args }, caller)).session_id;

/** Ways to act as a session, by operation. */
const ACTS: Record<string, Record<string, unknown>[]> = {
  publish_event: [{ event_type: "t", payload: "p" }],
  get_events: [
    {},
    { resume: true },
    { resume: true, peek: true },
    { consumer: "ci", resume: true },
    {
      resume: true,
      consumer: "urgent",
    },
    { wait_seconds: 1, resume: true },
  ],
  ack_events: [{ cursor: "1" }, { cursor: "1", consumer: "urgent" }, {
    cursor: "1",
    allow_rewind: true,
  }],
  set_status: [{ status: "mine" }, { state: "idle" }],
  unregister_session: [{}],
};

/** Everybody may look at everybody; that is no sign of life, and moves nothing. */
const LOOKS = new Set(["get_session"]);

/** What differs when the owner does the same. */
const OWNERS: Record<string, Record<string, unknown>> = { ack_events: { cursor: "2" } };

Deno.test("another principal cannot publish, read, ack, describe or end as a session, and nothing of it moves", async () => {
  using bus = testBus();
  const session_id = await idOf(bus, { client_id: "s1" }, ALICE);
  await bus.call("publish_event", { event_type: "t", payload: "p" }, ALICE);
  const facts = () =>
    JSON.stringify(
      ["session", "position", "delivery", "event"].map((table) =>
        bus.store.db.prepare(`SELECT * FROM ${table}`).all()
      ),
    );
  const before = facts();
  bus.pass(1000);
  for (const [operation, ways] of Object.entries(ACTS)) {
    for (const way of ways) {
      for (const other of [BOB, as("token"), as("loopback"), as("server"), as("")]) {
        const refusal = await bus.refusal(operation, { ...way, session_id }, other);
        const where = `${operation} ${JSON.stringify(way)}`;
        equal(refusal.code, "forbidden", where);
        match(refusal.message, /^Cannot act as session "s1": another caller registered it/, where);
        ok(!JSON.stringify([refusal.message, refusal.details]).includes("alice"), where);
      }
    }
  }
  equal(facts(), before);
  equal(bus.store.heartbeats.size, 0, "and it was not heard either");
  // What is refused to the others is not refused to its owner.
  for (const [operation, ways] of Object.entries(ACTS)) {
    const [way = {}] = ways;
    await bus.call(operation, { ...way, session_id, ...OWNERS[operation] }, ALICE);
  }
});

Deno.test("every operation that takes a session_id is known here", () => {
  const taking = OPERATIONS
    .filter(({ inputSchema }) => Object.hasOwn(inputSchema.properties as JsonSchema, "session_id"))
    .map(({ name }) => name);
  const acting = taking.filter((name) => !LOOKS.has(name));
  equal(acting.filter((name) => !Object.hasOwn(ACTS, name)), [], "say above how it acts");
  ok(taking.length >= Object.keys(ACTS).length);
});

Deno.test("an ended session is its owner's, too: others are not even told that it ended", async () => {
  using bus = testBus();
  const session_id = await idOf(bus, { client_id: "s1" }, ALICE);
  await bus.call("unregister_session", { session_id }, ALICE);
  for (const [operation, [way = {}]] of Object.entries(ACTS)) {
    const refusal = await bus.refusal(operation, { ...way, session_id }, BOB);
    equal([refusal.code, refusal.details.session_deleted], ["forbidden", undefined], operation);
  }
  equal((await bus.refusal("get_events", { session_id }, ALICE)).code, "session_ended");
});

Deno.test("register_session revives one's own session alone; the same client of somebody else is another", async () => {
  using bus = testBus();
  equal(await idOf(bus, { client_id: "c" }, ALICE), "c");
  equal(await idOf(bus, { client_id: "c" }, BOB), "c@m", "the same machine, says it");
  equal(await idOf(bus, { client_id: "c" }, ALICE), "c");
  equal(await idOf(bus, { client_id: "c" }, BOB), "c@m");
  equal(await idOf(bus, { client_id: "c" }, as("carol")), "c@m-2");
  await bus.call("unregister_session", { session_id: "c" }, ALICE);
  equal(await idOf(bus, { client_id: "c" }, BOB), "c@m", "also once the other has ended");
  equal(await idOf(bus, { client_id: "c" }, ALICE), "c");
});

Deno.test("unregister_session by client_id finds one's own session alone", async () => {
  using bus = testBus();
  await idOf(bus, { client_id: "c" }, ALICE);
  const who = { client_id: "c", machine: "m" };
  const refusal = await bus.refusal("unregister_session", who, BOB);
  equal([refusal.code, refusal.message], ["not_found", "Session not found"]);
  await idOf(bus, { client_id: "c" }, BOB);
  equal((await bus.call("unregister_session", who, BOB)).session_id, "c@m");
  equal((await bus.call("unregister_session", who, ALICE)).session_id, "c");
});

Deno.test("publish_event: nobody signs with the name that another's session is shown under", async () => {
  using bus = testBus();
  const { display_id } = await bus.call("register_session", { name: "n" }, ALICE);
  const event = { event_type: "t", payload: "p" };
  const refusal = await bus.refusal("publish_event", { ...event, session_id: display_id }, BOB);
  equal(refusal.code, "forbidden");
  await bus.call("publish_event", { ...event, session_id: "no-such-session" }, BOB);
  await bus.call("publish_event", { ...event, session_id: "anonymous" }, BOB);
  const { recipients } = await bus.call(
    "publish_event",
    { ...event, channel: `session:${display_id}` },
    BOB,
  );
  equal(recipients.length, 1, "writing to it is everybody's right");
});

Deno.test("a dedupe_key of an unregistered name answers nobody else what was published with it", async () => {
  using bus = testBus();
  const event = { event_type: "t", session_id: "ci", dedupe_key: "k" };
  await bus.call("publish_event", { ...event, payload: "alice's" }, ALICE);
  const bobs = await bus.call("publish_event", { ...event, payload: "bob's" }, BOB);
  equal([bobs.payload, bobs.duplicate], ["bob's", undefined]);
  const again = await bus.call("publish_event", { ...event, payload: "again" }, ALICE);
  equal([again.payload, again.duplicate], ["alice's", true]);
});

Deno.test("a session from before owners were known is whoever's registers it again", async () => {
  using bus = testBus();
  await idOf(bus, { client_id: "old" }, ALICE);
  bus.store.db.exec("UPDATE session SET principal = NULL");
  const read = { session_id: "old", resume: true };
  await bus.call("get_events", read, BOB);
  await bus.call("get_events", read, ALICE);
  equal(await idOf(bus, { client_id: "old" }, BOB), "old");
  equal((await bus.refusal("get_events", read, ALICE)).code, "forbidden");
  await bus.call("get_events", read, BOB);
});

Deno.test("consumers without a session belong to their principal", async () => {
  using bus = testBus();
  const read = { consumer: "ci", cursor: "", resume: true, order: "asc" };
  await bus.call("get_events", read, ALICE);
  await bus.call("publish_event", { event_type: "t", payload: "p" }, ALICE);
  equal((await bus.call("get_events", { consumer: "ci", resume: true }, BOB)).events.length, 0);
  equal((await bus.call("get_events", { consumer: "ci", resume: true }, ALICE)).events.length, 1);
});
