/** Searching: what is found, in which order, and that no text is a mistake in a language. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { matchOf, MAX_QUERY_LENGTH } from "../../src/bus/searching.ts";
import { BusError } from "../../src/errors.ts";
import { indexedThrough, MAX_MATCHES } from "../../src/store/search.ts";
import { type TestBus, testBus } from "../helpers/bus.ts";

/** Publishes and answers the ids. */
async function published(bus: TestBus, ...events: Record<string, unknown>[]): Promise<number[]> {
  const ids: number[] = [];
  for (const event of events) {
    const args = { event_type: "note", payload: "", ...event };
    ids.push((await bus.call("publish_event", args)).event_id);
  }
  return ids;
}

async function found(bus: TestBus, query: string, more: Record<string, unknown> = {}) {
  const { events } = await bus.call("search_events", { query, ...more });
  return events.map(({ id }: { id: number }) => id) as number[];
}

Deno.test("search_events finds what has all the words, in any form and any case", async () => {
  using bus = testBus();
  const [failing, other] = await published(
    bus,
    { payload: "The Parser tests are FAILING again" },
    { payload: "tests of the lexer pass" },
  );
  assert.deepEqual(await found(bus, "parser"), [failing]);
  assert.deepEqual(await found(bus, "fails test"), [failing], "failing and fails are one word");
  assert.deepEqual((await found(bus, "test")).sort(), [failing, other]);
  assert.deepEqual(await found(bus, "parser lexer"), [], "all of them, not any");
  assert.deepEqual(await found(bus, "éxtra"), []);
});

Deno.test("search_events takes words in quotes as a phrase, and a star as a beginning", async () => {
  using bus = testBus();
  const [exact, apart] = await published(
    bus,
    { payload: "request timed out at src/store/open.ts" },
    { payload: "we ran out of timed requests" },
  );
  assert.deepEqual(await found(bus, '"timed out"'), [exact]);
  assert.deepEqual((await found(bus, "timed out")).sort(), [exact, apart]);
  assert.deepEqual(await found(bus, '"timed out'), [exact], "a quote left open ends with the text");
  assert.deepEqual(await found(bus, "reques*"), await found(bus, "request"));
  assert.deepEqual(await found(bus, '"src/store/op"*'), [exact]);
  assert.deepEqual(
    await found(bus, "src/store/open.ts"),
    [exact],
    "what is one word here stays together",
  );
  assert.deepEqual(await found(bus, "store/src"), []);
});

Deno.test("search_events looks at titles, types and tags, and ranks them before payloads", async () => {
  using bus = testBus();
  const [inPayload, inTags, inTitle, inType] = await published(
    bus,
    { payload: "one rollback among several other words of a longer message" },
    { payload: "a", tags: ["rollback"] },
    { payload: "b", title: "Rollback done" },
    { payload: "c", event_type: "rollback" },
  );
  const ids = await found(bus, "rollback");
  assert.deepEqual([...ids].sort(), [inPayload, inTags, inTitle, inType]);
  assert.equal(ids[0], inTitle, "the title first");
  assert.equal(ids.at(-1), inPayload, "the payload last");
});

Deno.test("search_events ranks the denser match first, and of equals the newest", async () => {
  using bus = testBus();
  const [long, short, again] = await published(
    bus,
    { payload: `deploy ${"other words of this message ".repeat(20)}` },
    { payload: "deploy now" },
    { payload: "deploy now" },
  );
  assert.deepEqual(await found(bus, "deploy"), [again, short, long]);
  const { events, has_more } = await bus.call("search_events", { query: "deploy", limit: 1 });
  assert.deepEqual([events[0].id, has_more], [again, true]);
});

Deno.test("search_events narrows by channel, types, sender, level and time", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me" });
  const [plain] = await published(bus, { payload: "alpha 1" });
  const [there] = await published(bus, { payload: "alpha 2", channel: "repo:x" });
  const [mine] = await published(bus, { payload: "alpha 3", session_id: "me", event_type: "done" });
  const [help] = await published(bus, { payload: "alpha 4", event_type: "help_needed" });
  bus.pass(60_000);
  const now = new Date(bus.clock()).toISOString();
  const [late] = await published(bus, { payload: "alpha 5", channel: "session:me" });
  const by = async (more: Record<string, unknown>) => (await found(bus, "alpha", more)).sort();
  assert.deepEqual(await by({}), [plain, there, mine, help, late]);
  assert.deepEqual(await by({ channel: "repo:x" }), [there]);
  assert.deepEqual(await by({ event_types: ["done", "help_needed"] }), [mine, help]);
  assert.deepEqual(await by({ event_types: ["done"] }), [mine]);
  assert.deepEqual(await by({ sender: "me" }), [mine]);
  assert.deepEqual(await by({ min_level: "actionable" }), [help, late]);
  assert.deepEqual(await by({ since: now }), [late]);
  assert.deepEqual(await by({ since: now, channel: "repo:x" }), []);
  const wrong = await bus.refusal("search_events", { query: "alpha", since: "yesterday" });
  assert.match(wrong.message, /since.*2026-01-08T12:00:00Z/);
});

Deno.test("search_events marks nothing, and learns words only when somebody searches", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "me", client_id: "me" });
  const [first] = await published(bus, { payload: "needle" });
  assert.equal(indexedThrough(bus.store), 0, "a publish does not pay for it");
  assert.deepEqual(await found(bus, "needle"), [first]);
  assert.equal(indexedThrough(bus.store), first);
  const [second] = await published(bus, { payload: "needle" });
  assert.deepEqual(await found(bus, "needle"), [second, first]);
  const { unread } = await bus.call("get_events", { session_id: "me", resume: true, peek: true });
  assert.equal(unread, 2);
  assert.deepEqual(await bus.call("get_delivery", { event_id: first }).then((d) => d.others), []);
});

Deno.test("search_events says how much of the log it could not look at", async () => {
  using bus = testBus();
  const [known] = await published(bus, { payload: "needle" });
  await found(bus, "needle");
  await published(bus, { payload: "needle" }, { payload: "needle" });
  const { inBatch } = bus.store;
  Object.assign(bus.store, { inBatch: () => Promise.reject(new BusError("unavailable", "full")) });
  const { events, not_searched } = await bus.call("search_events", { query: "needle" });
  assert.deepEqual([events.map(({ id }: { id: number }) => id), not_searched], [[known], 2]);
  Object.assign(bus.store, { inBatch });
  const later = await bus.call("search_events", { query: "needle" });
  assert.deepEqual([later.events.length, later.not_searched], [3, undefined]);
});

Deno.test("search_events learns the words anew when their index is damaged", async () => {
  using bus = testBus();
  const [first] = await published(bus, { payload: "needle in a haystack" });
  assert.deepEqual(await found(bus, "needle"), [first]);
  (bus.store.db as unknown as { enableDefensive(on: boolean): void }).enableDefensive(false);
  bus.store.db.exec("UPDATE event_words_data SET block = x'00' WHERE id > 10");
  const [second] = await published(bus, { payload: "a needle" });
  assert.deepEqual((await found(bus, "needle")).sort(), [first, second]);
  assert.deepEqual(await found(bus, "haystack"), [first]);
});

Deno.test("search_events looks at a bounded number of matches, and says that there may be more", async () => {
  using bus = testBus();
  bus.store.db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= ${MAX_MATCHES})
    INSERT INTO event (event_type, payload, channel, session_id, at, signal_level)
    SELECT 'noise', 'common', iif(i = 1, 'repo:x', 'all'), 's', i, 1 FROM n`,
  );
  const narrow = { query: "common", channel: "repo:x" };
  const { events, has_more } = await bus.call("search_events", narrow);
  assert.deepEqual([events, has_more], [[], true]);
  await bus.call("publish_event", { event_type: "note", payload: "rare", channel: "repo:x" });
  assert.equal((await bus.call("search_events", { query: "rare" })).has_more, false);
});

Deno.test("matchOf: every text becomes quoted words, or is refused by name", () => {
  const cases: [query: string, match: string][] = [
    ["a b", '"a" AND "b"'],
    ["a AND b OR NOT c", '"a" AND "AND" AND "b" AND "OR" AND "NOT" AND "c"'],
    ["title:x", '"title:x"'],
    ["x^2 -y", '"x^2" AND "-y"'],
    ["NEAR(a b, 2)", '"NEAR(a" AND "b," AND "2)"'],
    ['say "one two" three', '"say" AND "one two" AND "three"'],
    ['"beg in"* star*', '"beg in"* AND "star"*'],
    ['a"b', '"a" AND "b"'],
    ["* ( ) word", '"word"'],
    ["日本*語", '"日本*語"'],
  ];
  for (const [query, match] of cases) assert.equal(matchOf(query), match, query);
  for (const nothing of ["", " ", '""', "* ( ) - ^", "…"]) {
    assert.throws(() => matchOf(nothing), /Cannot search for nothing/);
  }
  assert.throws(() => matchOf("ab*"), /fewer than 3 characters/);
  assert.throws(() => matchOf("w ".repeat(9)), /Cannot search for 9 words: the limit is 8/);
});

Deno.test("no text of whatever kind makes search_events fail", async () => {
  using bus = testBus();
  await published(bus, { payload: "some words to be found, 日本語 and ünïcödé", title: "t" });
  const shard = fc.constantFrom(
    ...[
      '"',
      "'",
      "*",
      "(",
      ")",
      "AND",
      "OR",
      "NOT",
      "NEAR(",
      "^",
      ":",
      "-",
      "{",
      "}",
      "+",
      ",",
      " ",
    ],
    ...[
      "\\",
      ";",
      "--",
      "/*",
      "payload",
      "event_words",
      "rank",
      "some",
      "wor*",
      "語",
      "\u0300",
      "ß",
    ],
    ...["\ud83d", "\u202e", "\u200b", "%", "_", "\n", "\t", "0", "١", "𝟙", "²", "\u00ad", "ﬁ"],
  );
  const text = fc.oneof(
    fc.string({ maxLength: 60, unit: "binary" }),
    fc.array(shard, { maxLength: 30 }).map((shards) => shards.join("")),
    fc.array(shard, { maxLength: 30 }).map((shards) => shards.join(" ")),
  );
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(text, async (query) => {
      try {
        await bus.call("search_events", { query: query.slice(0, MAX_QUERY_LENGTH) });
        answered++;
      } catch (refusal) {
        assert.ok(refusal instanceof BusError);
        assert.equal(refusal.code, "invalid_argument", refusal.message);
      }
    }),
    { numRuns: 1500 },
  );
  assert.ok(answered > 300, `${answered}`);
  assert.equal(
    (await bus.refusal("search_events", { query: "x".repeat(MAX_QUERY_LENGTH + 1) })).code,
    "invalid_argument",
  );
});
