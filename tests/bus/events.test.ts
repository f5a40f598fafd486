import { deepStrictEqual as equal, match, ok } from "node:assert";
import { MAX_PAYLOAD_BYTES } from "../../src/event.ts";
import { MAX_PAGE_BYTES } from "../../src/bus/reading.ts";
import { MAX_SCAN } from "../../src/store/events.ts";
import { REMOTE, type TestBus, testBus } from "../helpers/bus.ts";

interface Item {
  id: number;
  event_type: string;
  payload: string;
  channel: string;
}

/** Registers `me` and publishes one event of each type, by nobody, to `all`. */
async function withEvents(bus: TestBus, ...types: string[]): Promise<void> {
  await bus.call("register_session", { name: "me", client_id: "me" });
  for (const event_type of types) await bus.call("publish_event", { event_type, payload: "" });
}

const types = (page: { events: Item[] }) => page.events.map((event) => event.event_type);
const resume = { session_id: "me", resume: true };

Deno.test("publish_event answers the stored event, and reads back the same", async () => {
  using bus = testBus();
  const published = await bus.call("publish_event", {
    event_type: "ci_failed",
    payload: "grün 🚦\n\u001b[31m",
    channel: "repo:r",
    title: "CI",
    tags: ["a", "b"],
    correlation_id: "t1",
  });
  equal(published, {
    event_id: 1,
    event_type: "ci_failed",
    payload: "grün 🚦\n\u001b[31m",
    channel: "repo:r",
    signal_level: "actionable",
    correlation_id: "t1",
  });
  equal((await bus.call("get_events")).events, [{
    id: 1,
    event_id: 1,
    event_type: "ci_failed",
    payload: "grün 🚦\n\u001b[31m",
    session_id: "anonymous",
    timestamp: "2026-01-08T12:00:00.000Z",
    channel: "repo:r",
    correlation_id: "t1",
    signal_level: "actionable",
    title: "CI",
    tags: ["a", "b"],
  }]);
});

Deno.test("publish_event derives the level, unless the publisher names one", async () => {
  using bus = testBus();
  const level = async (args: Record<string, unknown>) =>
    (await bus.call("publish_event", { payload: "", ...args })).signal_level;
  equal(await level({ event_type: "task_started" }), "lifecycle");
  equal(await level({ event_type: "task_started", channel: "session:x" }), "actionable");
  equal(await level({ event_type: "blocker_found" }), "actionable");
  equal(await level({ event_type: "anything" }), "info");
  equal(await level({ event_type: "blocker_found", signal_level: "info" }), "info");
});

Deno.test("publish_event refuses what no reader could use, and stores nothing of it", async () => {
  using bus = testBus();
  const refused = [
    { event_type: "", payload: "" },
    { event_type: "t" },
    { event_type: "t", payload: "x".repeat(MAX_PAYLOAD_BYTES + 1) },
    { event_type: "t", payload: "€".repeat(MAX_PAYLOAD_BYTES / 2) },
    { event_type: "t", payload: "half\0lost" },
    { event_type: "t", payload: "", tags: ["\0"] },
    { event_type: "t", payload: "", channel: "a\nb" },
    { event_type: "t", payload: "", channel: "c".repeat(600) },
    { event_type: "t", payload: "", signal_level: "loud" },
    { event_type: "t", payload: "", surprise: 1 },
  ];
  for (const args of refused) {
    const { code } = await bus.refusal("publish_event", args);
    ok(code === "invalid_argument" || code === "too_large", JSON.stringify(args).slice(0, 80));
  }
  equal((await bus.call("get_events")).next_cursor, null);
  await bus.call("publish_event", { event_type: "t", payload: "x".repeat(MAX_PAYLOAD_BYTES) });
});

Deno.test("publish_event to nobody's channel is stored, and the sender is told", async () => {
  using bus = testBus();
  for (const channel of ["session:", "repo:", "machine:"]) {
    const { warning } = await bus.call("publish_event", { event_type: "t", payload: "", channel });
    match(warning, /names nobody/);
  }
  const { channel } = await bus.call("publish_event", {
    event_type: "t",
    payload: "",
    channel: "",
  });
  equal(channel, "all");
  equal((await bus.call("get_events")).events.length, 4);
});

Deno.test("a direct message is stored under the session's id, whichever name it was sent to", async () => {
  using bus = testBus();
  const { display_id } = await bus.call("register_session", { name: "to", client_id: "id-1" });
  for (const name of ["id-1", display_id]) {
    const sent = await bus.call("publish_event", {
      event_type: "m",
      payload: "",
      channel: `session:${name}`,
    });
    equal(sent.channel, "session:id-1");
    equal(sent.recipients, [{
      session_id: "id-1",
      display_id,
      state: "active",
      reachable_by: [],
    }]);
    equal(sent.warning, undefined);
  }
  const { events } = await bus.call("get_events", { channel: `session:${display_id}` });
  equal(events.length, 2, "reading by either name finds them, too");
});

Deno.test("a direct message to an unknown or ended session is stored, and the sender is told", async () => {
  using bus = testBus();
  const lost = await bus.call("publish_event", {
    event_type: "m",
    payload: "",
    channel: "session:nobody",
  });
  equal(lost.recipients, []);
  match(lost.warning, /No session is called "nobody"/);
  await bus.call("register_session", { name: "gone", client_id: "gone" });
  await bus.call("unregister_session", { session_id: "gone" });
  const late = await bus.call("publish_event", {
    event_type: "m",
    payload: "for later",
    channel: "session:gone",
  });
  equal(late.recipients[0].state, "ended");
  match(late.warning, /ended at 2026-01-08T12:00:00/);
  await bus.call("register_session", { name: "gone", client_id: "gone" });
  const { events } = await bus.call("get_events", { session_id: "gone", resume: true });
  ok(events.some((e: Item) => e.payload === "for later"));
});

Deno.test("a direct message notifies the human: the living target's name and the beginning of the text", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "to", client_id: "to", cwd: "/w/repo" });
  await bus.call("register_session", { name: "from", client_id: "from" });
  const message = { event_type: "m", payload: "ä".repeat(60), channel: "session:to" };
  await bus.call("publish_event", { ...message, session_id: "from" });
  equal(bus.notices, [{
    title: "✉️ to • repo",
    message: `From: from\n${"ä".repeat(50)}...`,
    sound: false,
  }]);
  await bus.call("publish_event", { ...message, payload: "short" });
  equal(bus.notices[1]?.message, "From: anonymous\nshort");
});

Deno.test("nobody is notified of a message to oneself, to the ended, or to a channel that is none", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "a" });
  await bus.call("register_session", { name: "b", client_id: "b" });
  await bus.call("unregister_session", { session_id: "b" });
  const publish = (channel: string) =>
    bus.call("publish_event", { event_type: "m", payload: "x", channel, session_id: "a" });
  for (const channel of ["session:a", "session:b", "session:zzz", "repo:bus", "all"]) {
    await publish(channel);
  }
  equal(bus.notices, []);
});

Deno.test("publish_event by an ended session is stored and flagged", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "a" });
  await bus.call("unregister_session", { session_id: "a" });
  const published = await bus.call("publish_event", {
    event_type: "t",
    payload: "last words",
    session_id: "a",
  });
  equal([published.session_deleted, published.session_id], [true, "a"]);
  equal(published.deleted_at, "2026-01-08T12:00:00.000Z");
  const { events: [event] } = await bus.call("get_events", { limit: 1 });
  equal([event.payload, event.session_id], ["last words", "a"]);
});

Deno.test("get_events shows the latest first, and with asc the oldest first", async () => {
  using bus = testBus();
  await withEvents(bus, "a", "b", "c");
  equal(types(await bus.call("get_events", { limit: 2 })), ["c", "b"]);
  equal(types(await bus.call("get_events", { limit: 2, order: "asc" })), [
    "session_registered",
    "a",
  ]);
  equal(types(await bus.call("get_events", { cursor: "2", order: "asc" })), ["b", "c"]);
  equal(types(await bus.call("get_events", { cursor: "2" })), ["c", "b"]);
  equal(types(await bus.call("get_events", { cursor: 2, limit: "1" })), ["c"]);
});

Deno.test("get_events next_cursor continues without a gap or a repeat in either order", async () => {
  using bus = testBus();
  await withEvents(bus, "a", "b", "c");
  const asc = await bus.call("get_events", { order: "asc", limit: 3 });
  equal([asc.next_cursor, asc.has_more], ["3", true]);
  equal(types(await bus.call("get_events", { order: "asc", cursor: asc.next_cursor })), ["c"]);
  const desc = await bus.call("get_events", { limit: 3 });
  equal([desc.next_cursor, desc.has_more], ["4", true]);
  const rest = await bus.call("get_events", { cursor: desc.next_cursor });
  equal([rest.events, rest.next_cursor, rest.has_more], [[], "4", false]);
});

Deno.test("get_events refuses a cursor that cannot be one, and names the tip", async () => {
  using bus = testBus();
  await withEvents(bus, "a");
  for (const cursor of ["3", "-1", "abc", "1.5", " 1", "9".repeat(30), -5, 1e21]) {
    const { code, details } = await bus.refusal("get_events", { cursor });
    equal([code, details.tip], ["invalid_argument", "2"], String(cursor));
  }
  for (const cursor of ["", "0", null, 0]) {
    equal((await bus.call("get_events", { cursor })).events.length, 2);
  }
});

Deno.test("get_events resume takes the oldest first and buries nothing, whatever order and limit", async () => {
  using bus = testBus();
  await withEvents(bus, "a", "b", "c", "d");
  const first = await bus.call("get_events", { ...resume, order: "desc", limit: 3 });
  equal([types(first), first.next_cursor], [["c", "b", "a"], "4"]);
  equal([first.has_more, first.unread], [true, 1]);
  const second = await bus.call("get_events", { ...resume, limit: 3 });
  equal([types(second), second.has_more, second.unread], [["d"], false, 0]);
  equal((await bus.call("get_events", resume)).events, []);
});

Deno.test("get_events resume leaves out the reader's own events, and counts them as read", async () => {
  using bus = testBus();
  await withEvents(bus, "a");
  await bus.call("publish_event", { event_type: "mine", payload: "", session_id: "me" });
  equal((await bus.call("get_events", { ...resume, peek: true })).unread, 1);
  const page = await bus.call("get_events", resume);
  equal([types(page), page.next_cursor, page.unread], [["a"], "3", 0]);
  equal(types(await bus.call("get_events", { session_id: "me", limit: 1 })), ["mine"]);
});

Deno.test("get_events moves a position only by resume without cursor, peek or narrowing", async () => {
  using bus = testBus();
  await withEvents(bus, "a", "b");
  const pure = [
    { session_id: "me", order: "asc" },
    { session_id: "me", order: "asc", cursor: "0" },
    { ...resume, peek: true },
    { ...resume, cursor: "0" },
    { ...resume, cursor: "3" },
    { ...resume, channel: "all" },
    { ...resume, event_types: ["b"] },
    { ...resume, correlation_id: "x" },
  ];
  for (const args of pure) {
    await bus.call("get_events", args);
    const { unread } = await bus.call("get_events", { ...resume, peek: true });
    equal(unread, 2, JSON.stringify(args));
  }
  equal(types(await bus.call("get_events", { ...resume, cursor: "", event_types: [] })), [
    "b",
    "a",
  ]);
  equal((await bus.call("get_events", { ...resume, peek: true })).unread, 0);
});

Deno.test("get_events hiding filters count what they hid as read", async () => {
  using bus = testBus();
  await withEvents(bus, "task_started", "x", "blocker_found", "noise");
  const page = await bus.call("get_events", {
    ...resume,
    min_level: "info",
    exclude_types: ["noise"],
    order: "asc",
  });
  equal([types(page), page.unread], [["x", "blocker_found"], 0]);
  equal((await bus.call("get_events", resume)).events, []);
});

Deno.test("get_events narrows by channel, types, thread and level, alone and together", async () => {
  using bus = testBus();
  const publish = (event_type: string, channel: string, correlation_id?: string) =>
    bus.call("publish_event", { event_type, payload: "", channel, correlation_id });
  await publish("a", "repo:x");
  await publish("b", "repo:x", "t");
  await publish("b", "repo:xy", "t");
  await publish("ci_failed", "repo:x");
  const ids = async (args: Record<string, unknown>) =>
    (await bus.call("get_events", { order: "asc", ...args })).events.map((e: Item) => e.id);
  equal(await ids({ channel: "repo:x" }), [1, 2, 4], "exactly this channel, not its namesakes");
  equal(await ids({ event_types: ["b"] }), [2, 3]);
  equal(await ids({ event_types: ["a", "ci_failed"] }), [1, 4]);
  equal(await ids({ event_types: [] }), [1, 2, 3, 4]);
  equal(await ids({ correlation_id: "t" }), [2, 3]);
  equal(await ids({ min_level: "actionable" }), [4]);
  equal(await ids({ channel: "repo:x", event_types: ["b"], correlation_id: "t" }), [2]);
  equal(await ids({ channel: "repo:x", event_types: ["a", "b"], exclude_types: ["a"] }), [2]);
});

Deno.test("get_events reads for anybody, but only a living session has a position", async () => {
  using bus = testBus();
  await withEvents(bus, "a");
  equal(types(await bus.call("get_events", { session_id: "stranger", limit: 1 })), ["a"]);
  const unknown = await bus.refusal("get_events", { session_id: "stranger", resume: true });
  equal([unknown.code, unknown.message], ["not_found", "Session not found"]);
  match((await bus.refusal("get_events", { resume: true })).message, /without a session_id/);
  await bus.call("unregister_session", { session_id: "me" });
  for (const args of [resume, { session_id: "me" }, { ...resume, peek: true }]) {
    const ended = await bus.refusal("get_events", args);
    equal([ended.code, ended.details.session_deleted], ["session_ended", true]);
  }
});

Deno.test("get_events hands nothing to a caller that has left", async () => {
  using bus = testBus();
  await withEvents(bus, "a");
  const gone = new AbortController();
  const reading = bus.refusal("get_events", resume, { signal: gone.signal });
  gone.abort();
  equal((await reading).code, "caller_left");
  equal(types(await bus.call("get_events", resume)), ["a"]);
});

Deno.test("get_events limits: 0 shows nothing and moves nothing, more than a page is refused", async () => {
  using bus = testBus();
  await withEvents(bus, "a");
  const none = await bus.call("get_events", { ...resume, limit: 0 });
  equal([none.events, none.has_more, none.unread], [[], true, 1]);
  for (const limit of [-1, 1001, 1.5, "x"]) {
    equal((await bus.refusal("get_events", { limit })).code, "invalid_argument");
  }
});

Deno.test("get_events pages are bounded in bytes and lose nothing to the bound", async () => {
  using bus = testBus();
  await withEvents(bus);
  const payload = "x".repeat(MAX_PAYLOAD_BYTES);
  for (let i = 0; i < 9; i++) await bus.call("publish_event", { event_type: `t${i}`, payload });
  const seen: string[] = [];
  for (let more = true; more;) {
    const page = await bus.call("get_events", { ...resume, order: "asc", limit: 1000 });
    ok(page.events.length * MAX_PAYLOAD_BYTES <= MAX_PAGE_BYTES);
    seen.push(...types(page));
    more = page.has_more;
  }
  equal(seen, Array.from({ length: 9 }, (_, i) => `t${i}`));
});

Deno.test("get_events looks at a bounded number of rows, and still reaches everything", async () => {
  using bus = testBus();
  await withEvents(bus);
  const insert = bus.store.db.prepare(
    `INSERT INTO event (event_type, payload, channel, session_id, at, signal_level)
     VALUES (?, '', ?, 'anonymous', 0, 1)`,
  );
  bus.store.db.exec("BEGIN");
  insert.run("first", "repo:rare");
  for (let i = 0; i < 2 * MAX_SCAN; i++) insert.run("noise", "all");
  insert.run("last", "all");
  bus.store.db.exec("COMMIT");

  const hide = { ...resume, exclude_types: ["noise"], order: "asc" };
  const first = await bus.call("get_events", hide);
  equal([types(first), first.has_more], [["first"], true]);
  ok(Number(first.next_cursor) <= MAX_SCAN + 1);
  const pages = [first];
  while (pages.at(-1)?.has_more) pages.push(await bus.call("get_events", hide));
  equal(pages.flatMap(types), ["first", "last"]);
  ok(pages.length <= 4);
  const rare = await bus.call("get_events", { channel: "repo:rare", limit: 1 });
  equal(types(rare), ["first"], "an index reaches back as far as it takes");
  const typed = await bus.call("get_events", { event_types: ["first"], limit: 1 });
  equal(types(typed), ["first"]);
});

Deno.test("get_events unread is counted to a thousand", async () => {
  using bus = testBus();
  await withEvents(bus, ...Array.from({ length: 1100 }, () => "t"));
  equal((await bus.call("get_events", { ...resume, limit: 10 })).unread, 1000);
  equal((await bus.call("get_events", { ...resume, limit: 1000 })).unread, 90);
});

Deno.test("ack_events moves a position forward, back only when told, and says where it is", async () => {
  using bus = testBus();
  await withEvents(bus, "a", "b", "c");
  const ack = (cursor: unknown, allow_rewind = false) => ({
    session_id: "me",
    cursor,
    allow_rewind,
  });
  equal(await bus.call("ack_events", ack("03")), {
    success: true,
    session_id: "me",
    consumer: "main",
    cursor: "3",
    previous_cursor: "1",
  });
  equal(types(await bus.call("get_events", { ...resume, peek: true })), ["c"]);
  const back = await bus.refusal("ack_events", ack("2"));
  equal([back.code, back.details.cursor], ["conflict", "3"]);
  await bus.call("ack_events", ack(2, true));
  equal((await bus.call("get_events", { ...resume, peek: true })).unread, 2);
  for (const cursor of ["99", "-1", "x", ""]) {
    const refusal = await bus.refusal("ack_events", ack(cursor));
    equal([refusal.code, refusal.details.cursor], ["invalid_argument", "2"], cursor);
  }
  equal((await bus.refusal("ack_events", { session_id: "no", cursor: "1" })).code, "not_found");
  await bus.call("unregister_session", { session_id: "me" });
  equal((await bus.refusal("ack_events", ack("4"))).code, "session_ended");
});

Deno.test("notify asks the desktop and answers honestly", async () => {
  using bus = testBus();
  const shown = await bus.call("notify", { title: "t", message: "m", sound: true }, REMOTE);
  equal(shown, { success: true, title: "t", message: "m" });
  equal(bus.notices, [{ title: "t", message: "m", sound: true }]);
  const mute = {
    ...bus,
    desktop: { show: () => Promise.resolve({ success: false, reason: "no display" }) },
  };
  const { notify } = await import("../../src/operations/notify.ts");
  const call = {
    caller: REMOTE,
    now: 0,
    uuid: bus.uuid,
    random: bus.random,
    afterCommit: () => {},
  };
  equal(await notify.run(mute, { title: "t", message: "", sound: false }, call), {
    success: false,
    title: "t",
    message: "",
    reason: "no display",
  });
});

Deno.test("the bell rings after a publish is durable, and not for a refused one", async () => {
  using bus = testBus();
  const never = new AbortController();
  const rung = bus.bell.wait(bus.bell.rings, never.signal);
  await bus.refusal("publish_event", { event_type: "", payload: "" });
  await bus.call("publish_event", { event_type: "t", payload: "" });
  equal(await rung, true);
});

Deno.test("get_events keeps a tool's page to what a model is shown, and loses nothing to that", async () => {
  using bus = testBus();
  await withEvents(bus);
  const payload = "x".repeat(9000);
  for (let i = 0; i < 9; i++) await bus.call("publish_event", { event_type: `t${i}`, payload });
  await bus.call("publish_event", { event_type: "big", payload: "x".repeat(200_000) });
  const seen: string[] = [];
  for (let more = true; more;) {
    const page = await bus.call("get_events", { ...resume, order: "asc" }, { path: "tool" });
    ok(page.events.length === 1 || JSON.stringify(page).length < 45_000);
    seen.push(...types(page));
    more = page.has_more;
  }
  equal(seen, [...Array.from({ length: 9 }, (_, i) => `t${i}`), "big"]);
});

Deno.test("publish_event to an empty channel says where it went", async () => {
  using bus = testBus();
  const { channel, warning } = await bus.call("publish_event", {
    event_type: "t",
    payload: "",
    channel: "",
  });
  equal([channel, warning], ["all", "The channel was empty: published to all"]);
});
