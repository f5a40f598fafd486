import assert from "node:assert/strict";
import fc from "fast-check";
import { ABSENT, type NewEvent, SIGNAL_LEVELS } from "../src/event.ts";
import { addressedTo, type EventFilter, matches, urgencyOf } from "../src/filter.ts";
import { countEvents, findEvent, insertEvent, readEvents } from "../src/store/events.ts";
import { openStore, type Store } from "../src/store/open.ts";
import { TORTURE } from "./helpers/torture.ts";

/** Few enough to meet each other, odd enough to be mistaken: patterns, cases, parts of one another. */
const CHANNELS = ["all", "repo:a", "repo:ab", "repo:A", "repo:%", "repo:_", "repo:*", "repo:🦦x"]
  .concat("session:me", "session:me2", "ä", 'q"\\', "a\u0301", "á", "repo:");
const TYPES = ["note", "Note", "ci_failed", "ci_%", "null", " ", "[]", "üb"];
const SENDERS = ["me", "ME", "you", "anonymous"];
const THREADS = ["t", "T", "t ", "event:1"];

const channel = fc.constantFrom(...CHANNELS);
const type = fc.constantFrom(...TYPES);
const level = fc.constantFrom(...SIGNAL_LEVELS);

const event: fc.Arbitrary<NewEvent> = fc.record({
  event_type: type,
  payload: fc.constant(""),
  channel,
  session_id: fc.constantFrom(...SENDERS),
  at: fc.constant(0),
  signal_level: level,
  correlation_id: fc.option(fc.constantFrom(...THREADS)),
  title: fc.constant(null),
  tags: fc.constant([]),
  principal: fc.constant(null),
  reply_to: fc.constant(null),
  dedupe_key: fc.constant(null),
  quiet: fc.boolean(),
});

const prefix = fc.oneof(
  fc.tuple(channel, fc.nat(8)).map(([name, length]) => [...name].slice(0, length).join("")),
  fc.constantFrom("%", "_", "*", "repo", "REPO", "zzz"),
);

const channels = fc.array(channel, { maxLength: 4 });
const urgency = fc.record({ direct: channel, channels, wake_on: channels }, {
  requiredKeys: ["direct", "channels"],
});

const fields = {
  channel,
  channels,
  channel_prefix: prefix,
  event_types: fc.array(type, { maxLength: 3 }),
  correlation_id: fc.constantFrom(...THREADS),
  min_level: level,
  exclude_types: fc.array(type, { maxLength: 3 }),
  not_from: fc.constantFrom(...SENDERS),
  urgent: urgency,
  not_to_others: channel,
};

const plain = fc.record(fields, { requiredKeys: [] });
const filter: fc.Arbitrary<EventFilter> = fc.record({
  ...fields,
  shown: fc.record({ from: fc.nat(20), through: fc.nat(40), filter: plain }),
}, { requiredKeys: [] });

/** Every field alone is met often enough; all together match little. */
const anyFilter = fc.oneof(
  filter,
  fc.tuple(filter, fc.subarray([...Object.keys(fields), "shown"], { maxLength: 2 }))
    .map(([whole, keys]) =>
      Object.fromEntries(Object.entries(whole).filter(([key]) => keys.includes(key)))
    ),
);

const idsOf = (events: readonly { id: number }[]) => events.map(({ id }) => id);
const ALL = { limit: 1000, maxBytes: Infinity };

function filled(store: Store, events: readonly NewEvent[]) {
  store.db.exec("DELETE FROM event; DELETE FROM sqlite_sequence");
  return events.map((one) => {
    const id = insertEvent(store, one);
    return findEvent(store, id) ?? assert.fail(`event ${id} is not there`);
  });
}

Deno.test("matches() and the SQL of readEvents() select the same events for any filter", () => {
  const store = openStore(":memory:");
  const met = new Map<string, number>();
  try {
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 20, maxLength: 40 }),
        fc.array(anyFilter, { minLength: 5, maxLength: 10 }),
        fc.nat(40),
        (events, filters, cursor) => {
          const log = filled(store, events);
          const after = Math.min(cursor, log.length);
          for (const filter of filters) {
            const expected = idsOf(log.filter((e) => e.id > after && matches(e, filter)));
            const told = JSON.stringify(filter);
            assert.deepEqual(idsOf(readEvents(store, after, filter, ALL).events), expected, told);
            const newest = readEvents(store, after, filter, { ...ALL, newest: true });
            assert.deepEqual(idsOf(newest.events), expected.toReversed(), told);
            assert.equal(countEvents(store, after, filter, 1000), expected.length, told);
            // As the record keeps it.
            const kept = JSON.parse(told) as EventFilter;
            assert.deepEqual(idsOf(log.filter((e) => e.id > after && matches(e, kept))), expected);
            if (expected.length === 0 || expected.length === log.length - after) continue;
            for (const field of Object.keys(filter)) met.set(field, (met.get(field) ?? 0) + 1);
          }
        },
      ),
      { numRuns: TORTURE ? 5000 : 300 },
    );
  } finally {
    store.close();
  }
  for (const field of [...Object.keys(fields), "shown"]) {
    assert.ok((met.get(field) ?? 0) > 10, `${field} told events apart`);
  }
});

Deno.test("urgencyOf() is direct messages, and the channels a session hears where it works now", () => {
  const session = { id: "me", repo: "bus", machine: "home", wake_on: [] };
  assert.deepEqual(urgencyOf(session), {
    direct: "session:me",
    channels: ["all", "repo:bus", "machine:home"],
  });
  const woken = { ...session, wake_on: ["releases"] };
  assert.deepEqual(urgencyOf(woken).wake_on, ["releases"]);
  assert.deepEqual(addressedTo(woken), {
    direct: "session:me",
    channels: [],
    wake_on: ["releases"],
  });
});

Deno.test("matches() of urgent: direct messages of any level, actionable ones on its channels", () => {
  const urgent = urgencyOf({ id: "me", repo: "bus", machine: "home", wake_on: ["releases"] });
  const store = openStore(":memory:");
  const cases: [channel: string, level: NewEvent["signal_level"], passes: boolean][] = [
    ["session:me", "lifecycle", true],
    ["session:me", "actionable", true],
    ["session:you", "actionable", false],
    ["repo:bus", "actionable", true],
    ["repo:bus", "info", false],
    ["machine:home", "actionable", true],
    ["repo:other", "actionable", false],
    ["all", "actionable", true],
    ["all", "lifecycle", false],
    ["releases", "lifecycle", false],
    ["releases", "info", true],
  ];
  for (const [channel, signal_level, passes] of cases) {
    const [event] = filled(store, [{
      event_type: "t",
      payload: "",
      channel,
      session_id: "you",
      at: 0,
      signal_level,
      ...ABSENT,
    }]);
    assert.equal(event && matches(event, { urgent }), passes, `${channel} ${signal_level}`);
  }
  store.close();
});
