/** Each hook that was recorded, over HTTP. */
import assert from "node:assert/strict";
import { checkHookOutput, shownIn } from "../helpers/injected.ts";
import { recordings, showsOf } from "../helpers/recorded.ts";
import { testApp } from "../helpers/server.ts";

/** Recorded are at least these, or the tests below look at too little. */
const EVENTS = [
  ...["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolBatch", "Stop"],
  ...["Notification", "SubagentStart", "SubagentStop", "StopFailure", "SessionEnd", "PreCompact"],
];

Deno.test("recordings: of every event that means something to the bus, and of many that mean nothing", () => {
  const events = new Set(recordings().map(({ event }) => event));
  assert.deepEqual(EVENTS.filter((event) => !events.has(event)), []);
});

for (const recorded of recordings()) {
  const { name, event, hook } = recorded;
  const shows = showsOf(recorded);

  Deno.test(`POST /hooks/claude-code, ${name}: shows ${shows}, and nothing when there is nothing`, async () => {
    await using app = testApp();
    const send = async (body: object) => {
      const answer = await app.post("/hooks/claude-code", body);
      const text = await answer.text();
      assert.equal(answer.status, text === "" ? 204 : 200);
      if (text !== "") assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
      return checkHookOutput((body as typeof hook).hook_event_name, text);
    };
    const { session_id, cwd } = hook;
    await send({ session_id, cwd, hook_event_name: "SessionStart", source: "startup" });
    const say = async (channel: string) =>
      (await app.bus.call("publish_event", { event_type: "note", payload: "p", channel })).event_id;
    const note = await say("all");
    const direct = await say(`session:${session_id}`);

    const text = await send(hook);
    const expected = { all: [direct, note], urgent: [direct], nothing: [] }[shows];
    assert.deepEqual(shownIn(text), expected);
    assert.equal(/^event-bus: this session is /.test(text), event === "SessionStart");
    if (event !== "SessionStart") assert.equal(await send(hook), "", "once");
  });
}
