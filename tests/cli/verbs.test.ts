import assert from "node:assert/strict";
import { cli as runCommand, standIn } from "../helpers/cli.ts";
import { testServer } from "../helpers/server.ts";

/** A bus, and the command line that talks to it. */
function busAndCli() {
  const server = testServer();
  return {
    server,
    cli: (line: string[], env: Record<string, string> = {}) =>
      runCommand(line, { home: server.home, env: { EVENT_BUS_URL: server.url, ...env } }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

Deno.test("cli register: stdout is one JSON object, and people are told on stderr", async () => {
  await using bus = busAndCli();
  const line = ["register", "--name", "naïve ✓"];
  const { code, out, err } = await bus.cli(line, { EVENT_BUS_MACHINE: "home" });
  assert.equal(code, 0);
  const session = JSON.parse(out);
  assert.match(session.session_id, UUID);
  assert.match(session.display_id, /^[a-z]+-[a-z]+$/);
  assert.equal(session.name, "naïve ✓");
  assert.match(out, /^\{\n {2}"session_id": /, "indented by two");
  assert.match(out, /naïve ✓/, "not escaped");
  assert.equal(
    err,
    `\nRegistered as: ${session.display_id}\nSession ID: ${session.session_id}\n`,
  );
  assert.equal((await bus.cli([...line, "--json"])).code, 0, "--json is taken everywhere");
});

Deno.test("cli register: the same client id on the same machine is the same session", async () => {
  await using bus = busAndCli();
  const register = async (machine: string) => {
    const line = ["register", "--client-id", "c 1", "--json"];
    return JSON.parse((await bus.cli(line, { EVENT_BUS_MACHINE: machine })).out);
  };
  const first = await register("home");
  const again = await register("home");
  const elsewhere = await register("laptop");
  assert.equal(first.session_id, "c 1");
  assert.deepEqual([again.session_id, again.resumed], ["c 1", true]);
  assert.equal(elsewhere.session_id, "c 1@laptop");
});

Deno.test("cli sessions, channels: text for people, lists for scripts", async () => {
  await using bus = busAndCli();
  assert.equal((await bus.cli(["sessions"])).out, "No active sessions\n");
  assert.equal((await bus.cli(["sessions", "--json"])).out, "[]\n");
  assert.equal((await bus.cli(["channels"])).out, "No active channels\n");

  await bus.server.call("register_session", {
    name: "Ünï",
    client_id: "c1",
    machine: "far",
    cwd: "/x/repo",
  });
  const { out } = await bus.cli(["sessions"]);
  assert.match(
    out,
    /^Active sessions \(1\):\n\n {2}[a-z]+-[a-z]+ {2}Ünï\n {4}repo: repo, machine: far\n {4}client_id: c1\n {4}age: 0s\n {4}session_id: c1\n {4}channels: all, session:c1, repo:repo, machine:far\n {4}working since \S+, unread: 0, reachable by: nothing\n\n$/,
  );
  const [session] = JSON.parse((await bus.cli(["sessions", "--json"])).out);
  assert.equal(session.session_id, "c1");
  assert.match((await bus.cli(["channels"])).out, /^Active channels \(4\):\n\n {2}all {2}\(1 sub/);
  assert.equal(JSON.parse((await bus.cli(["channels", "--json"])).out).length, 4);
});

Deno.test("cli publish: prints the event, and a warning about a message to nobody on stderr", async () => {
  await using bus = busAndCli();
  const line = ["publish", "--type", "done", "--payload", "日本語 \u009b31m", "--json"];
  const sent = await bus.cli(line);
  assert.equal(sent.code, 0);
  assert.equal(sent.err, "");
  assert.equal(JSON.parse(sent.out).event_id, 1);
  assert.equal(JSON.parse(sent.out).payload, "日本語 \u009b31m");
  assert.ok(!sent.out.includes("\u009b"), "the terminal is left alone");

  const lost = await bus.cli([...line.slice(0, 5), "--channel", "session:nobody"]);
  assert.equal(lost.code, 0);
  assert.match(lost.err, /^Warning: No session is called "nobody"\n$/);
});

Deno.test("cli publish: an ended sender is warned, and the event is there all the same", async () => {
  await using bus = busAndCli();
  await bus.server.call("register_session", { name: "a", client_id: "gone-1", machine: "far" });
  await bus.server.call("unregister_session", { session_id: "gone-1" });
  const line = ["publish", "--type", "t", "--payload", "p", "--session-id", "gone-1"];
  const { code, out, err } = await bus.cli(line);
  assert.equal(code, 0);
  assert.equal(JSON.parse(out).session_deleted, true);
  assert.match(err, /^Warning: the sending session has ended/);
});

Deno.test("cli events: text with an empty sentinel, one line of JSON, a hint when there is more", async () => {
  await using bus = busAndCli();
  assert.deepEqual(await bus.cli(["events"]), { code: 0, out: "No events\n", err: "" });
  for (const payload of ["one", "two\nlines", "three"]) {
    await bus.server.call("publish_event", { event_type: "t", payload });
  }
  const newest = await bus.cli(["events", "--limit", "2"]);
  assert.match(newest.out, /^\[3\] t \(all\) \[info\]\n {4}three\n {4}from: anonymous at .*Z\n\n/);
  assert.match(newest.out, /\[2\] t \(all\) \[info\]\n {4}two\n {4}lines\n/);
  assert.equal(newest.err, "Older events are not shown: raise --limit, or read with --order asc\n");
  const oldest = await bus.cli(["events", "--limit", "1", "--order", "asc"]);
  assert.equal(oldest.err, "More events follow: continue with --cursor 1\n");
  const continued = await bus.cli(["events", "--cursor", "1", "--order", "asc"]);
  assert.deepEqual(continued.out.match(/^\[\d+\]/gm), ["[2]", "[3]"]);

  const { out, err } = await bus.cli(["events", "--json", "--limit", "1"]);
  assert.equal(err, "", "scripts look at has_more");
  assert.equal(out.split("\n").length, 2, "one line");
  const { events, ...rest } = JSON.parse(out);
  assert.equal(events[0].payload, "three");
  assert.deepEqual(rest, { next_cursor: "3", has_more: true, unread: 0 });
});

Deno.test("cli events: the hint that there is more names what leads on", async () => {
  await using bus = busAndCli();
  await bus.server.call("register_session", { name: "a", client_id: "a", machine: "far" });
  for (const payload of ["one", "two", "three"]) {
    await bus.server.call("publish_event", { event_type: "t", payload });
  }
  const hint = async (...line: string[]) => (await bus.cli(["events", ...line])).err;
  const unread = ["--session-id", "a", "--resume", "--limit", "1"];
  assert.match(await hint(...unread, "--peek"), /none were marked as read: raise --limit\n$/);
  assert.match(await hint(...unread, "--channel", "all"), /raise --limit\n$/);
  assert.match(await hint(...unread), /run the same command again\n$/);
});

Deno.test("cli events: an empty page that is not the last says how to look through all", async () => {
  const empty = { events: [], next_cursor: "7", has_more: true, unread: 0 };
  await using bus = busAndCli();
  await using server = standIn(() => Response.json(empty));
  const hint = async (...line: string[]) =>
    (await bus.cli(["events", "--url", server.url, ...line])).err;
  assert.match(await hint(), /^None in the newest part of the log: .* --order asc --cursor 0\n$/);
  assert.match(await hint("--order", "asc"), /continue with --cursor 7\n$/);
});

Deno.test("cli events: --include, --exclude, --channel and --min-level choose", async () => {
  await using bus = busAndCli();
  for (const event_type of ["a", "b", "c", "help_needed"]) {
    await bus.server.call("publish_event", {
      event_type,
      payload: "p",
      channel: `repo:${event_type}`,
    });
  }
  const types = async (...line: string[]) =>
    [...(await bus.cli(["events", "--order", "asc", ...line])).out.matchAll(/^\[\d+\] (\w+)/gm)]
      .map(([, type]) => type);
  assert.deepEqual(await types("--include", "a,c"), ["a", "c"]);
  assert.deepEqual(await types("--exclude", "a, c"), ["b", "help_needed"]);
  assert.deepEqual(await types("--channel", "repo:b"), ["b"]);
  assert.deepEqual(await types("--min-level", "actionable"), ["help_needed"]);
  assert.deepEqual(await types("--include", ""), ["a", "b", "c", "help_needed"], "none is all");
  assert.deepEqual(await types("--limit", "0"), []);
});

Deno.test("cli ack: says where the position was and is, and refuses to go back", async () => {
  await using bus = busAndCli();
  await bus.server.call("register_session", { name: "a", client_id: "c1", machine: "far" });
  await bus.server.call("publish_event", { event_type: "t", payload: "p" });
  const ack = (...line: string[]) => bus.cli(["ack", "--session-id", "c1", ...line]);
  assert.deepEqual(await ack("--cursor", "2"), {
    code: 0,
    out: "Cursor acked: 1 → 2\n",
    err: "",
  });
  const back = await ack("--cursor", "1");
  assert.equal(back.code, 1);
  assert.match(
    back.err,
    /^Error: Cannot move the position back from 2 to 1 without allow_rewind\n$/,
  );
  assert.equal((await ack("--cursor", "1", "--allow-rewind")).out, "Cursor acked: 2 → 1\n");
  const ahead = await ack("--cursor", "99");
  assert.equal(ahead.code, 2);
  assert.match(ahead.err, /from 0 to 2, the newest/);
  const json = JSON.parse((await ack("--cursor", "2", "--json")).out);
  assert.deepEqual([json.cursor, json.previous_cursor], ["2", "1"]);
});

Deno.test("cli unregister: ends by session or by client id, and says who is left", async () => {
  await using bus = busAndCli();
  const env = { EVENT_BUS_MACHINE: "far" };
  for (const id of ["c1", "c2"]) await bus.cli(["register", "--client-id", id], env);
  const first = await bus.cli(["unregister", "--session-id", "c1"], env);
  assert.equal(first.code, 0);
  const { success, session_id, active_sessions } = JSON.parse(first.out);
  assert.deepEqual([success, session_id, active_sessions], [true, "c1", 1]);
  const elsewhere = await bus.cli(["unregister", "--client-id", "c2"]);
  assert.equal(elsewhere.code, 1, "another machine's client id is another session");
  assert.match(elsewhere.err, /^Error: Session not found\n$/);
  assert.equal((await bus.cli(["unregister", "--client-id", "c2"], env)).code, 0);
});

Deno.test("cli: a refusal is one line on stderr, with --json the bus's answer on stdout; both exit 1", async () => {
  await using bus = busAndCli();
  await bus.server.call("register_session", { name: "a", client_id: "c1", machine: "far" });
  await bus.server.call("unregister_session", { session_id: "c1" });
  const line = ["events", "--session-id", "c1"];
  const people = await bus.cli(line);
  assert.equal(people.code, 1);
  assert.equal(people.out, "");
  assert.match(people.err, /^Error: Session deleted\nRegister again with the same client_id.*\n$/);
  const script = await bus.cli([...line, "--json"]);
  assert.equal(script.code, 1);
  assert.equal(script.err, "");
  const refusal = JSON.parse(script.out);
  assert.deepEqual([refusal.code, refusal.session_deleted], ["session_ended", true]);

  const wrong = await bus.cli(["events", "--limit", "many"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /^Error: Cannot run get_events: limit: .*\n$/);
});

Deno.test("cli notify: is honest about a notification that nobody saw", async () => {
  await using bus = busAndCli();
  const line = ["notify", "--title", "T", "--message", "M"];
  const failed = await bus.cli(line);
  assert.equal(failed.code, 1, "a test has no display");
  assert.equal(failed.out, "");
  assert.match(failed.err, /^Notification failed: .+\n$/);
  assert.equal(JSON.parse((await bus.cli([...line, "--json"])).out).success, false);

  await using happy = standIn(() => Response.json({ success: true }));
  const sent = await bus.cli([...line, "--url", happy.url]);
  assert.deepEqual(sent, { code: 0, out: "Notification sent\n", err: "" });
});

Deno.test("cli status: what the bus says of itself, in lines or as JSON", async () => {
  await using bus = busAndCli();
  const { code, out } = await bus.cli(["status"]);
  assert.equal(code, 0);
  assert.match(out, new RegExp(`^url: ${bus.server.url}\nstatus: ok\nservice: event-bus\n`));
  const facts = JSON.parse((await bus.cli(["status", "--json"])).out);
  assert.deepEqual([facts.url, facts.database], [bus.server.url, "ok"]);
  assert.ok(facts.version && facts.schema >= 1 && facts.uptime_seconds >= 0);
});

Deno.test("cli status: a bus whose database is gone is exit 1, one that wants a token too", async () => {
  await using bus = busAndCli();
  await using sick = standIn(() =>
    Response.json({ status: "unavailable", service: "event-bus", database: "gone" }, {
      status: 503,
    })
  );
  const ill = await bus.cli(["status", "--url", sick.url]);
  assert.equal(ill.code, 1);
  assert.match(ill.out, /status: unavailable\n(.*\n)*database: gone\n/);
  await using closed = standIn(() =>
    Response.json({ error: "Cannot serve without a token", code: "unauthenticated" }, {
      status: 401,
    })
  );
  const { code, err } = await bus.cli(["status", "--url", closed.url]);
  assert.equal(code, 1);
  assert.match(
    err,
    /^Error: Cannot serve without a token\nThe bus's token belongs in EVENT_BUS_TOKEN[^\n]*\n$/,
  );
});

Deno.test("cli delivery: tells who has an event and who has not, and refuses what is no event", async () => {
  await using bus = busAndCli();
  for (const client_id of ["a", "b", "c"]) {
    await bus.server.call("register_session", { name: client_id, client_id, machine: "far" });
  }
  await bus.cli(["publish", "--type", "note", "--payload", "x", "--session-id", "a"]);
  await bus.cli(["events", "--session-id", "b", "--resume"]);
  const { code, out } = await bus.cli(["delivery", "4"]);
  assert.equal(code, 0);
  assert.match(
    out,
    /^\[4\] note \(all\)\n {4}from: a at \S+\n\nHas reached 1 of 2:\n {2}\S+: by cli \(main\) at \S+, after \d+ ms\n {2}\S+: not read so far; working since \S+, and nothing reaches it unless it asks\n$/,
  );
  const report = JSON.parse((await bus.cli(["delivery", "4", "--json"])).out);
  assert.deepEqual(report.audience.map((r: { state: string }) => r.state), ["has", "waiting"]);
  const missing = await bus.cli(["delivery", "99"]);
  assert.deepEqual([missing.code, missing.out], [1, ""]);
  assert.match(missing.err, /there is none/);
  for (const line of [["delivery"], ["delivery", "x"]]) {
    assert.equal((await bus.cli(line)).code, 2);
  }
});

Deno.test("cli set-status: is shown by sessions, and taken back by an empty text", async () => {
  await using bus = busAndCli();
  await bus.server.call("register_session", { name: "a", client_id: "a", machine: "far" });
  const line = ["set-status", "--session-id", "a"];
  assert.equal(
    (await bus.cli([...line, "on it", "--state", "waiting"])).out,
    "Status: on it\nState: waiting\n",
  );
  const { out } = await bus.cli(["sessions"]);
  assert.match(
    out,
    /\n {4}waiting since \S+, unread: 0, reachable by: nothing\n {4}status: on it\n/,
  );
  assert.equal((await bus.cli([...line, "--state", "idle"])).out, "State: idle\n");
  assert.equal((await bus.cli([...line, ""])).out, "Status: none\n");
  assert.equal((await bus.cli(line)).code, 2);
  assert.equal((await bus.cli(["set-status", "x"])).code, 2);
  assert.equal((await bus.cli([...line, "x", "--state", "odd"])).code, 2);
});

Deno.test("cli sessions: says when each path to a session last worked, unless the bus is too old to know", async () => {
  await using bus = busAndCli();
  await bus.server.call("register_session", { name: "a", client_id: "a", machine: "far" });
  assert.doesNotMatch((await bus.cli(["sessions"])).out, /paths/);
  await bus.cli(["publish", "--type", "note", "--payload", "x"]);
  await bus.cli(["events", "--session-id", "a", "--resume"]);
  assert.match((await bus.cli(["sessions"])).out, /\n {4}paths: cli \d+ s ago\n\n$/);
  const [session] = JSON.parse((await bus.cli(["sessions", "--json"])).out);
  assert.equal(session.paths, undefined, "what scripts read stays as it is");

  await using old = standIn(({ path }) =>
    path === "/v1/list_sessions"
      ? Response.json([session])
      : Response.json({ error: "No operation", code: "not_found" }, { status: 404 })
  );
  const { code, out } = await bus.cli(["sessions", "--url", old.url]);
  assert.equal(code, 0);
  assert.match(out, /^Active sessions \(1\):\n/);
});

Deno.test("cli status: says how many sessions there are, and how many nothing reaches", async () => {
  await using bus = busAndCli();
  assert.match((await bus.cli(["status"])).out, /\nsessions: 0\nseen in/);
  await bus.server.call("register_session", { name: "a", client_id: "a", machine: "far" });
  const { out } = await bus.cli(["status"]);
  assert.match(
    out,
    /\nsessions: 1, 1 that nothing reaches unless they ask, see event-bus doctor\n/,
  );
  const { sessions } = JSON.parse((await bus.cli(["status", "--json"])).out);
  assert.deepEqual(sessions, { count: 1, deaf: 1 });

  await using old = standIn(({ path }) =>
    path === "/health"
      ? Response.json({ service: "event-bus", status: "ok" })
      : path === "/v1/get_delivery_times"
      ? Response.json({ count: 0 })
      : Response.json({ error: "No operation", code: "not_found" }, { status: 404 })
  );
  const told = await bus.cli(["status", "--url", old.url]);
  assert.equal(told.code, 0);
  assert.doesNotMatch(told.out, /sessions/);
});

Deno.test("cli status: says how soon events were seen", async () => {
  await using bus = busAndCli();
  assert.match((await bus.cli(["status"])).out, /\nseen in the last hour: nothing\n$/);
  await bus.server.call("register_session", { name: "a", client_id: "a", machine: "far" });
  await bus.cli(["publish", "--type", "note", "--payload", "x"]);
  await bus.cli(["events", "--session-id", "a", "--resume"]);
  const { out } = await bus.cli(["status"]);
  assert.match(out, /\nseen in the last hour: 1 events, p50 \d+ ms, p95 \d+ ms, p99 \d+ ms\n$/);
  const { delivery } = JSON.parse((await bus.cli(["status", "--json"])).out);
  assert.equal(delivery.count, 1);
});

Deno.test("cli publish: a reply goes back to the asker, and a repeated key changes nothing", async () => {
  await using bus = busAndCli();
  await bus.server.call("register_session", { name: "a", client_id: "a", machine: "far" });
  await bus.cli(["publish", "--type", "help_needed", "--payload", "?", "--session-id", "a"]);
  const line = ["publish", "--type", "t", "--payload", "!", "--reply-to", "2", "--dedupe-key", "k"];
  const first = JSON.parse((await bus.cli(line)).out);
  assert.deepEqual([first.channel, first.correlation_id], ["session:a", "event:2"]);
  const again = JSON.parse((await bus.cli(line)).out);
  assert.deepEqual([again.event_id, again.duplicate], [first.event_id, true]);
  assert.equal((await bus.cli([...line, "--reply-to", "x"])).code, 2);
});

Deno.test("cli ack: a consumer of its own name has a position of its own", async () => {
  await using bus = busAndCli();
  await bus.cli(["publish", "--type", "t", "--payload", "x"]);
  assert.equal((await bus.cli(["ack", "--cursor", "1"])).code, 2);
  const { code, out } = await bus.cli(["ack", "--cursor", "1", "--consumer", "ci"]);
  assert.deepEqual([code, out], [0, "Cursor acked: start → 1\n"]);
  const back = await bus.cli(["ack", "--cursor", "0", "--consumer", "ci"]);
  assert.match(back.err, /without allow_rewind/);
});

Deno.test("cli version, help: answer as JSON like every command", async () => {
  await using bus = busAndCli();
  const version = JSON.parse((await bus.cli(["version", "--json"])).out);
  assert.deepEqual(Object.keys(version), ["version", "build", "deno"]);
  const { commands } = JSON.parse((await bus.cli(["help", "--json"])).out);
  assert.equal(commands.publish, "publish an event");
  const { help } = JSON.parse((await bus.cli(["help", "publish", "--json"])).out);
  assert.match(help, /^Publish an event;/);
});
