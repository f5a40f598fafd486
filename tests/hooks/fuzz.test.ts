/** Whatever is thrown at the hooks' endpoints: a hook's JSON, nothing, or a refusal; never a fault. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ERROR_CODES } from "../../src/errors.ts";
import { MAX_BODY_BYTES } from "../../src/http/limits.ts";
import { checkHookOutput } from "../helpers/injected.ts";
import { nearHook } from "../helpers/near_hook.ts";
import { type TestApp, testApp, testServer } from "../helpers/server.ts";
import { TORTURE } from "../helpers/torture.ts";

const RUNS = TORTURE ? { numRuns: 10_000 } : { numRuns: 500, seed: 20260108 };

const written = ({ bus }: TestApp): number =>
  (bus.store.db.prepare("SELECT total_changes() AS n").get() as { n: number }).n;

/** Checks a refusal; answers whether it is one. */
function isRefused(status: number, body: string): boolean {
  assert.ok(status < 500, `${status} ${body}`);
  if (status < 300) return false;
  const { error, code } = JSON.parse(body);
  assert.equal(typeof error, "string");
  assert.ok(ERROR_CODES.includes(code), code);
  return true;
}

const text = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom("later", "home", "far", "1", "-1", "1e99", "wake", "mod"),
  },
  fc.string({ unit: "binary", maxLength: 300 }),
);
const query = fc.record(
  Object.fromEntries(
    ["machine", "root", "repo", "branch", "pid", "pid_start", "ack", "away_since", "by", "past"]
      .map((name) => [name, text]),
  ),
  { requiredKeys: [] },
).map((q) =>
  Object.fromEntries(Object.entries(q).map(([name, value = ""]) => [name, value.toWellFormed()]))
);
const body = fc.oneof(
  { weight: 5, arbitrary: nearHook.map((hook) => JSON.stringify(hook)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
);

Deno.test("POST /hooks/claude-code, anything: a hook's JSON, an empty 204 or a refusal, and no trace of nonsense", async () => {
  await using app = testApp();
  const kinds = new Map<string, number>();
  const send = async (body: string, query: Record<string, string>) => {
    const before = written(app);
    const answer = await app.post(`/hooks/claude-code?${new URLSearchParams(query)}`, body);
    const said = await answer.text();
    const refused = isRefused(answer.status, said);
    const isAbout = answer.headers.has("event-bus-session");
    if (!refused) {
      assert.equal(answer.status, said === "" ? 204 : 200);
      if (said !== "") checkHookOutput(JSON.parse(body).hook_event_name, said);
    }
    if (!isAbout) assert.equal(written(app), before, "nothing is written for nonsense");
    const kind = refused ? "refused" : said !== "" ? "said" : isAbout ? "noted" : "ignored";
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  };
  await fc.assert(fc.asyncProperty(body, query, send), RUNS);
  for (const kind of ["refused", "said", "noted", "ignored"]) {
    assert.ok((kinds.get(kind) ?? 0) > 5, `some were ${kind}: ${[...kinds]}`);
  }
});

Deno.test("POST /hooks/claude-code/wait and /ack, anything: an answer or a refusal, and no trace", async () => {
  await using app = testApp();
  await app.bus.call("register_session", { name: "s", client_id: "s" });
  const before = written(app);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom("wait", "ack"), body, query, async (end, body, query) => {
      // A listener may say in which process its session runs; that is no nonsense.
      const short = new URLSearchParams({ ...query, pid: "", wait: "0.001" });
      const answer = await app.post(`/hooks/claude-code/${end}?${short}`, body);
      const said = await answer.text();
      if (isRefused(answer.status, said)) return;
      const { kind, success } = JSON.parse(said);
      if (end === "ack") assert.equal(success, false);
      else assert.ok(["nothing", "leave"].includes(kind), said);
    }),
    { ...RUNS, numRuns: RUNS.numRuns / 5 },
  );
  assert.equal(written(app), before);
});

Deno.test("a hook larger than any that we read is let go silently, over any way to say its size", async () => {
  const hook = {
    session_id: "s",
    hook_event_name: "PostToolBatch",
    tool_calls: "x".repeat(MAX_BODY_BYTES),
  };
  await using app = testApp();
  const unannounced = await app.post(
    "/hooks/claude-code",
    new Blob([JSON.stringify(hook)]).stream(),
  );
  assert.deepEqual([unannounced.status, await unannounced.text()], [204, ""]);
  await using server = testServer();
  const ask = (body: string) =>
    fetch(`${server.url}/hooks/claude-code`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
  const announced = await ask(JSON.stringify(hook));
  assert.deepEqual([announced.status, await announced.text()], [204, ""]);
  const next = await ask(JSON.stringify({ ...hook, tool_calls: [] }));
  assert.match(checkHookOutput("PostToolBatch", await next.text()), /this session is/);
});
