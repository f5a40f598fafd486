/** Reads Prometheus' text format (0.0.4) as strictly as its specification is worded. */
import assert from "node:assert/strict";

export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** The value by the rest of the name and the labels, such as `_bucket{le="1"}`. */
  readonly samples: Map<string, number>;
}

const HELP = /^# HELP ([a-z_:][a-z0-9_:]*) (\S.*)$/;
const TYPE = /^# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram)$/;
const SAMPLE =
  /^([a-z_:][a-z0-9_:]*)(\{[a-z_]\w*="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]\w*="(?:[^"\\\n]|\\[\\"n])*")*\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/** The metrics by name; fails on anything that the format or its conventions do not allow. */
export function parseMetrics(text: string): Map<string, Metric> {
  assert.ok(text.endsWith("\n"), "the last line ends, too");
  const metrics = new Map<string, Metric>();
  const lines = text.slice(0, -1).split("\n");
  while (lines.length > 0) {
    const [, name = "", help = ""] = matching(HELP, lines.shift());
    const [, again, type = ""] = matching(TYPE, lines.shift());
    assert.equal(again, name, "HELP and TYPE stand together");
    assert.ok(!metrics.has(name), `${name} is told once`);
    assert.equal(type === "counter", name.endsWith("_total"), `${name} is named as what it is`);
    const samples = new Map<string, number>();
    while (lines[0] !== undefined && !lines[0].startsWith("#")) {
      const [, full = "", labels = "", value] = matching(SAMPLE, lines.shift());
      assert.ok(full.startsWith(name), `${full} belongs to ${name}`);
      const key = full.slice(name.length) + labels;
      if (type !== "histogram") assert.equal(full, name);
      assert.ok(!samples.has(key), `${full}${labels} is told once`);
      samples.set(key, Number(value));
    }
    if (type === "histogram") checkHistogram(name, samples);
    metrics.set(name, { name, type, help, samples });
  }
  return metrics;
}

function matching(pattern: RegExp, line = "(the end)"): RegExpExecArray {
  const found = pattern.exec(line);
  assert.ok(found, `not what is expected here: ${line}`);
  return found;
}

/** Buckets grow, end with +Inf, and agree with the count; every series has its sum. */
function checkHistogram(name: string, samples: Map<string, number>): void {
  const series = new Map<string, [bound: number, value: number][]>();
  for (const [key, value] of samples) {
    const bucket = /^_bucket\{(.*?),?le="([^"]+)"\}$/.exec(key);
    if (bucket === null) {
      assert.match(key, /^_(sum|count)(\{|$)/, `${name}${key}`);
      continue;
    }
    const [, labels = "", le] = bucket;
    const bound = le === "+Inf" ? Infinity : Number(le);
    series.set(labels, [...series.get(labels) ?? [], [bound, value]]);
  }
  for (const [labels, buckets] of series) {
    buckets.reduce(([bound, value], next) => {
      assert.ok(next[0] > bound && next[1] >= value, `${name} ${labels} grows`);
      return next;
    });
    const last = buckets.at(-1);
    assert.equal(last?.[0], Infinity);
    const braces = labels === "" ? "" : `{${labels}}`;
    assert.equal(samples.get(`_count${braces}`), last?.[1]);
    assert.ok(samples.has(`_sum${braces}`));
  }
}
