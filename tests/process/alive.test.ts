/** Whether a process is still there, asked of the real system. */
import assert from "node:assert/strict";
import process from "node:process";
import { isAlive, startOf } from "../../src/process.ts";

/** A process that is alive until it is told to end. */
function child(): Deno.ChildProcess {
  return new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
}

Deno.test("isAlive() tells a process from a later one of the same number", async () => {
  const other = child();
  const start = startOf(other.pid);
  assert.ok(start !== null && start !== startOf(process.ppid), "starts differ");
  assert.equal(isAlive({ pid: other.pid, start }), true);
  assert.equal(isAlive({ pid: other.pid, start: null }), true, "an unknown start");
  const earlier = start.replace(/^\d+|.$/, (digits) => `${digits}0`);
  assert.equal(isAlive({ pid: other.pid, start: earlier }), Deno.build.os !== "linux");
  await other.stdin.close();
  await other.status;
  assert.equal(isAlive({ pid: other.pid, start }), false);
  assert.equal(startOf(other.pid), null);
});

Deno.test({
  name: "isAlive() says nothing of processes that are numbered elsewhere, such as in a container",
  ignore: Deno.build.os !== "linux",
  fn() {
    assert.equal(isAlive({ pid: 999_999_999, start: "1@pid:[1]" }), true);
    assert.equal(isAlive({ pid: 999_999_999, start: null }), false);
  },
});
