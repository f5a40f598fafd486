/** The server's log: dated lines in either form, which nobody can forge, rotated by size. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import type { LogFormat } from "../src/config.ts";
import { startLog } from "../src/log.ts";
import { tempHome } from "./helpers/home.ts";

const log = getLogger(["event-bus", "test"]);

/** What is in the log after `write`. */
async function logged(format: LogFormat, write: () => void): Promise<string> {
  using home = tempHome();
  const path = join(home.path, "event-bus.log");
  const stop = await startLog(path, "info", null, format);
  write();
  await stop();
  return Deno.readTextFileSync(path);
}

/** A line of the log as it would be, line ends of all kinds, ANSI, a title, bidi, unseen, half a pair. */
const FORGED =
  "x\n2026-01-08 12:00:00.000 +00:00 [INFO] event-bus·operations: forged ok\r\u2028\u2029\u0085" +
  '\u001b[2J\u009b31m\u001b]0;t\u0007\u202e\u2066\u200b\ufeff\u{e0041}\ud800"\\ {operation}';

for (const format of ["pretty", "json"] as const) {
  Deno.test(`startLog: nothing that a caller sent breaks out of its line (${format})`, async () => {
    const text = await logged(format, () => {
      log.error("{method} {path} failed: {failure}", {
        method: "GET",
        path: FORGED,
        failure: new Error(FORGED),
        [FORGED]: { [FORGED]: [FORGED] },
      });
      // Should one of our own texts ever hold it.
      log.warn(`careless ${FORGED}`);
      log.info("after");
    });
    const lines = text.split("\n");
    assert.equal(lines.length, 4, text);
    assert.equal(lines.pop(), "");
    assert.doesNotMatch(lines.join(""), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
    assert.match(lines[0] ?? "", /forged ok/, "it is told, and does no harm");
  });
}

Deno.test("startLog: pretty lines have a date, a level, their source, and values in quotes", async () => {
  const text = await logged("pretty", () => {
    log.debug("too fine");
    log.info("notify took {ms} ms for {peer}", { ms: 0.4, peer: "::1", more: "facts" });
  });
  assert.match(
    text,
    /^\d{4}-\d\d-\d\d[T ][\d:.]+\S* ?\S* \[INFO\] event-bus·test: notify took 0\.4 ms for "::1"\n$/,
  );
});

Deno.test("startLog: json lines are objects with a date, a level, a message, its source and its facts", async () => {
  const text = await logged("json", () => {
    log.debug("too fine");
    log.warn("{operation} failed: {failure}", { operation: "notify", failure: new Error("why") });
    log.info("{text}", { text: FORGED });
  });
  const [first, second] = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const { "@timestamp": at, properties, message, ...rest } = first;
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000 && at.endsWith("Z"));
  assert.deepEqual(rest, { level: "WARN", logger: "event-bus.test" });
  assert.match(message, /^"?notify"? failed: /);
  assert.equal(properties.operation, "notify");
  assert.equal(properties.failure.message, "why");
  assert.equal(properties.failure.stack.includes("log.test.ts"), true);
  assert.equal(second.properties.text, FORGED, "what was sent can be read back");
});

Deno.test("startLog: rotates by size", async () => {
  using home = tempHome();
  const path = join(home.path, "event-bus.log");
  const stop = await startLog(path, "info");
  const block = "x".repeat(1024 * 1024);
  for (let megabyte = 0; megabyte < 25; megabyte++) log.info("{block}", { block });
  await stop();
  const files = [...Deno.readDirSync(home.path)].filter(({ isFile }) => isFile);
  assert.ok(files.length === 3, `${files.map(({ name }) => name)}`);
  for (const { name } of files) {
    assert.ok(Deno.statSync(join(home.path, name)).size < 12 * 1024 * 1024, name);
  }
});
