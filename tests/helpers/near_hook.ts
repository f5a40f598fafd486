/** What looks much like the JSON of a hook, for tests that throw everything at us. */
import fc from "fast-check";
import { recordings } from "./recorded.ts";

/** Mostly what it should be. */
const mostly = (right: fc.Arbitrary<unknown>, ...wrong: fc.Arbitrary<unknown>[]) =>
  fc.oneof<(fc.MaybeWeightedArbitrary<unknown>)[]>(
    { weight: 6, arbitrary: right },
    fc.constant(undefined),
    fc.jsonValue(),
    ...wrong,
  );

/** A hook with any of its fields missing, wrong, or right. */
export const nearHook = fc.record({
  hook_event_name: mostly(fc.constantFrom(...recordings().map(({ event }) => event))),
  session_id: mostly(fc.constantFrom("s", "t"), fc.string({ unit: "binary" })),
  cwd: mostly(fc.constant("/w")),
  prompt: mostly(fc.string()),
  source: mostly(fc.constantFrom("startup", "clear")),
  reason: mostly(fc.constantFrom("clear", "other")),
  notification_type: mostly(fc.constantFrom("idle_prompt", "permission_prompt")),
  agent_id: fc.option(fc.jsonValue(), { nil: undefined, freq: 1 }),
  stop_hook_active: mostly(fc.boolean()),
}, { requiredKeys: ["hook_event_name", "session_id"] });
