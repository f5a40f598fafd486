import { getLogger } from "@logtape/logtape";
import { z } from "zod";
import type { Bus } from "../bus.ts";
import { MAX_TOOL_PAGE_BYTES } from "../bus/reading.ts";
import { MAX_FOUND, MAX_QUERY_LENGTH, search } from "../bus/searching.ts";
import { BusError } from "../errors.ts";
import { forgetWords } from "../store/search.ts";
import { learnWords } from "./indexing.ts";
import { operation, READS } from "./operation.ts";
import { moment, sessionId, signalLevel, toWire, types, wireEvent } from "./wire.ts";

const log = getLogger(["event-bus", "search"]);

export const searchEvents = operation({
  name: "search_events",
  title: "Search events",
  description: 'Search events by words, best first. "exact phrase", begin*.',
  input: z.strictObject({
    query: z.string().max(MAX_QUERY_LENGTH),
    channel: z.string().optional(),
    event_types: types.optional(),
    sender: sessionId.optional(),
    min_level: signalLevel.optional(),
    since: moment.optional(),
    limit: z.int().min(1).max(MAX_FOUND).default(20),
  }),
  output: z.object({
    events: z.array(wireEvent),
    has_more: z.boolean(),
    not_searched: z.int().optional(),
  }),
  annotations: READS,
  scope: "read",
  tool: true,
  writes: false,
  async run(bus, { since, ...input }, call) {
    // What cannot be written, on a full disk, leaves what is known; the answer says what is not.
    await learnWords(bus).catch((failure) =>
      log.error("the words of new events cannot be learned: {failure}", { failure })
    );
    const wanted = { ...input, since: since === undefined ? undefined : Date.parse(since) };
    const maxBytes = call.caller.path === "tool" ? MAX_TOOL_PAGE_BYTES : undefined;
    const look = () => search(bus, wanted, maxBytes);
    const { events, more, unknown } = await orLearnAnew(bus, look);
    return {
      events: events.map(toWire),
      has_more: more,
      ...(unknown > 0 ? { not_searched: unknown } : {}),
    };
  },
});

/** A damaged index is no loss: the log has all the words. */
async function orLearnAnew<T>(bus: Bus, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (failure) {
    if (failure instanceof BusError) throw failure;
    log.error("the words of the log are learned anew: {failure}", { failure });
    await bus.store.inBatch(() => forgetWords(bus.store, bus.clock()));
    await learnWords(bus);
    return await look();
  }
}
