/** A session of Claude Code as its hooks show it. */
import assert from "node:assert/strict";
import type { TestApp } from "./server.ts";

export interface HookSession {
  /** Sends a hook's JSON; `query` is what the command adds. */
  send(event: string, more?: object, query?: Record<string, string>): Promise<Response>;
  /** What the hook adds to what the model reads; empty for nothing. Checks the answer's shape. */
  text(event: string, more?: object, query?: Record<string, string>): Promise<string>;
  /** What an idle session's listener is told. */
  // deno-lint-ignore no-explicit-any -- looked at field by field
  wait(query?: Record<string, string>): Promise<any>;
}

export function hooksOf(
  app: Pick<TestApp, "post">,
  session_id: string,
  { cwd = "/src/bus", ...facts }: Record<string, string> = {},
): HookSession {
  const common = { session_id, cwd, transcript_path: "/t.jsonl", permission_mode: "default" };
  const post = (path: string, body: object, query: Record<string, string>) =>
    app.post(`${path}?${new URLSearchParams({ ...facts, ...query })}`, body);
  const send: HookSession["send"] = (hook_event_name, more = {}, query = {}) =>
    post("/hooks/claude-code", { ...common, hook_event_name, ...more }, query);
  return {
    send,
    async text(event, more, query) {
      const answer = await send(event, more, query);
      if (answer.status === 204) {
        assert.equal(await answer.text(), "");
        return "";
      }
      assert.equal(answer.status, 200);
      const output = await answer.json();
      assert.deepEqual(Object.keys(output), ["hookSpecificOutput"]);
      const { hookEventName, additionalContext, ...rest } = output.hookSpecificOutput;
      assert.equal(hookEventName, event);
      assert.deepEqual(rest, {});
      assert.ok(additionalContext.length > 0);
      return additionalContext;
    },
    async wait(query = {}) {
      const body = { ...common, hook_event_name: "Stop" };
      const answer = await post("/hooks/claude-code/wait", body, query);
      return await answer.json();
    },
  };
}
