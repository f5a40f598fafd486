import assert from "node:assert/strict";
import {
  channelsText,
  deliveryText,
  eventsText,
  jsonLine,
  pretty,
  safe,
  safeLine,
  sessionsText,
  type WireEvent,
  type WireSession,
} from "../../cli/format.ts";

const EVENT: WireEvent = {
  id: 7,
  event_type: "task_completed",
  payload: "Finished",
  session_id: "brave-otter",
  timestamp: "2026-01-08T12:00:00.000Z",
  channel: "repo:my-project",
  correlation_id: null,
  signal_level: "info",
};

const SESSION: WireSession = {
  session_id: "0123456789abcdef0",
  display_id: "brave-otter",
  name: "my-feature",
  machine: "home",
  repo: "bus",
  cwd: "/src/bus",
  client_id: "42",
  age_seconds: 61.9,
  subscribed_channels: ["all", "repo:bus"],
  state: "idle",
  state_since: "2026-01-08T12:00:00.000Z",
  status: null,
  unread: 3,
  reachable_by: ["stream", "webhook"],
};

/** What a terminal would obey, each with its own escape. */
const HARMFUL = [
  "\u001b[2J",
  "\u0007",
  "\r",
  "\b",
  "\u009b31m",
  "\u007f",
  "\u2028",
  "\u202e",
  "\0",
];

Deno.test("safe: whatever moves a cursor or turns the text around becomes visible", () => {
  for (const text of HARMFUL) {
    const shown = safe(`a${text}b`);
    assert.doesNotMatch(shown, /[\p{Cc}\u2028\u202e]/u, JSON.stringify(text));
    assert.match(shown, /^a\\u[0-9a-f]{4}.*b$/);
  }
  assert.equal(safe("a\u001bb"), "a\\u001bb");
});

Deno.test("safe: people's letters, newlines and indentation stay", () => {
  const text = "naïve ✓ 日本語 🦦 e\u0301 שלום\nnext";
  assert.equal(safe(text), text);
  assert.equal(safe("a\r\nb"), "a\nb");
  assert.equal(safe("a\tb"), "a    b");
  assert.equal(safeLine("a\nb\r\nc"), "a\\nb\\nc");
});

Deno.test("pretty and jsonLine: are JSON of the same value, and no terminal obeys them", () => {
  const value = { text: HARMFUL.join("x") + "naïve ✓ 🦦", lone: "\ud800", list: [1, null] };
  for (const text of [pretty(value), jsonLine(value)]) {
    assert.deepEqual(JSON.parse(text), value);
    assert.doesNotMatch(text, /(?!\n)[\p{Cc}\u2028\u2029\u202a-\u202e]/u);
    assert.match(text, /naïve ✓ 🦦/, "people's letters are not escaped");
  }
  assert.equal(pretty({ a: 1 }), '{\n  "a": 1\n}\n');
  assert.equal(jsonLine({ a: 1 }), '{"a":1}\n');
});

Deno.test("eventsText: has the original's shape, with level, title, thread and tags", () => {
  assert.equal(eventsText([]), "No events\n");
  assert.equal(
    eventsText([EVENT]),
    "[7] task_completed (repo:my-project) [info]\n" +
      "    Finished\n" +
      "    from: brave-otter at 2026-01-08T12:00:00.000Z\n\n",
  );
  assert.equal(
    eventsText([{ ...EVENT, title: "T", correlation_id: "c1", tags: ["a", "b"] }, EVENT]),
    "[7] task_completed (repo:my-project) [info]\n" +
      "    title: T\n" +
      "    Finished\n" +
      "    from: brave-otter at 2026-01-08T12:00:00.000Z corr:c1 tags:a,b\n\n" +
      "[7] task_completed (repo:my-project) [info]\n" +
      "    Finished\n" +
      "    from: brave-otter at 2026-01-08T12:00:00.000Z\n\n",
  );
});

Deno.test("eventsText: no field can forge an event or a line of its own", () => {
  const forged = "x\n\n[8] trusted (all) [info]\r\n[9] more\u001b[1A\n[10]";
  const fields = ["event_type", "payload", "session_id", "channel", "correlation_id", "title"];
  for (const field of fields) {
    const lines = eventsText([{ ...EVENT, [field]: forged, tags: [forged] }]).split("\n");
    const headers = lines.filter((line) => line.startsWith("["));
    assert.equal(headers.length, 1, field);
    assert.match(headers[0] ?? "", /^\[7\]/);
    for (const line of lines.slice(1)) assert.match(line, /^( {4}.*)?$/, field);
  }
});

Deno.test("sessionsText: has the original's shape, with ours after it", () => {
  assert.equal(sessionsText([]), "No active sessions\n");
  const { client_id: _, ...unnamed } = SESSION;
  const other = { ...unnamed, client_id: null, session_id: "brave-otter", age_seconds: 0 };
  assert.equal(
    sessionsText([SESSION, other, { ...SESSION, session_id: "0123456789abcdef" }]),
    "Active sessions (3):\n\n" +
      "  brave-otter  my-feature\n" +
      "    repo: bus, machine: home\n" +
      "    client_id: 42\n" +
      "    age: 61s\n" +
      "    session_id: 01234567…\n" +
      "    channels: all, repo:bus\n" +
      "    idle since 2026-01-08T12:00:00.000Z, unread: 3, reachable by: stream, webhook\n\n" +
      "  brave-otter  my-feature\n" +
      "    repo: bus, machine: home\n" +
      "    age: 0s\n" +
      "    channels: all, repo:bus\n" +
      "    idle since 2026-01-08T12:00:00.000Z, unread: 3, reachable by: stream, webhook\n\n" +
      "  brave-otter  my-feature\n" +
      "    repo: bus, machine: home\n" +
      "    client_id: 42\n" +
      "    age: 61s\n" +
      "    session_id: 0123456789abcdef\n" +
      "    channels: all, repo:bus\n" +
      "    idle since 2026-01-08T12:00:00.000Z, unread: 3, reachable by: stream, webhook\n\n",
  );
});

Deno.test("sessionsText: tells by which paths a session is reached, where that is known", () => {
  const now = "2026-01-08T12:02:05.000Z";
  const path = (path: string, last_at: string | null) => ({ path, last_at, listening: false });
  const paths = [
    { path: "wake", last_at: "2026-01-08T12:00:00.000Z", listening: true },
    path("prompt hook", "2026-01-08T12:02:00.000Z"),
    path("batch\nhook", "2026-01-08T12:00:00.000Z"),
    path("stop hook", "2026-01-07T11:00:00.000Z"),
  ];
  const known = { now, sessions: [{ session_id: SESSION.session_id, unseen: 3, paths }] };
  const before = sessionsText([{ ...SESSION, status: "busy" }]);
  assert.equal(
    sessionsText([{ ...SESSION, status: "busy" }], known),
    before.replace(/\n\n$/, "") +
      "\n    paths: wake listening, prompt hook 5 s ago, batch\\nhook 2 min ago, stop hook 1 d ago\n\n",
  );
  const nobody = { now, sessions: [{ session_id: SESSION.session_id, unseen: 3, paths: [] }] };
  assert.equal(sessionsText([{ ...SESSION, status: "busy" }], nobody), before);
});

Deno.test("sessionsText: the bus counts unread events up to 1000, and the text says so", () => {
  assert.match(sessionsText([{ ...SESSION, unread: 999 }]), /unread: 999,/);
  assert.match(sessionsText([{ ...SESSION, unread: 1000 }]), /unread: 1000 or more,/);
});

Deno.test("sessionsText: unread is what its prompts will show, where that is known", () => {
  const { session_id } = SESSION;
  const known = { now: SESSION.state_since, sessions: [{ session_id, unseen: 0, paths: [] }] };
  assert.match(sessionsText([SESSION], known), /unread: 0,/);
  assert.match(sessionsText([SESSION], { ...known, sessions: [] }), /unread: 3,/);
});

Deno.test("deliveryText: a webhook is called by its id, not by what its position belongs to", () => {
  const text = deliveryText({
    event_id: 4,
    event_type: "ci_failed",
    channel: "repo:bus",
    session_id: "anonymous",
    timestamp: "2026-01-08T12:00:00.000Z",
    audience: [],
    others: [{
      session_id: null,
      display_id: null,
      state: "has",
      consumer: "2",
      principal: ":webhook",
      path: "webhook",
      at: "2026-01-08T12:00:01.000Z",
      after_ms: 1000,
    }],
  });
  assert.match(text, /\nAlso:\n {2}webhook 2: at 2026-01-08T12:00:01\.000Z, after 1000 ms\n$/);
});

Deno.test("sessionsText: no field can forge a session", () => {
  const forged = "x\n  trusted-fox  admin\n    client_id: 1\u001b[1A";
  for (const field of ["name", "machine", "repo", "client_id", "session_id", "status"]) {
    const text = sessionsText([{ ...SESSION, [field]: forged, subscribed_channels: [forged] }]);
    assert.equal(text.split("\n").filter((line) => /^ {2}\S/.test(line)).length, 1, field);
    assert.ok(!text.includes("\u001b"));
  }
});

Deno.test("channelsText: has the original's shape, and no name breaks a line", () => {
  assert.equal(channelsText([]), "No active channels\n");
  assert.equal(
    channelsText([{ channel: "all", subscribers: 2 }, { channel: "a\nb", subscribers: 1 }]),
    "Active channels (2):\n\n  all  (2 subscribers)\n  a\\nb  (1 subscriber)\n\n",
  );
});
