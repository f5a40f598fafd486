/** Resumed reads against a plain model of the rules: an array, and an index into it. */
import { deepStrictEqual as equal } from "node:assert";
import fc from "fast-check";
import { deriveSignalLevel, levelRank, SIGNAL_LEVELS } from "../../src/event.ts";
import { testBus } from "../helpers/bus.ts";

const TYPES = ["task_started", "note", "ci_failed", "noise"];

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      event_type: fc.constantFrom(...TYPES),
      sender: fc.constantFrom("r0", "r1", "anonymous"),
      channel: fc.constantFrom("all", "repo:x", "session:r0"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      reader: fc.constantFrom("r0", "r1"),
      limit: fc.integer({ min: 0, max: 5 }),
      order: fc.constantFrom("asc", "desc"),
      min_level: fc.option(fc.constantFrom(...SIGNAL_LEVELS), { nil: undefined }),
      exclude: fc.subarray(TYPES, { maxLength: 2 }),
      mode: fc.constantFrom("consume", "consume", "consume", "peek", "peek and ack", "leave"),
    }),
  },
);

Deno.test("resume shows every event to every reader exactly once, in order, past any filter", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      using bus = testBus();
      const log: { id: number; event_type: string; session_id: string; level: number }[] = [];
      const positions = new Map<string, number>();
      for (const reader of ["r0", "r1"]) {
        const { cursor } = await bus.call("register_session", { name: reader, client_id: reader });
        const id = Number(cursor);
        log.push({ id, event_type: "session_registered", session_id: reader, level: 0 });
        positions.set(reader, id);
      }
      for (const action of steps) {
        if (action.kind === "publish") {
          const { event_type, sender: session_id, channel } = action;
          const { event_id } = await bus.call("publish_event", {
            event_type,
            payload: "",
            session_id,
            channel,
          });
          const level = levelRank(deriveSignalLevel(event_type, channel));
          log.push({ id: event_id, event_type, session_id, level });
          continue;
        }
        const { reader, limit, order, min_level, exclude, mode } = action;
        const position = positions.get(reader) ?? 0;
        const visible = log.filter((event) =>
          event.id > position && event.session_id !== reader &&
          event.level >= levelRank(min_level ?? "lifecycle") && !exclude.includes(event.event_type)
        );
        const expected = visible.slice(0, limit).map((event) => event.id);
        const through = visible.length > limit
          ? expected.at(-1) ?? position
          : log.at(-1)?.id ?? position;

        const gone = new AbortController();
        const reading = bus.call("get_events", {
          session_id: reader,
          resume: true,
          peek: mode.startsWith("peek"),
          limit,
          order,
          min_level,
          exclude_types: exclude,
        }, { signal: gone.signal });
        if (mode === "leave") {
          gone.abort();
          await reading.then(() => Promise.reject(new Error("handed to nobody")), () => {});
          continue;
        }
        const page = await reading;
        const ids = page.events.map((event: { id: number }) => event.id);
        equal(order === "asc" ? ids : ids.toReversed(), expected);
        equal(page.next_cursor, String(through));
        equal(page.has_more, visible.length > limit);
        if (mode === "peek and ack") {
          await bus.call("ack_events", { session_id: reader, cursor: page.next_cursor });
        }
        if (mode !== "peek") positions.set(reader, through);
        equal(page.unread, mode === "consume" ? visible.length - expected.length : visible.length);
      }
    }),
    { numRuns: 150 },
  );
});
