import assert from "node:assert/strict";
import { createMetrics, metricsText } from "../src/metrics.ts";
import { parseMetrics } from "./helpers/prometheus.ts";

Deno.test("createMetrics: each operation is counted by its outcome, and timed unless it waited", () => {
  const metrics = createMetrics();
  metrics.performed("publish_event", "ok", 0.0004);
  metrics.performed("publish_event", "ok", 0.001);
  metrics.performed("publish_event", "too_large", 0.002);
  metrics.performed("get_events", "ok", 60);
  metrics.performed("get_events", "ok", null);
  const told = parseMetrics(metricsText(metrics.families()));
  assert.deepEqual([...told.get("event_bus_operations_total")?.samples ?? []], [
    ['{operation="publish_event",outcome="ok"}', 2],
    ['{operation="publish_event",outcome="too_large"}', 1],
    ['{operation="get_events",outcome="ok"}', 2],
  ]);
  const seconds = told.get("event_bus_operation_seconds")?.samples;
  const at = (suffix: string, labels: string) => seconds?.get(`_${suffix}{${labels}}`);
  assert.equal(at("bucket", 'operation="publish_event",le="0.001"'), 2, "a bound is inclusive");
  assert.equal(at("bucket", 'operation="publish_event",le="0.0025"'), 3);
  assert.equal(at("bucket", 'operation="get_events",le="10"'), 0);
  assert.equal(at("bucket", 'operation="get_events",le="+Inf"'), 1, "who waited is not timed");
  assert.equal(at("sum", 'operation="get_events"'), 60);
});

Deno.test("createMetrics: moves and what they handed over are counted by path", () => {
  const metrics = createMetrics();
  metrics.moved("prompt hook", 3);
  metrics.moved("prompt hook", 0);
  metrics.moved("tool", 1);
  const told = parseMetrics(metricsText(metrics.families()));
  const of = (name: string) => Object.fromEntries(told.get(name)?.samples ?? []);
  assert.deepEqual(of("event_bus_reads_total"), { '{path="prompt hook"}': 2, '{path="tool"}': 1 });
  assert.deepEqual(of("event_bus_events_delivered_total"), {
    '{path="prompt hook"}': 3,
    '{path="tool"}': 1,
  });
});

Deno.test("metricsText: whatever a label or help holds stays in its place", () => {
  const nasty = 'a\\b"c\nevil_total 1';
  const text = metricsText([
    {
      name: "a",
      type: "gauge",
      help: "one\ntwo \\",
      samples: [{ labels: { l: nasty }, value: 1.5 }],
    },
    { name: "b", type: "gauge", help: "none", samples: [] },
  ]);
  assert.equal(
    text,
    '# HELP a one\\ntwo \\\\\n# TYPE a gauge\na{l="a\\\\b\\"c\\nevil_total 1"} 1.5\n' +
      "# HELP b none\n# TYPE b gauge\n",
  );
  assert.deepEqual([...parseMetrics(text).keys()], ["a", "b"]);
});
