/** The mod in the plugin, in a client that does what it is told. */
import assert from "node:assert/strict";
import { register } from "../../plugin/hooks/waking.ts";

type Host = Parameters<Parameters<Parameters<typeof register>[0]>[1]>[0];
type Answer = object | "away";

/** A client with one mod; `answers` are what the bus says to one request after the other. */
function client(answers: Answer[], token?: string) {
  const asked: { url: URL; body: Record<string, string>; headers: Record<string, string> }[] = [];
  const prompts: string[] = [];
  const pauses: number[] = [];
  const hooks = new Map<string, Parameters<Parameters<typeof register>[0]>[1]>();
  const quiet = Promise.withResolvers<void>();
  const state = { id: "aaaa", drop: undefined as string | undefined, quiet: quiet.promise };
  const fire = (event: string, e: object = {}) => hooks.get(event)!($, e, () => Promise.resolve());
  const $: Host = {
    session: { id: () => Promise.resolve(state.id) },
    env: { get: (name) => Promise.resolve(name === "EVENT_BUS_TOKEN" ? token : undefined) },
    http: {
      fetch(url, init) {
        const { body, headers } = init as { body: string; headers: Record<string, string> };
        asked.push({ url: new URL(url), body: JSON.parse(body), headers });
        const answer = answers.shift();
        if (answer === "away") return Promise.reject(new Error("refused"));
        if (answer !== undefined) {
          return Promise.resolve({ ok: true, text: JSON.stringify(answer) });
        }
        // Nothing more happens.
        quiet.resolve();
        return new Promise(() => {});
      },
    },
    clock: { after: (ms, then) => (pauses.push(ms), queueMicrotask(then)) },
    prompt: {
      async submit({ text }) {
        prompts.push(text);
        if (state.drop !== undefined) return { drop: state.drop };
        await fire("turn.start");
        return {};
      },
    },
  };
  register((event, hook) => hooks.set(event, hook));
  return { asked, prompts, pauses, state, fire };
}

const CALLED = { kind: "called", text: "hello", ack: "a1" };
const NOTHING = { kind: "nothing" };
const start = { isInteractive: true };
const waits = ({ asked }: ReturnType<typeof client>) =>
  asked.filter(({ url }) => url.pathname === "/hooks/claude-code/wait").length;

Deno.test("mod: a called session gets one prompt, acknowledged when its turn began", async () => {
  const c = client([NOTHING, CALLED, {}], "secret");
  await c.fire("session.start", start);
  await c.fire("turn.complete", { agentId: "x" });
  await until(() => c.asked.length === 3);
  assert.deepEqual(c.prompts, ["hello"]);
  const [first, , ack] = c.asked;
  assert.equal(first!.url.origin, "http://127.0.0.1:8080");
  assert.equal(first!.url.searchParams.get("by"), "mod");
  assert.ok(Number(first!.url.searchParams.get("wait")) < 30);
  assert.deepEqual(first!.body, { session_id: "aaaa", hook_event_name: "Stop" });
  assert.equal(first!.headers.Authorization, "Bearer secret");
  assert.equal(ack!.url.pathname, "/hooks/claude-code/ack");
  assert.deepEqual(ack!.body, { ack: "a1" });
  assert.equal(waits(c), 2);
  // At work it does not listen; afterwards it does, under whatever name the session has now.
  c.state.id = "bbbb";
  await c.fire("turn.complete", { reason: "answer" });
  await c.state.quiet;
  assert.equal(c.asked.at(-1)!.body.session_id, "bbbb");
});

Deno.test("mod: a session with -p is left alone", async () => {
  const c = client([CALLED]);
  await c.fire("session.start", { isInteractive: false });
  await c.fire("turn.start");
  await c.fire("turn.complete", { reason: "answer" });
  assert.equal(c.asked.length, 0);
});

Deno.test("mod: what comes when a turn has begun is not submitted, nor acknowledged", async () => {
  const c = client([CALLED]);
  const started = c.fire("session.start", start);
  await c.fire("turn.start");
  await started;
  await until(() => c.asked.length === 1);
  await c.fire("turn.complete", { reason: "aborted" });
  assert.equal(waits(c), 1);
  await c.fire("turn.complete", { reason: "answer" });
  await c.state.quiet;
  assert.deepEqual(c.prompts, []);
  assert.equal(waits(c), 2);
});

Deno.test("mod: a prompt that the client dropped is not acknowledged", async () => {
  const c = client([CALLED]);
  c.state.drop = "the session was stopped";
  await c.fire("session.start", start);
  await c.state.quiet;
  assert.deepEqual([c.prompts, c.pauses], [["hello"], [1000]]);
  assert.equal(waits(c), 2);
  assert.equal(c.asked.length, 2);
});

Deno.test("mod: while the bus is away it asks ever less often, then says since when", async () => {
  const c = client([...Array<Answer>(7).fill("away"), NOTHING, "away", { kind: "leave" }]);
  await c.fire("session.start", start);
  await c.state.quiet;
  assert.deepEqual(c.pauses, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 1000, 2000]);
  const since = c.asked.map(({ url }) => url.searchParams.get("away_since"));
  assert.equal(since[0], null);
  assert.ok(Math.abs(Number(since[1]) - Date.now()) < 60_000);
  assert.deepEqual(since.slice(1, 8), Array(7).fill(since[1]));
  assert.equal(since[8], null);
});

/** Lets everything that can go on do so, until something holds. */
async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1000 && !holds(); turns++) await Promise.resolve();
  assert.ok(holds());
}
