/** The soak in its short form, and how it judges. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { judge, type Sample } from "../bench/memory.ts";
import { isInstalled } from "./helpers/process.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const over = (seconds: number, megabytesAt: (second: number) => number): Sample[] =>
  Array.from({ length: seconds }, (_, n) => ({ seconds: n + 1, megabytes: megabytesAt(n + 1) }));

Deno.test("judge: what grows only while it warms up is steady, whatever the noise; what goes on growing is not", () => {
  const warming = judge(over(1800, (s) => 100 + Math.min(s, 300) / 3 + 10 * Math.sin(s)), 300);
  assert.ok(warming?.isSteady);
  assert.ok(Math.abs(warming.growth) < 2, `${warming.growth}`);
  // A kilobyte a call is some fifty megabytes in half an hour.
  const leaking = judge(over(1800, (s) => 200 + s * 0.03), 300);
  assert.ok(leaking !== null && !leaking.isSteady);
  assert.ok(leaking.growth > 35, `${leaking.growth}`);
  assert.ok(judge(over(1800, (s) => 300 - s * 0.01), 300)?.isSteady, "it may give some back");
  assert.equal(judge([], 300), null);
  assert.equal(judge(over(600, () => 1), 300), null, "two stretches have to be apart");
});

Deno.test({
  name: "deno task soak: a few seconds of it run without a failure and tell the memory",
  ignore: !isInstalled("ps"),
  async fn() {
    const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.json`));
    const [deno, ...args] = tasks.soak.split(" ");
    assert.equal(deno, "deno");
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args, "--minutes", "0.1"],
      cwd: ROOT,
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.equal(code, 0, text + new TextDecoder().decode(stderr));
    assert.match(
      text,
      /^Memory: \d+\.\d MB after the first 1 s, \d+\.\d MB at the end, [+-]\d+\.\d MB: too short to be judged$/m,
    );
  },
});
