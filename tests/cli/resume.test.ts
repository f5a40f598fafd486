import assert from "node:assert/strict";
import { cli as runCommand, type CliOptions, standIn } from "../helpers/cli.ts";
import { testServer } from "../helpers/server.ts";

/** A bus with a session `c1` that has three events to read, 2 to 4. */
async function backlog() {
  const server = testServer();
  await server.call("register_session", { name: "a", client_id: "c1", machine: "far" });
  for (const payload of ["one", "two", "three"]) {
    await server.call("publish_event", { event_type: "t", payload });
  }
  const resume = async (line: string[] = [], options: Partial<CliOptions> = {}) => {
    const command = ["events", "--session-id", "c1", "--resume", "--order", "asc", ...line];
    const { code, out, err } = await runCommand(command, {
      home: server.home,
      env: { EVENT_BUS_URL: server.url },
      ...options,
    });
    return { code, out, err, ids: (out.match(/^\[\d+\]/gm) ?? []).map((id) => id.slice(1, -1)) };
  };
  return {
    server,
    resume,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

Deno.test("events --resume: shows what is new once, then only what came since", async () => {
  await using bus = await backlog();
  assert.deepEqual((await bus.resume()).ids, ["2", "3", "4"]);
  assert.equal((await bus.resume()).out, "No events\n");
  await bus.server.call("publish_event", { event_type: "t", payload: "four" });
  assert.deepEqual((await bus.resume()).ids, ["5"]);
});

Deno.test("events --resume: pages follow each other until nothing is left", async () => {
  await using bus = await backlog();
  const seen: string[] = [];
  for (let page = await bus.resume(["--limit", "2"]);; page = await bus.resume(["--limit", "2"])) {
    if (page.ids.length === 0) break;
    assert.equal(page.err !== "", page.ids.length === 2, "says that there is more while there is");
    seen.push(...page.ids);
  }
  assert.deepEqual(seen, ["2", "3", "4"]);
});

Deno.test("events --resume: newest first shows the oldest unread page, and buries nothing", async () => {
  await using bus = await backlog();
  const desc = ["--order", "desc", "--limit", "2"];
  assert.deepEqual((await bus.resume(desc)).ids, ["3", "2"]);
  assert.deepEqual((await bus.resume(desc)).ids, ["4"]);
});

Deno.test("events --resume: what could not be written is not marked as read", async () => {
  await using bus = await backlog();
  const failures = [
    new Deno.errors.BrokenPipe("Broken pipe"),
    new Error("No space left on device"),
  ];
  for (const failure of failures) {
    const { code } = await bus.resume([], {
      out() {
        throw failure;
      },
    });
    assert.equal(code, 1);
  }
  assert.deepEqual((await bus.resume()).ids, ["2", "3", "4"]);
});

Deno.test("events --resume: asks, prints, and only then marks as read", async () => {
  const steps: string[] = [];
  await using server = standIn(({ path, body }) => {
    steps.push(`${path} ${JSON.stringify(body)}`);
    return Response.json(
      path === "/v1/get_events"
        ? { events: [], next_cursor: "9", has_more: true, unread: 3 }
        : { cursor: "9", previous_cursor: "1" },
    );
  });
  await using bus = await backlog();
  await bus.resume([], {
    env: { EVENT_BUS_URL: server.url },
    out: (text) => void steps.push(`out ${text.trim()}`),
  });
  assert.deepEqual(steps, [
    '/v1/get_events {"session_id":"c1","order":"asc","resume":true,"peek":true}',
    "out No events",
    '/v1/ack_events {"session_id":"c1","cursor":"9"}',
  ]);
});

Deno.test("events --resume: a reader that was overtaken has nothing to complain about", async () => {
  await using bus = await backlog();
  const { url } = bus.server;
  let shown = "";
  // Another reader of the same session marks everything as read while this one prints.
  await using between = standIn(async ({ path, body }) => {
    if (path === "/v1/ack_events") await bus.server.call("ack_events", { ...body, cursor: "4" });
    const answer = await fetch(url + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return new Response(await answer.text(), { status: answer.status });
  });
  const { code, err } = await bus.resume(["--limit", "1"], {
    env: { EVENT_BUS_URL: between.url },
    out: (text) => void (shown += text),
  });
  assert.equal(code, 0, err);
  assert.match(shown, /^\[2\]/);
  assert.equal((await bus.resume()).out, "No events\n", "the further position stands");
});

Deno.test("events --resume: --peek, a cursor and a narrowed read leave everything unread", async () => {
  await using bus = await backlog();
  const pure = [
    ["--peek"],
    ["--cursor", "3"],
    ["--channel", "all"],
    ["--include", "t"],
    ["--correlation-id", "none"],
  ];
  for (const line of pure) {
    assert.equal((await bus.resume(line)).code, 0);
    assert.deepEqual((await bus.resume(["--peek"])).ids, ["2", "3", "4"], line.join(" "));
  }
  assert.deepEqual((await bus.resume(["--cursor", "3"])).ids, ["4"], "the cursor says from where");
});

Deno.test("events --resume: what --exclude and --min-level hide counts as read", async () => {
  await using bus = await backlog();
  assert.equal((await bus.resume(["--exclude", "t"])).out, "No events\n");
  assert.equal((await bus.resume()).out, "No events\n");
  await bus.server.call("publish_event", { event_type: "t", payload: "four" });
  assert.equal((await bus.resume(["--min-level", "actionable"])).out, "No events\n");
  assert.equal((await bus.resume()).out, "No events\n");
});

Deno.test("events --resume --json: is marked as read like text", async () => {
  await using bus = await backlog();
  const { out } = await bus.resume(["--json"]);
  const page = JSON.parse(out);
  assert.deepEqual(page.events.map((event: { id: number }) => event.id), [2, 3, 4]);
  assert.equal(page.next_cursor, "4");
  assert.deepEqual(JSON.parse((await bus.resume(["--json"])).out).events, []);
});

Deno.test("events --resume: its own events are not news to a session", async () => {
  await using bus = await backlog();
  await bus.server.call("publish_event", { event_type: "t", payload: "mine", session_id: "c1" });
  assert.deepEqual((await bus.resume()).ids, ["2", "3", "4"]);
});

Deno.test("events --resume: an unknown session is an error, never an empty page", async () => {
  await using bus = await backlog();
  const { code, out, err } = await bus.resume(["--session-id", "nobody"]);
  assert.equal(code, 1);
  assert.equal(out, "");
  assert.match(err, /^Error: Session not found\n$/);
});

Deno.test("events: a reader that comes after its events were pruned is told where they are, and goes on", async () => {
  await using bus = await backlog();
  let acked = "";
  await using server = standIn(({ path, body }) => {
    if (path === "/v1/ack_events") acked = body.cursor;
    const empty = { events: [], next_cursor: "9", has_more: false, unread: 0 };
    return Response.json({ ...empty, archived_through: "7" });
  });
  const env = { EVENT_BUS_URL: server.url };
  const { out, err } = await bus.resume([], { env });
  const said = "Events through 7 have left the log: read them with event-bus events --archive\n";
  assert.deepEqual([out, err, acked], ["No events\n", said, "9"]);
  const { out: json, err: none } = await bus.resume(["--json"], { env });
  assert.deepEqual([JSON.parse(json).archived_through, none], ["7", ""]);
});
