import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient, Refusal } from "../../cli/client.ts";
import { blocksOf, follow, type Following, type Step } from "../../cli/follow.ts";
import { CliError } from "../../cli/verb.ts";
import { cli as runCommand, type CliOptions } from "../helpers/cli.ts";
import { tempHome } from "../helpers/home.ts";
import { testServer } from "../helpers/server.ts";
import { wireTo } from "../helpers/wire.ts";

const clientAt = (url: string, silenceMs = 30_000) =>
  createClient({ url, token: null, timeoutMs: 5000, silenceMs });

/** A follower that never pauses for long, and notes when the bus was away and back. */
function following(options: Partial<Following> = {}) {
  const notes: string[] = [];
  const stop = new AbortController();
  return {
    notes,
    stop,
    options: {
      signal: stop.signal,
      away: () => void notes.push("away"),
      back: () => void notes.push("back"),
      pauseMs: 1,
      ...options,
    },
  };
}

async function take(steps: AsyncGenerator<Step>, count: number): Promise<number[]> {
  const ids: number[] = [];
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return ids;
    if (value.event !== null) ids.push(value.event.id);
    if (ids.length === count) return ids;
  }
}

async function failureOf(steps: AsyncGenerator<Step>): Promise<unknown> {
  return await take(steps, Infinity).then(
    (ids) => assert.fail(`It ended well, after ${ids}`),
    (thrown: unknown) => thrown,
  );
}

Deno.test("blocksOf: the same blocks wherever the pieces were cut", async () => {
  const text = 'retry: 1\nid: 0\n\n:\n\nid: 1\ndata: {"a":"\u2028 b: c"}\n\nid: 2\n\n' +
    "event: end\ndata: {}\n\ndata: of a block that never ends\n";
  const expected = [
    { event: "", id: "0", data: "" },
    { event: "", id: undefined, data: "" },
    { event: "", id: "1", data: '{"a":"\u2028 b: c"}' },
    { event: "", id: "2", data: "" },
    { event: "end", id: undefined, data: "{}" },
  ];
  for (let cut = 0; cut <= text.length; cut++) {
    const pieces = (async function* () {
      yield text.slice(0, cut);
      yield text.slice(cut);
    })();
    assert.deepEqual(await Array.fromAsync(blocksOf(pieces)), expected, `cut at ${cut}`);
  }
});

Deno.test("follow: goes on after a cut where it was, and says once that the bus was away and is back", async () => {
  await using server = testServer();
  await using wire = wireTo(server.url);
  const { notes, stop, options } = following();
  const steps = follow(clientAt(wire.url), {}, options);
  assert.deepEqual(
    (await steps.next()).value,
    { id: "0", event: null },
    "it knows where it begins",
  );
  await server.call("publish_event", { event_type: "t", payload: "one" });
  assert.deepEqual(await take(steps, 1), [1]);

  wire.target = null;
  wire.cut();
  for (const payload of ["two", "three"]) {
    await server.call("publish_event", { event_type: "t", payload });
  }
  const next = take(steps, 2);
  const before = wire.connections;
  while (wire.connections < before + 3) await new Promise((resolve) => setTimeout(resolve));
  wire.target = server.url;
  assert.deepEqual(await next, [2, 3]);
  assert.deepEqual(notes, ["away", "back"]);
  stop.abort();
  assert.equal((await steps.next()).done, true);
});

Deno.test("follow: what was passed over is not looked through again", async () => {
  const asked: (string | null)[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    asked.push(request.headers.get("last-event-id"));
    return new Response(
      asked.length === 1 ? "id: 3\n\nid: 9\n\n" : "id: 9\n\nevent: end\ndata: {}\n\n",
      {
        headers: { "Content-Type": "text/event-stream" },
      },
    );
  });
  const { options } = following();
  const steps = follow(clientAt(`http://127.0.0.1:${server.addr.port}`), {}, options);
  assert.ok(
    await failureOf(steps) instanceof Refusal,
    "the end that it was told is no lost connection",
  );
  assert.deepEqual(asked, [null, "9"]);
  await server.shutdown();
});

Deno.test("events --follow: says that what it asked for has left the log", async () => {
  using home = tempHome();
  const blocks = 'id: 3\n\nevent: archived\ndata: {"through":"7"}\n\nid: 8\ndata: {"id":8,' +
    '"event_type":"t","payload":"","channel":"all","session_id":"s","timestamp":"2026-01-08"}\n\n';
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(blocks, { headers: { "Content-Type": "text/event-stream" } }),
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  const line = ["events", "--follow", "--json", "--cursor", "3", "--limit", "1", "--url", url];
  const { out, err } = await runCommand(line, { home });
  assert.equal(JSON.parse(out).id, 8);
  assert.match(err, /^Events through 7 have left the log: .*--archive\n$/);
  await server.shutdown();
});

Deno.test("follow: nobody there at first is an error, and so is whatever is no event-bus", async () => {
  await using wire = wireTo(null);
  const { options, notes } = following();
  assert.ok(await failureOf(follow(clientAt(wire.url), {}, options)) instanceof CliError);
  const other = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("<html>"),
  );
  const failure = await failureOf(
    follow(clientAt(`http://127.0.0.1:${other.addr.port}`), {}, options),
  );
  assert.match((failure as Error).message, /it is not an event-bus/);
  assert.deepEqual(notes, []);
  await other.shutdown();
});

Deno.test("follow: an end of the session ends it with the bus's reason, and it does not come back", async () => {
  await using server = testServer();
  await server.call("register_session", { name: "a", client_id: "c1", machine: "far" });
  await using wire = wireTo(server.url);
  const { options, notes } = following();
  const steps = follow(clientAt(wire.url), { session_id: "c1" }, options);
  await steps.next();
  await server.call("unregister_session", { session_id: "c1" });
  const failure = await failureOf(steps);
  assert.ok(failure instanceof Refusal);
  assert.equal(failure.body.code, "session_ended");
  assert.equal(wire.connections, 1);
  assert.deepEqual(notes, []);
});

Deno.test("follow: a connection that was silent for too long is lost, and another is made", async () => {
  let asked = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    const silent = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode("id: 0\n\n")),
    });
    const body = ++asked === 1 ? silent : 'id: 1\ndata: {"id":1}\n\n';
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  });
  const { options, notes, stop } = following();
  const steps = follow(clientAt(`http://127.0.0.1:${server.addr.port}`, 20), {}, options);
  assert.deepEqual(await take(steps, 1), [1]);
  assert.deepEqual(notes, ["away", "back"]);
  stop.abort();
  await steps.return();
  await server.shutdown();
});

/** A bus with a session `c1` that has three events to read, 2 to 4. */
async function backlog() {
  const server = testServer();
  await server.call("register_session", { name: "a", client_id: "c1", machine: "far" });
  for (const event_type of ["t", "u", "t"]) {
    await server.call("publish_event", { event_type, payload: "p" });
  }
  return {
    server,
    async follow(line: string[], options: Partial<CliOptions> = {}) {
      const env = { EVENT_BUS_URL: server.url };
      const ended = await runCommand(["events", "--follow", ...line], {
        home: server.home,
        env,
        ...options,
      });
      return { ...ended, ids: (ended.out.match(/^\[\d+\]/gm) ?? []).map((id) => id.slice(1, -1)) };
    },
    /** Where a consumer of `c1` stands, and what moved it. */
    async standing(consumer = "main") {
      const reading = { session_id: "c1", consumer, resume: true, peek: true, limit: 0 };
      return (await server.call("get_events", reading)).next_cursor;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

Deno.test("events --follow --resume: prints what was unread, marks it, and by the way of a stream", async () => {
  await using bus = await backlog();
  const { code, ids, err } = await bus.follow([
    "--session-id",
    "c1",
    "--resume",
    "--limit",
    "3",
  ]);
  assert.deepEqual([code, ids, err], [0, ["2", "3", "4"], ""]);
  assert.equal(await bus.standing(), "4");
  const { others, audience } = await bus.server.call("get_delivery", { event_id: 4 });
  const [receipt] = [...audience, ...others];
  assert.deepEqual([receipt.session_id, receipt.state, receipt.path], ["c1", "has", "stream"]);
});

Deno.test("events --follow --json: one line for each event", async () => {
  await using bus = await backlog();
  const { out } = await bus.follow(["--cursor", "1", "--limit", "2", "--json"]);
  const lines = out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ event_id, event_type }) => [event_id, event_type]), [[2, "t"], [
    3,
    "u",
  ]]);
});

Deno.test("events --follow: what could not be written is not marked, and a closed pipe is no failure", async () => {
  await using bus = await backlog();
  const failures: [failure: Error, code: number][] = [
    [new Deno.errors.BrokenPipe("Broken pipe"), 0],
    [new Error("No space left on device"), 1],
  ];
  for (const [index, [failure, expected]] of failures.entries()) {
    let printed = 0;
    const { code } = await bus.follow(["--session-id", "c1", "--resume"], {
      out() {
        if (++printed > 1) throw failure;
      },
    });
    assert.equal(code, expected);
    assert.equal(await bus.standing(), String(2 + index), "the one that was written");
  }
});

Deno.test("events --follow: only a resumed read marks, a narrowed one on a consumer of its own", async () => {
  await using bus = await backlog();
  const me = ["--session-id", "c1", "--limit", "1"];
  const cases: [line: string[], consumer: string, stands: string][] = [
    [[...me, "--cursor", "1"], "main", "1"],
    [[...me, "--resume", "--peek"], "main", "1"],
    [[...me, "--resume", "--cursor", "2"], "main", "1"],
    [[...me, "--resume", "--include", "u"], "main", "1"],
    [[...me, "--resume", "--consumer", "ci", "--include", "u"], "ci", "3"],
    [[...me, "--resume", "--exclude", "t"], "main", "3"],
  ];
  for (const [line, consumer, stands] of cases) {
    const { code, ids } = await bus.follow(line);
    assert.deepEqual([code, ids.length], [0, 1], line.join(" "));
    assert.equal(await bus.standing(consumer), stands, line.join(" "));
  }
});

Deno.test("events --follow: without --resume it begins now, for whoever's shell it is", async () => {
  await using bus = await backlog();
  let over = false;
  const following = bus.follow(["--limit", "2"], {
    env: { EVENT_BUS_URL: bus.server.url, CLAUDE_CODE_SESSION_ID: "c1" },
  }).finally(() => over = true);
  // Until it is there nobody hears; its own session's events are shown as well.
  const publish = { event_type: "t", payload: "p", session_id: "c1" };
  while (!over) await bus.server.call("publish_event", publish);
  const { code, ids } = await following;
  assert.equal(code, 0);
  assert.equal(Number(ids[1]) - Number(ids[0]), 1);
  assert.ok(Number(ids[0]) > 4);
  assert.equal(await bus.standing(), "1");
});

Deno.test("events --follow: each error has its own message and exit code", async () => {
  await using bus = await backlog();
  await bus.server.call("register_session", { name: "b", client_id: "c2", machine: "far" });
  await bus.server.call("unregister_session", { session_id: "c2" });
  const cases: [line: string[], code: number, error: RegExp][] = [
    [["--order", "desc"], 2, /--follow takes neither --wait nor --order desc/],
    [["--wait", "3"], 2, /--follow takes neither/],
    [["--limit", "0"], 2, /--limit "0" with --follow/],
    [["--limit", "x"], 2, /--limit "x"/],
    [["--resume"], 2, /^Error: --resume requires --session-id, or a --consumer/],
    [["--cursor", "99"], 2, /cursor "99".*the newest/],
    [["--min-level", "loud"], 2, /min_level/],
    [["--session-id", "nobody", "--resume"], 1, /^Error: Session not found\n/],
    [["--session-id", "c2", "--resume"], 1, /^Error: Session deleted\n/],
    [["--session-id", "c2"], 1, /^Error: Session deleted\n/],
    [["--url", "http://127.0.0.1:1"], 3, /^Error: Cannot reach the bus/],
  ];
  for (const [line, code, error] of cases) {
    const ended = await bus.follow(line);
    assert.equal(ended.code, code, line.join(" "));
    assert.match(ended.err, error, line.join(" "));
    assert.equal(ended.out, "", line.join(" "));
  }
});

Deno.test("events --follow: a restart of the bus is told on stderr, and loses nothing", async () => {
  using home = tempHome();
  const db = join(home.path, "bus.db");
  await using wire = wireTo(null);
  let printed = "";
  const some = Promise.withResolvers<void>();
  let following: ReturnType<typeof runCommand> | undefined;
  {
    await using server = testServer({ db });
    wire.target = server.url;
    await server.call("publish_event", { event_type: "t", payload: "one" });
    const line = ["events", "--follow", "--cursor", "0", "--limit", "3", "--json"];
    following = runCommand(line, {
      home,
      env: { EVENT_BUS_URL: wire.url },
      out(text) {
        printed += text;
        some.resolve();
      },
    });
    await some.promise;
    await server.call("publish_event", { event_type: "t", payload: "two" });
  }
  await using server = testServer({ db });
  await server.call("publish_event", { event_type: "t", payload: "three" });
  wire.target = server.url;
  const { code, err } = await following;
  assert.equal(code, 0);
  const payloads = printed.trimEnd().split("\n").map((line) => JSON.parse(line).payload);
  assert.deepEqual(payloads, ["one", "two", "three"]);
  assert.match(err, /^The bus is away, waiting for it: .*\nThe bus is back\n$/);
});
