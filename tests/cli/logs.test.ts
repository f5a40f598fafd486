import assert from "node:assert/strict";
import { join } from "node:path";
import { followFile, tailOf } from "../../cli/service/tail.ts";
import { cli } from "../helpers/cli.ts";
import { type Home, tempHome } from "../helpers/home.ts";

const LOG = ".claude/contrib/event-bus/event-bus.log";

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`);
const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

Deno.test("tailOf gives the last lines, whole, also of a file of many blocks", () => {
  using home = tempHome();
  const lines = numbered(1, 30_000).map((line) => `${line} äöü😀`);
  const file = home.write("log", text(lines));
  for (const count of [0, 1, 2, 50, 9000, 30_000, 99_999]) {
    assert.deepEqual(tailOf(file, count)?.lines, count === 0 ? [] : lines.slice(-count));
  }
  assert.equal(tailOf(join(home.path, "none"), 5), null);
  assert.deepEqual(tailOf(home.write("empty", ""), 5), { lines: [], end: 0 });
});

Deno.test("tailOf leaves a line that is being written to whoever reads on", () => {
  using home = tempHome();
  assert.deepEqual(tailOf(home.write("log", "a\nb\nhal"), 5), { lines: ["a", "b"], end: 4 });
});

/** A follower whose lines can be waited for. */
function follow(path: string, from: number) {
  const shown: string[] = [];
  let wake = () => {};
  const stop = new AbortController();
  const ended = followFile(path, from, (lines) => {
    shown.push(...lines);
    wake();
  }, stop.signal);
  return {
    shown,
    async until(last: string) {
      while (shown.at(-1) !== last) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

const append = (path: string, more: string) => Deno.writeTextFileSync(path, more, { append: true });

Deno.test("followFile shows what is added, across rotation and emptying, each line once", async () => {
  using home = tempHome();
  const file = home.write("logs/log", "old\n");
  await using follower = follow(file, 4);
  append(file, "one\ntwo\nthr");
  await follower.until("two");
  append(file, "ee\n");
  await follower.until("three");
  append(file, "last words\n");
  Deno.renameSync(file, `${file}.1`);
  home.write("logs/log", "successor\n");
  await follower.until("successor");
  Deno.truncateSync(file);
  append(file, "anew\n");
  await follower.until("anew");
  assert.deepEqual(follower.shown, ["one", "two", "three", "last words", "successor", "anew"]);
});

Deno.test("followFile waits for a file that is not there yet, but not for its folder", async () => {
  using home = tempHome();
  const file = join(home.path, "log");
  await using follower = follow(file, 0);
  append(file, "first\n");
  await follower.until("first");
  await assert.rejects(followFile(join(home.path, "no", "log"), 0, () => {}), /no such folder/);
});

function homeWithLog(): Home {
  const home = tempHome();
  home.write(LOG, text(numbered(1, 60)));
  return home;
}

Deno.test("logs prints the end of the configured log, harmless on a terminal", async () => {
  using home = homeWithLog();
  const { out, code } = await cli(["logs"], { home });
  assert.equal(code, 0);
  assert.equal(out, text(numbered(11, 60)));
  const other = home.write("other.log", "a\u001b[31mb\nc\n");
  const env = { EVENT_BUS_LOG: other };
  assert.equal((await cli(["logs", "-n", "2"], { home, env })).out, "a\\u001b[31mb\nc\n");
  const json = await cli(["logs", "--lines", "1", "--json"], { home, env });
  assert.deepEqual(JSON.parse(json.out), { file: other, lines: ["c"] });
});

Deno.test("logs says where the log would be, and that a remote bus has its own", async () => {
  using home = tempHome();
  const absent = await cli(["logs"], { home });
  assert.equal(absent.code, 1);
  assert.match(absent.err, new RegExp(`there is none at ${join(home.path, LOG)}`));
  home.write(".claude/contrib/event-bus/event-bus.err", "Error: no\n");
  assert.match((await cli(["logs"], { home })).err, /printed is in .*event-bus\.err/);
  const remote = await cli(["--url", "http://100.64.0.1:8080/mcp", "logs"], { home });
  assert.equal(remote.code, 1);
  assert.match(remote.err, /the bus is at http:\/\/100\.64\.0\.1:8080, and its log is on that/);
  assert.equal((await cli(["logs", "--lines", "many"], { home })).code, 2);
});

Deno.test("logs --follow ends when nobody reads any more", async () => {
  using home = homeWithLog();
  const out = () => {
    throw new Deno.errors.BrokenPipe();
  };
  const { code, err } = await cli(["logs", "-f"], { home, out });
  assert.deepEqual({ code, err }, { code: 1, err: "" });
});
