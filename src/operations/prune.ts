import { z } from "zod";
import { ENDS, operation } from "./operation.ts";
import { prune as carryOut, wouldPrune } from "./pruning.ts";
import { iso } from "./wire.ts";

/** A client waits ten seconds for an answer; who prunes more asks again. */
const BUDGET_MS = 2000;
/** A century is as good as never. */
const MAX_SECONDS = 100 * 366 * 24 * 60 * 60;

export const prune = operation({
  name: "prune",
  title: "Prune",
  description:
    "Moves events that are older from the log to the archive, with the record of what reached whom " +
    "and the sessions that ended before. Repeat while has_more. held_by: who has yet to be handed " +
    "what would go next.",
  input: z.strictObject({
    older_than_seconds: z.int().min(1).max(MAX_SECONDS),
    dry_run: z.boolean().default(false),
  }),
  output: z.object({
    events: z.int(),
    through: z.string().nullable(),
    timestamp: z.string().nullable(),
    has_more: z.boolean(),
    held_by: z.array(z.string()),
  }),
  annotations: ENDS,
  scope: "admin",
  tool: false,
  // Its steps are batches of their own: between them everybody else has a turn.
  writes: false,
  endsTheGone: true,
  async run(bus, { older_than_seconds, dry_run }, call) {
    const horizon = call.now - older_than_seconds * 1000;
    const { events, through, at, more, holders } = dry_run
      ? await wouldPrune(bus, horizon)
      : await carryOut(bus, call.caller, horizon, BUDGET_MS);
    return {
      events,
      through: through === null ? null : String(through),
      timestamp: at === null ? null : iso(at),
      has_more: more,
      held_by: holders.map(({ who }) => who),
    };
  },
});
