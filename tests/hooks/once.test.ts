/** Whatever happens, in whatever order: each event is shown once, none is buried, and the record knows. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { deriveSignalLevel } from "../../src/event.ts";
import { standing } from "../../src/bus/positions.ts";
import { testBus } from "../helpers/bus.ts";
import { hooksOf } from "../helpers/hooks.ts";
import { checkInjected, shownIn } from "../helpers/injected.ts";
import { type TestApp, testApp } from "../helpers/server.ts";
import { TORTURE } from "../helpers/torture.ts";

const ME = "bbbb";
const BUDGETS = [1000, 2000, 9000] as const;
const PATHS: Record<string, string> = {
  SessionStart: "start hook",
  UserPromptSubmit: "prompt hook",
  PostToolBatch: "batch hook",
  Stop: "stop hook",
};

const publish = fc.record({
  kind: fc.constant("publish" as const),
  from: fc.constantFrom("aaaa", "cccc", ME, undefined),
  channel: fc.constantFrom(
    ...["all", "repo:bus", "repo:other", "machine:home", "topic", "watched"],
    ...["session:bbbb", "session:aaaa"],
  ),
  event_type: fc.constantFrom("note", "help_needed", "task_started"),
  length: fc.constantFrom(10, 400, 3000),
});
const hook = fc.record({
  kind: fc.constant("hook" as const),
  event: fc.constantFrom(...Object.keys(PATHS)),
  /** Which of several servers, so to speak, each with its own budget. */
  door: fc.nat(BUDGETS.length - 1),
  acked: fc.boolean(),
  goesOn: fc.boolean(),
});
const others = fc.record({
  kind: fc.constantFrom("come" as const, "read" as const, "work" as const),
});
const steps = fc.array(
  fc.oneof({ weight: 5, arbitrary: publish }, { weight: 4, arbitrary: hook }, others),
  { maxLength: TORTURE ? 120 : 60 },
);

type Of<A> = A extends fc.Arbitrary<infer S> ? S : never;
type Step = Of<typeof publish> | Of<typeof hook> | Of<typeof others>;

interface Told {
  readonly urgent: boolean;
  /** By which paths it was shown. */
  readonly by: string[];
}

async function run(steps: readonly Step[], wakeOn: readonly string[]): Promise<void> {
  using bus = testBus();
  const lent = { ...bus, [Symbol.dispose]() {} };
  await using all = new AsyncDisposableStack();
  const apps = BUDGETS.map((digestChars) => all.use(testApp({}, lent, undefined, { digestChars })));
  const [app] = apps as [TestApp];
  const doors = apps.map((app) => hooksOf(app, ME));
  for (const id of ["aaaa", "cccc"]) await hooksOf(app, id).text("SessionStart");
  await doors[0]?.text("SessionStart");
  await bus.call("set_status", { session_id: ME, wake_on: wakeOn });
  const told = new Map<number, Told>();
  const positions = { main: 0, urgent: 0 };
  const isUrgent = (channel: string, level: string) =>
    channel === "session:bbbb" || (level !== "lifecycle" && wakeOn.includes(channel)) ||
    (level === "actionable" && ["all", "repo:bus", "machine:home"].includes(channel));

  const note = (ids: number[], path: string) => {
    for (const id of ids) {
      const event = told.get(id);
      assert.ok(event !== undefined, `#${id} is worth telling`);
      event.by.push(path);
    }
  };
  const left = (urgentOnly: boolean) =>
    [...told.values()].filter(({ urgent, by }) => by.length === 0 && (urgent || !urgentOnly))
      .length;

  const take = async (step: Step) => {
    bus.pass(1);
    if (step.kind === "publish") {
      const { from, channel, event_type, length } = step;
      const { event_id } = await bus.call("publish_event", {
        event_type,
        channel,
        session_id: from,
        payload: `${bus.clock()} ${"x ".repeat(length / 2)}`,
      });
      const level = deriveSignalLevel(event_type, channel);
      const urgent = isUrgent(channel, level);
      const isOthers = channel.startsWith("session:");
      if (from === ME || ((level === "lifecycle" || isOthers) && !urgent)) return;
      told.set(event_id, { urgent, by: [] });
    } else if (step.kind === "hook") {
      const { event, door, acked, goesOn } = step;
      const query = acked ? { ack: "later" } : {};
      const answer = await doors[door]?.send(event, {
        stop_hook_active: goesOn,
        source: "resume",
      }, query) as Response;
      const body = await answer.text();
      const text = body === "" ? "" : JSON.parse(body).hookSpecificOutput.additionalContext;
      checkInjected(text, BUDGETS[door]);
      const ids = shownIn(text);
      note(ids, PATHS[event] as string);
      const ranks = ids.map((id) => [told.get(id)?.urgent ? 0 : 1, id] as const);
      assert.deepEqual(ranks.toSorted(([a, i], [b, j]) => a - b || i - j), ranks, "in order");
      const urgentOnly = event === "PostToolBatch" || event === "Stop";
      if (urgentOnly) assert.ok(ranks.every(([rank]) => rank === 0), "only what is urgent");
      if (ids.length > 0) {
        const more = Number(text.match(/^(\d+) more unread/m)?.[1] ?? 0);
        assert.equal(more, left(urgentOnly), "what did not fit is counted");
      }
      const ack = answer.headers.get("event-bus-ack");
      if (ack !== null) {
        const settled = await apps[door]?.post("/hooks/claude-code/ack", { ack });
        assert.deepEqual(await settled?.json(), { success: true });
      }
    } else if (step.kind === "come") {
      await hooksOf(app, crypto.randomUUID()).text("SessionStart");
    } else if (step.kind === "work") {
      await bus.call("set_status", { session_id: ME, status: String(bus.clock()) });
    } else {
      const page = await bus.call("get_events", {
        session_id: ME,
        resume: true,
        limit: 2,
      }, { path: "tool" });
      const ids: number[] = page.events.map(({ id }: { id: number }) => id);
      note(ids.filter((id) => told.has(id)), "tool");
    }
    for (const name of ["main", "urgent"] as const) {
      const now = standing(bus.store, { session_id: ME, principal: "", name }) ?? 0;
      assert.ok(now >= positions[name], `${name} never goes back`);
      positions[name] = now;
    }
  };
  for (const step of steps) await take(step);
  for (let round = 0; left(false) > 0; round++) {
    const before = left(false);
    await take({ kind: "hook", event: "UserPromptSubmit", door: 1, acked: false, goesOn: false });
    assert.ok(left(false) < before, "nothing is buried");
  }
  assert.equal(await doors[1]?.text("UserPromptSubmit"), "");
  for (const [id, { by }] of told) {
    assert.equal(by.length, 1, `#${id} was shown by ${by}`);
    const { audience, others } = await bus.call("get_delivery", { event_id: id });
    const mine = [...audience, ...others].find(({ session_id }) => session_id === ME);
    assert.deepEqual([mine?.state, mine?.path], ["has", by[0]], `#${id} on the record`);
  }
}

Deno.test("hooks of every kind and budget: each event is shown once, none is buried, and it is on record", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom([], ["watched"]), run),
    TORTURE ? { numRuns: 1500 } : { numRuns: 60, seed: 20260108 },
  );
});
