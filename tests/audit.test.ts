import assert from "node:assert/strict";
import { auditLine } from "../src/audit.ts";
import type { AuditRecord } from "../src/operations/audit.ts";

const RECORD: AuditRecord = {
  principal: "laptop",
  peer: "100.64.0.7",
  operation: "get_events",
  session_id: "s1",
  result: "ok",
  ms: 1.5,
};

const lineOf = (record: Partial<AuditRecord>) =>
  auditLine({
    category: ["event-bus-audit"],
    level: "info",
    message: ["call"],
    rawMessage: "call",
    timestamp: Date.UTC(2026, 0, 8, 12),
    properties: { ...RECORD, ...record } as unknown as Record<string, unknown>,
  });

Deno.test("auditLine: one JSON object a line, with the time and what happened", () => {
  assert.equal(
    lineOf({}),
    '{"time":"2026-01-08T12:00:00.000Z","principal":"laptop","peer":"100.64.0.7",' +
      '"operation":"get_events","session_id":"s1","result":"ok","ms":1.5}\n',
  );
  assert.deepEqual(JSON.parse(lineOf({ principal: null })).principal, null);
});

Deno.test("auditLine: whatever a caller sent stays on its line, in plain ASCII, and short", () => {
  const nasty = [
    'x"}\n{"forged":true}',
    "\r\n",
    "\u001b[2J\u0007",
    "\u202e\u2066\u2028\u2029\u0085",
    "é日本🦦",
    "\ud800",
    "\u007f\u0000",
  ];
  for (const session_id of nasty) {
    const line = lineOf({ session_id, principal: session_id, peer: session_id });
    assert.match(line, /^[\x20-\x7e]+\n$/);
    assert.equal(JSON.parse(line).session_id, session_id);
  }
  assert.ok(lineOf({ session_id: "x".repeat(100_000) }).length < 400);
});
