/** The protocol's own conformance suite, on our wiring. */
import assert from "node:assert/strict";
import { mountFixtures } from "./fixtures.ts";
import { judge, type Revision, REVISIONS } from "./suite.ts";

/** What the suite can judge without fixtures: on the server exactly as we ship it. */
const WITHOUT_FIXTURES: Record<Revision, string[]> = {
  "2025-11-25": [
    "server-initialize",
    "ping",
    "tools-list",
    "resources-list",
    "resources-subscribe",
    "resources-unsubscribe",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
    "server-session-lifecycle",
  ],
  "2026-07-28": [
    "tools-list",
    "resources-list",
    "server-sse-multiple-streams",
    "sep-2164-resource-not-found",
    "dns-rebinding-protection",
    "http-header-validation",
    "input-required-result-missing-input-response",
    "input-required-result-unsupported-methods",
    "input-required-result-ignore-extra-params",
    "input-required-result-validate-input",
  ],
};

const TASKS = "an optional extension that we do not offer";
/** Scenarios that the suite does not score and that fail with our fixtures, and why. */
const EXPECTED_FAILURES: Record<Revision, Record<string, string>> = {
  "2025-11-25": {
    "json-schema-2020-12": "needs a tool with a prescribed schema; our schemas are our own",
  },
  "2026-07-28": {
    "json-schema-2020-12": "needs a tool with a prescribed schema; our schemas are our own",
    "http-custom-header-server-validation": "needs a tool that mirrors arguments into headers",
    "tasks-lifecycle": TASKS,
    "tasks-capability-negotiation": TASKS,
    "tasks-wire-fields": TASKS,
    "tasks-request-state-removal": TASKS,
    "tasks-mrtr-input": TASKS,
    "tasks-request-headers": TASKS,
    "tasks-dispatch-and-envelope": TASKS,
    "tasks-required-task-error": TASKS,
    "tasks-mrtr-composition": TASKS,
  },
};

for (const revision of REVISIONS) {
  Deno.test(`the server as shipped passes what the ${revision} suite can judge without fixtures`, async () => {
    const { scores, output } = await judge(revision);
    for (const scenario of WITHOUT_FIXTURES[revision]) {
      const score = scores.get(scenario);
      assert.ok(
        score !== undefined && score.passed > 0 && score.failed === 0,
        `${scenario}\n${output}`,
      );
    }
  });

  Deno.test(`the server with fixtures mounted conforms to ${revision}`, async () => {
    const { scores, conformant, output } = await judge(revision, mountFixtures);
    const failing = [...scores].filter(([, { failed }]) => failed > 0).map(([name]) => name);
    assert.deepEqual(failing.sort(), Object.keys(EXPECTED_FAILURES[revision]).sort(), output);
    assert.ok(conformant, output);
    assert.ok(scores.size >= 30, `only ${scores.size} scenarios ran`);
  });
}
