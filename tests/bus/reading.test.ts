/** Eight consumers read in any way at any time, against a plain model of the rules. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { testBus } from "../helpers/bus.ts";
import { TORTURE } from "../helpers/torture.ts";
import { Run } from "./reader_run.ts";
import { step } from "./reader_steps.ts";

const RUNS = TORTURE ? 5000 : 150;

Deno.test(`resume from 8 consumers in any order loses nothing and repeats nothing unasked, ${RUNS} times`, async () => {
  let steps = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (actions) => {
      using bus = testBus();
      const run = new Run(bus);
      await run.register("a", "x");
      await run.register("b", "y");
      for (const action of actions) {
        await run.take(action);
        steps++;
      }
      await run.finish();
    }),
    { numRuns: RUNS },
  );
  assert.ok(steps > RUNS * 15);
});
