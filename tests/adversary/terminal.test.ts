/** What others wrote, on the terminal of whoever reads it: shown, never obeyed. */
import assert from "node:assert/strict";
import { VERBS } from "../../cli/verbs.ts";
import { cli, standIn } from "../helpers/cli.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { testServer } from "../helpers/server.ts";

/** Clears the screen, sets the title, forges a line, rings, turns text around; in several encodings. */
const HOSTILE = [
  "a\u001b[2J\u001b[1;1Hb",
  "\u001b]0;owned\u0007",
  "\u001b]8;;https://evil.example\u001b\\\\click\u001b]8;;\u001b\\\\",
  "\u009b31m\u0090q\u009c",
  "ok\r[9] deploy_approved (all) [actionable]",
  "one\u2028two\u2029three\u0085four",
  "\u202egnp.exe\u202c \u2066x\u2069 \u200f\u200e\u061c",
  "bell\u0007 back\b\b\b del\u007f vt\u000b ff\u000c",
];
const ALL = HOSTILE.join(" ");
const LINES = HOSTILE.join("\n");

/** What a terminal obeys. */
const OBEYED = /[[\p{Cc}\p{Bidi_Control}\u2028\u2029]--\n]/v;

/**
 * Verbs that show nothing of others, are about services of this machine, or talk to a program instead of a
 * terminal.
 */
const NOT_HERE = [
  ...["serve", "install", "uninstall", "restart", "help", "version", "restore"],
  ...["hook", "mcp"],
];

/** Command lines that show what is on a bus, by verb. Every verb is here or above. */
const SHOWING: Readonly<Record<string, string[][]>> = {
  register: [["--name", ALL]],
  unregister: [["--session-id", ALL]],
  sessions: [[]],
  channels: [[]],
  publish: [["--type", "t", "--payload", ALL], ["--type", ALL, "--payload", "p"]],
  events: [
    ["--limit", "1000"],
    ["--search", "ok"],
    ["--archive"],
    ["--session-id", "s", "--resume"],
    ["--session-id", ALL, "--resume"],
    ["--channel", ALL],
  ],
  wait: [["--session-id", "t", "--timeout", "1"], ["--type", ALL, "--timeout", "0s"]],
  ack: [["--session-id", ALL, "1"]],
  delivery: [["2"], ["1"]],
  "set-status": [["--session-id", "s", "--status", ALL]],
  token: [["list"], ["revoke", ALL], ["create", "--name", ALL]],
  notify: [["--title", ALL, "--message", ALL]],
  webhook: [["list"], ["test", "1"]],
  status: [[]],
  prune: [["--older-than", "90d", "--dry-run"]],
  backup: [["/no/such/folder/" + ALL.replaceAll("\0", "")]],
  export: [[]],
  import: [[ALL]],
  logs: [[]],
  doctor: [[]],
  statusline: [[]],
};

async function checkVerbs(home: Home, url: string): Promise<string> {
  let shown = "";
  for (const [verb, lines] of Object.entries(SHOWING)) {
    if (!Object.hasOwn(VERBS, verb)) continue;
    for (const line of lines) {
      for (const form of [[], ["--json"]]) {
        const asked = [verb, ...line, "--url", url, ...form];
        const { out, err } = await cli(asked, { home });
        for (const text of [out, err]) {
          assert.doesNotMatch(text, OBEYED, `${verb} ${form}: ${JSON.stringify(text)}`);
        }
        shown += out + err;
      }
    }
  }
  return shown;
}

Deno.test("every verb that shows anything is known here", () => {
  const unknown = Object.keys(VERBS).filter((name) =>
    !Object.hasOwn(SHOWING, name) && !NOT_HERE.includes(name)
  );
  assert.deepEqual(unknown, [], "say in SHOWING with which arguments it shows what others wrote");
});

Deno.test("no verb lets what is on the bus, or in its log, move the cursor or turn text around", async () => {
  await using server = testServer();
  const { home, call } = server;
  // A wait has news; everything that can be called something is called something hostile.
  for (const client_id of ["s", "t"]) {
    await call("register_session", { name: ALL, client_id, machine: ALL.slice(0, 60), cwd: LINES });
  }
  const published = await call("publish_event", {
    event_type: ALL.slice(0, 200),
    payload: LINES,
    channel: "all",
    title: ALL.slice(0, 200),
    tags: HOSTILE.map((text) => text.slice(0, 60)),
    correlation_id: ALL.slice(0, 200),
    session_id: HOSTILE[0],
  });
  assert.ok(published.event_id, JSON.stringify(published));
  await call("set_status", { session_id: "s", status: ALL.slice(0, 100) });
  await call("register_webhook", { url: "http://127.0.0.1:9/", event_types: [ALL.slice(0, 100)] });
  home.write(".claude/contrib/event-bus/event-bus.log", LINES + "\n");
  const shown = await checkVerbs(home, server.url);
  assert.ok(shown.includes("\\u001b[2J") && shown.includes("\\u202e"), "it was shown");
});

/** Whatever is asked of it, every text in the answer is hostile; also those that the bus itself makes up. */
const anything: unknown = {
  ...Object.fromEntries(
    [
      ...["error", "hint", "warning", "session_id", "display_id", "name", "machine", "repo", "cwd"],
      ...["client_id", "state", "state_since", "status", "channel", "event_type", "payload"],
      ...["timestamp", "signal_level", "correlation_id", "title", "tip", "reason", "path", "url"],
      ...["created_at", "database", "version", "token", "cursor", "next_cursor", "previous_cursor"],
    ].map((field) => [field, ALL]),
  ),
  code: "conflict",
  service: "event-bus",
  events: [],
  lines: [],
  held_by: [ALL],
  scopes: [ALL],
  reachable_by: [ALL],
  subscribed_channels: [ALL],
  tags: [ALL],
  audience: [],
  others: [],
  damaged: [{ file: ALL, at: ALL }],
  next: null,
};

for (const status of [200, 409, 503]) {
  Deno.test(`no verb obeys a server that only claims to be a bus, and answers ${status}`, async () => {
    using home = tempHome();
    home.write(".claude/contrib/event-bus/event-bus.log", LINES + "\n");
    const page = { ...(anything as object), events: [anything], next_cursor: null };
    await using evil = standIn(({ path }) => {
      const listed = /list_|channels/.test(path);
      return Response.json(listed && status === 200 ? [anything] : page, { status });
    });
    const shown = await checkVerbs(home, evil.url);
    assert.ok(shown.includes("\\u001b"), "it was shown");
    assert.ok(evil.asked.length > 20);
  });
}
