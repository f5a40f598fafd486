/** Every way to show something to a session, at once: what each shows, only it shows. */
import assert from "node:assert/strict";
import { type HookSession, hooksOf } from "../helpers/hooks.ts";
import { type TestApp, testApp } from "../helpers/server.ts";

/** What a session of Claude Code does with the summons that one of its listeners got. */
type Waking = (text: string, ack: string) => Promise<string>;

/** A session with all its listeners and hooks, and everything that its model was shown. */
interface Scene {
  readonly app: TestApp;
  readonly hooks: HookSession;
  readonly shown: string[];
  /** The listeners that were called. */
  readonly called: Set<string>;
  /** Listens by a path; resolves when it was called, sent away, or `over`. */
  listen(by: string, over: AbortSignal, wake?: Waking): Promise<void>;
  publish(payload: string): Promise<void>;
  /** Fires a hook as the command does: what is printed is acknowledged. */
  fireLater(event: string): Promise<void>;
  fire(event: string, more?: object): Promise<void>;
}

async function scene(app: TestApp): Promise<Scene> {
  const hooks = hooksOf(app, "bbbb");
  await hooksOf(app, "aaaa").text("SessionStart");
  await hooks.text("SessionStart");
  const shown: string[] = [];
  const called = new Set<string>();
  const ack = (id: string) => app.post("/hooks/claude-code/ack", { ack: id });

  const ways: Record<string, Waking> = {
    // The mod's prompt goes through the hooks before the mod hears that it was taken.
    async mod(text, id) {
      const answer = await hooks.send("UserPromptSubmit", { prompt: text });
      const { decision, hookSpecificOutput } = answer.status === 200 ? await answer.json() : {};
      const more = hookSpecificOutput?.additionalContext ?? "";
      await ack(id);
      return decision === "block" ? "" : `${text}\n${more}`;
    },
    // The process has acknowledged it when its words come through the hooks.
    async wake(text, id) {
      await ack(id);
      const prompt = `Stop hook blocking error from command "Stop": ${text}\n`;
      return `${text}\n${await hooks.text("UserPromptSubmit", { prompt })}`;
    },
    // Nobody acknowledges a push: the turn that it begins does, however its text is wrapped.
    async channel(text, id) {
      const prompt = `<channel delivery="${id}">\n${text.replaceAll(">", "&gt;")}\n</channel>`;
      return `${text}\n${await hooks.text("UserPromptSubmit", { prompt })}`;
    },
  };
  return {
    app,
    hooks,
    shown,
    called,
    async listen(by, over, wake = ways[by]!) {
      const answer = await app.fetch(`/hooks/claude-code/wait?by=${by}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ session_id: "bbbb", hook_event_name: "Stop" }),
        signal: over,
      });
      const { kind, text, ack: id } = await answer.json();
      if (kind !== "called") return;
      called.add(by);
      shown.push(await wake(text, id));
    },
    async publish(payload) {
      await app.bus.call("publish_event", {
        event_type: "ask",
        payload,
        session_id: "aaaa",
        channel: "session:bbbb",
      });
    },
    async fireLater(event) {
      const answer = await hooks.send(event, {}, { ack: "later" });
      if (answer.status === 204) return;
      shown.push((await answer.json()).hookSpecificOutput.additionalContext);
      await ack(answer.headers.get("event-bus-ack") ?? "");
    },
    async fire(event, more) {
      const text = await hooks.text(event, more);
      if (text !== "") shown.push(text);
    },
  };
}

/** Asserts that each of these payloads was shown, and was once. */
function assertOnce({ shown }: Scene, payloads: readonly string[]): void {
  const all = shown.join("\n").split("\n");
  for (const payload of payloads) {
    assert.equal(all.filter((line) => line === `> ${payload}`).length, 1, payload);
  }
}

/** Who listens at the same time; where a mod does, the process leaves. */
const TOGETHER = [
  ["wake", "channel", "mod"],
  ["channel"],
  ["channel", "wake"],
  ["mod", "channel"],
  ["wake"],
];

Deno.test("all listeners and hooks at once show each message once", async () => {
  await using app = testApp();
  const b = await scene(app);
  const payloads: string[] = [];
  for (let round = 0; round < 100; round++) {
    await b.fire("Stop");
    const over = new AbortController();
    const listening = TOGETHER[round % TOGETHER.length]!.map((by) => b.listen(by, over.signal));
    const mine = [`one of ${round}`, `two of ${round}`].slice(0, 1 + round % 2);
    payloads.push(...mine);
    const publish = mine.map((payload) => () => b.publish(payload));
    const hooks = [
      () => b.fireLater("PostToolBatch"),
      () => b.fireLater("UserPromptSubmit"),
      () => b.fire("PostToolBatch"),
      () => b.fireLater("Stop"),
    ];
    if (round % 4 < 2) {
      // The session does nothing until somebody wakes it.
      await Promise.all(publish.map((run) => run()));
      await Promise.any(listening);
      await Promise.all(hooks.map((run) => run()));
    } else {
      await Promise.all(rotated([...publish, ...hooks], round >> 2).map((run) => run()));
    }
    await b.fire("PostToolBatch");
    over.abort();
    await Promise.all(listening);
  }
  await b.fire("UserPromptSubmit");
  assertOnce(b, payloads);
  assert.deepEqual([...b.called].sort(), ["channel", "mod", "wake"]);
});

/** The same, but each round another one comes first. */
function rotated<T>(items: readonly T[], round: number): T[] {
  const first = round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

for (const by of ["wake", "channel", "mod"]) {
  Deno.test(`what ${by} was told and nobody saw, another path shows`, async () => {
    await using app = testApp();
    const b = await scene(app);
    const over = new AbortController();
    const told: string[] = [];
    const dies: Waking = (text) => Promise.resolve((told.push(text), ""));
    const dying = b.listen(by, over.signal, dies);
    await b.publish("unseen");
    await dying;
    assert.match(told.join(), /> unseen/);
    await b.fireLater("PostToolBatch");
    await b.fire("UserPromptSubmit");
    assertOnce(b, ["unseen"]);
  });
}

Deno.test("a prompt of the mod that comes too late is kept out: its messages are known", async () => {
  await using app = testApp();
  const b = await scene(app);
  let late = "";
  await Promise.all([
    b.listen("mod", new AbortController().signal, (text) => Promise.resolve((late = text, ""))),
    b.publish("once"),
  ]);
  await b.fireLater("PostToolBatch");
  const answer = await b.hooks.send("UserPromptSubmit", { prompt: late });
  assert.deepEqual(await answer.json(), {
    decision: "block",
    reason: "The session has seen these messages already.",
  });
  assertOnce(b, ["once"]);
  assert.equal((await b.hooks.send("UserPromptSubmit", { prompt: late })).status, 204);
});

Deno.test("where a mod listens a process need not, whichever came first", async () => {
  await using app = testApp();
  const b = await scene(app);
  const early = b.hooks.wait({ by: "wake", wait: "300" });
  const mod = b.hooks.wait({ by: "mod", wait: "300" });
  assert.deepEqual(await early, { kind: "leave", why: "its mod listens" });
  assert.deepEqual(await b.hooks.wait({ by: "wake" }), { kind: "leave", why: "its mod listens" });
  await b.publish("hello");
  const { kind, ack } = await mod;
  assert.equal(kind, "called");
  await app.post("/hooks/claude-code/ack", { ack });
});

Deno.test("what was pushed into a channel is not pushed again, and stays unread until seen", async () => {
  await using app = testApp();
  const b = await scene(app);
  await b.publish("pushed");
  const { kind, text, through } = await b.hooks.wait({ by: "channel" });
  assert.equal(kind, "called");
  assert.match(text, /> pushed/);
  const next = b.hooks.wait({ by: "channel", past: String(through) });
  await b.fireLater("UserPromptSubmit");
  await b.publish("later");
  assertOnce(b, ["pushed"]);
  await b.fire("Stop");
  await b.fire("PostToolBatch");
  assertOnce(b, ["later"]);
  await b.fire("Stop");
  await b.publish("last");
  const called = await next;
  assert.match(called.text, /> last/);
  assert.doesNotMatch(called.text, /pushed|later/);
  await b.fire("UserPromptSubmit", { prompt: called.ack });
  assertOnce(b, ["pushed", "later"]);
});

Deno.test("a channel whose client drops what is pushed reaches nobody, until it is seen to", async () => {
  await using app = testApp();
  const b = await scene(app);
  const over = new AbortController();
  const paths = async () =>
    (await app.bus.call("list_sessions", {}) as { session_id: string; reachable_by: string[] }[])
      .find(({ session_id }) => session_id === "bbbb")?.reachable_by;
  const drops: Waking = (_text, id) => Promise.resolve((delivery = id, ""));
  let delivery = "";
  await b.publish("one");
  await b.listen("channel", over.signal, drops);
  await b.listen("wake", over.signal);
  assertOnce(b, ["one"]);
  await b.fire("Stop");

  const second = b.listen("channel", over.signal, drops);
  await b.fire("Stop");
  assert.deepEqual(await paths(), []);
  await b.publish("two");
  await second;
  await b.fire("UserPromptSubmit", { prompt: delivery });
  const third = b.listen("channel", over.signal);
  await b.fire("Stop");
  assert.deepEqual(await paths(), ["channel"]);
  await b.publish("three");
  await third;
  assertOnce(b, ["three"]);
});

Deno.test("a channel's listener finds its session by the process when that has a new id", async () => {
  await using app = testApp();
  const facts = { machine: "home", pid: "4711", pid_start: "1" };
  await hooksOf(app, "aaaa").text("SessionStart");
  await hooksOf(app, "before", facts).text("SessionStart");
  await hooksOf(app, "after", facts).text("SessionStart", { source: "resume" });
  await app.bus.call("publish_event", {
    event_type: "ask",
    payload: "hello",
    session_id: "aaaa",
    channel: "session:after",
  });
  const asked = { by: "channel" };
  const called = await hooksOf(app, "before", facts).wait(asked);
  assert.match(called.text, /> hello/);
  const other = await hooksOf(app, "before", { ...facts, pid_start: "2" }).wait({
    ...asked,
    wait: "0.01",
  });
  assert.equal(other.kind, "leave");
  await app.post("/hooks/claude-code/ack", { ack: called.ack });
});
