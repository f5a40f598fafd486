/** What eight consumers, their sessions and publishers may do, in any order. */
import fc from "fast-check";
import { PATHS } from "../../src/delivery.ts";
import { SIGNAL_LEVELS } from "../../src/event.ts";
import type { Asked, Reader } from "./reader_model.ts";

const TYPES = ["task_started", "note", "ci_failed", "noise"];
const CHANNELS = ["all", "repo:x", "repo:y", "machine:home", "session:a", "session:b"];

const of = (session: string | null, name: string, principal = "loopback"): Reader => (
  { session, name, principal }
);
export const READERS: readonly Reader[] = [
  of("a", "main"),
  of("a", "urgent"),
  of("a", "ci"),
  of("b", "main"),
  of("b", "urgent"),
  of("b", "ci"),
  of(null, "ci"),
  of(null, "ci", "token"),
];

const reader = fc.constantFrom(...READERS);
const path = fc.constantFrom(...PATHS);
const session = fc.constantFrom("a", "b");

/** Read with a filter, mostly none; the last kind narrows. */
const asked: fc.Arbitrary<Asked> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Asked>({}) },
  {
    weight: 2,
    arbitrary: fc.record<Asked, keyof Asked>({
      exclude_types: fc.subarray(TYPES, { minLength: 1, maxLength: 2 }),
      min_level: fc.constantFrom(...SIGNAL_LEVELS),
      include_own: fc.constant(true),
    }, { requiredKeys: [] }),
  },
  {
    weight: 1,
    arbitrary: fc.record<Asked, keyof Asked>({
      channel: fc.constantFrom(...CHANNELS),
      event_types: fc.subarray(TYPES, { minLength: 1, maxLength: 2 }),
      correlation_id: fc.constantFrom("t", "none"),
      min_level: fc.constantFrom(...SIGNAL_LEVELS),
    }, { requiredKeys: [] }),
  },
);

/** One thing that somebody does. */
export const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      event_type: fc.constantFrom(...TYPES),
      sender: fc.constantFrom("a", "b", "anonymous"),
      channel: fc.constantFrom(...CHANNELS),
      thread: fc.constantFrom(null, "t"),
      level: fc.constantFrom(undefined, undefined, ...SIGNAL_LEVELS),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      reader,
      asked,
      limit: fc.integer({ min: 0, max: 5 }),
      order: fc.constantFrom("asc" as const, "desc" as const),
      mode: fc.constantFrom(
        "consume" as const,
        "consume" as const,
        "peek" as const,
        "leave" as const,
      ),
      /** How far behind the tip to look. */
      behind: fc.constantFrom(null, null, null, 0, 3, 20),
      path,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("ack" as const),
      reader,
      /** One of the pages it was shown, the latest first; else this far from where it stands. */
      shown: fc.constantFrom(0, 0, 1, 2, null),
      by: fc.integer({ min: -4, max: 4 }),
      rewind: fc.constantFrom(false, false, true),
      path,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("end" as const), session }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("register" as const),
      session,
      repo: fc.constantFrom("x", "y"),
    }),
  },
);
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
/** A step of one kind. */
export type Of<K extends Step["kind"]> = Extract<Step, { kind: K }>;
