import assert from "node:assert/strict";
import { VERBS } from "../../cli/verbs.ts";
import { cli, standIn } from "../helpers/cli.ts";
import { tempHome } from "../helpers/home.ts";

/** Command lines, and what each asks of the bus. */
const MAPPING: [line: string[], operation: string, args: Record<string, unknown>][] = [
  [["sessions"], "list_sessions", {}],
  [["channels"], "list_channels", {}],
  [["unregister", "--session-id", "s"], "unregister_session", { session_id: "s" }],
  [
    ["unregister", "--client-id", "42"],
    "unregister_session",
    { client_id: "42", machine: "laptop" },
  ],
  [
    ["unregister", "--client-id", "42", "--session-id", "s"],
    "unregister_session",
    { session_id: "s" },
  ],
  [
    ["publish", "--type", "t", "--payload", "p"],
    "publish_event",
    { event_type: "t", payload: "p" },
  ],
  [
    [
      ...["publish", "--type", "done", "--payload", "Finished", "--channel", "repo:x"],
      ...["--session-id", "s", "--title", "T", "--tags", "a, b,,c", "--correlation-id", "c1"],
      ...["--signal-level", "info"],
    ],
    "publish_event",
    {
      event_type: "done",
      payload: "Finished",
      channel: "repo:x",
      session_id: "s",
      title: "T",
      tags: ["a", "b", "c"],
      correlation_id: "c1",
      signal_level: "info",
    },
  ],
  [["events"], "get_events", { resume: false, peek: true }],
  [
    [
      ...["events", "--session-id", "s", "--cursor", "12", "--order", "asc", "--limit", "7"],
      ...["--channel", "all", "--include", "a,b", "--exclude", "c", "--correlation-id", "x"],
      ...["--min-level", "info", "--timeout", "200"],
    ],
    "get_events",
    {
      session_id: "s",
      cursor: "12",
      order: "asc",
      limit: "7",
      channel: "all",
      event_types: ["a", "b"],
      exclude_types: ["c"],
      correlation_id: "x",
      min_level: "info",
      resume: false,
      peek: true,
    },
  ],
  [
    ["ack", "--session-id", "s", "--cursor", "9", "--allow-rewind"],
    "ack_events",
    { session_id: "s", cursor: "9", allow_rewind: true },
  ],
  [
    ["notify", "--title", "Build", "--message", "Complete", "--sound"],
    "notify",
    { title: "Build", message: "Complete", sound: true },
  ],
];

const ANSWERS: Record<string, unknown> = {
  list_sessions: [],
  list_channels: [],
  get_events: { events: [], next_cursor: null, has_more: false, unread: 0 },
  ack_events: { cursor: "9", previous_cursor: null },
  notify: { success: true },
};

const bus = () =>
  standIn(({ path }) => Response.json(ANSWERS[path.split("/").at(-1) ?? ""] ?? { event_id: 1 }));

Deno.test("cli: each command line asks the bus for one operation with these arguments", async () => {
  using home = tempHome();
  await using server = bus();
  const env = { EVENT_BUS_URL: server.url, EVENT_BUS_MACHINE: "laptop" };
  for (const [line, operation, args] of MAPPING) {
    const { code, err } = await cli(line, { home, env });
    assert.equal(code, 0, `${line.join(" ")}: ${err}`);
    const asked = server.asked.splice(0);
    assert.deepEqual(asked.map(({ path }) => path), [`/v1/${operation}`], line.join(" "));
    assert.deepEqual(asked[0]?.body, args, line.join(" "));
    assert.equal(asked[0]?.headers.get("content-type"), "application/json");
  }
});

Deno.test("cli register: sends its own folder and machine, and names the session after the folder", async () => {
  using home = tempHome();
  await using server = bus();
  const env = { EVENT_BUS_URL: server.url, EVENT_BUS_MACHINE: "laptop" };
  const cwd = Deno.cwd();
  await cli(["register"], { home, env });
  await cli(["register", "--name", "n", "--client-id", "7"], { home, env });
  assert.deepEqual(server.asked.map(({ body }) => body), [
    { name: cwd.split("/").at(-1), machine: "laptop", cwd },
    { name: "n", machine: "laptop", cwd, client_id: "7" },
  ]);
});

Deno.test("cli: --url is found before and after the verb, with or without /mcp, under a prefix", async () => {
  using home = tempHome();
  await using server = bus();
  const { url } = server;
  const lines = [
    ["--url", url, "sessions"],
    ["--url", `${url}/mcp`, "sessions"],
    [`--url=${url}/mcp/`, "sessions"],
    ["sessions", "--url", url],
    ["sessions", `--url=${url}/`],
    ["--debug", "--json", "--timeout", "5000", "sessions", "--url", `${url}/mcp`],
    ["--url", "http://127.0.0.1:1/mcp", "sessions", "--url", url],
  ];
  for (const line of lines) {
    const { code, err } = await cli(line, { home, env: { EVENT_BUS_URL: "http://127.0.0.1:1" } });
    assert.equal(code, 0, `${line.join(" ")}: ${err}`);
    assert.equal(server.asked.splice(0)[0]?.path, "/v1/list_sessions");
  }
  for (const prefix of ["/bus", "/a/b"]) {
    for (const end of ["", "/", "/mcp", "/mcp/"]) {
      assert.equal((await cli(["--url", url + prefix + end, "channels"], { home })).code, 0);
      assert.equal(server.asked.splice(0)[0]?.path, `${prefix}/v1/list_channels`);
    }
  }
});

Deno.test("cli: EVENT_BUS_URL, its later name, and config.json say where the bus is; PORT does not", async () => {
  using home = tempHome();
  await using server = bus();
  const port = new URL(server.url).port;
  const places: [env: Record<string, string>, config?: unknown][] = [
    [{ EVENT_BUS_URL: `${server.url}/mcp` }],
    [{ AGENT_EVENT_BUS_URL: server.url }],
    [{ EVENT_BUS_URL: "", AGENT_EVENT_BUS_URL: server.url }],
    [{ EVENT_BUS_URL: server.url, AGENT_EVENT_BUS_URL: "http://127.0.0.1:1" }],
    [{}, { url: server.url }],
    [{ PORT: "1", HOST: "192.0.2.1" }, { port: Number(port) }],
    [{}, { host: "0.0.0.0", port: Number(port) }],
  ];
  for (const [env, config] of places) {
    home.write(".claude/contrib/event-bus/config.json", JSON.stringify(config ?? {}));
    const { code, err } = await cli(["sessions"], { home, env });
    assert.equal(code, 0, JSON.stringify([env, config, err]));
  }
  assert.equal(server.asked.length, places.length);
});

Deno.test("cli: the session comes from --session-id, then three variables in their order", async () => {
  using home = tempHome();
  await using server = bus();
  const all = {
    EVENT_BUS_SESSION_ID: "one",
    AGENT_EVENT_BUS_SESSION_ID: "two",
    CLAUDE_CODE_SESSION_ID: "three",
  };
  const { EVENT_BUS_SESSION_ID: _, ...later } = all;
  const cases: [line: string[], env: Record<string, string>, expected: string | undefined][] = [
    [["--session-id", "flag"], all, "flag"],
    [[], all, "one"],
    [["--session-id", ""], all, "one"],
    [[], { ...all, EVENT_BUS_SESSION_ID: "" }, "two"],
    [[], later, "two"],
    [[], { CLAUDE_CODE_SESSION_ID: "three" }, "three"],
    [[], {}, undefined],
  ];
  const verbs = [["publish", "--type", "t", "--payload", "p"], ["events"], [
    "ack",
    "--cursor",
    "1",
  ]];
  for (const [line, env, expected] of cases) {
    for (const verb of verbs) {
      const { code } = await cli([...verb, ...line], {
        home,
        env: { ...env, EVENT_BUS_URL: server.url },
      });
      const asked = server.asked.splice(0);
      if (verb[0] === "ack" && expected === undefined) {
        assert.equal(code, 2);
        assert.deepEqual(asked, []);
      } else assert.equal(asked[0]?.body.session_id, expected, JSON.stringify([verb, line, env]));
    }
  }
});

Deno.test("cli unregister: ends no session that was not named", async () => {
  using home = tempHome();
  await using server = bus();
  const env = { EVENT_BUS_URL: server.url, EVENT_BUS_SESSION_ID: "mine" };
  const { code, err } = await cli(["unregister"], { home, env });
  assert.equal(code, 2);
  assert.match(err, /^Error: Must provide --session-id or --client-id\n$/);
  assert.deepEqual(server.asked, []);
});

Deno.test("cli: a value may start with a dash, be empty, or look like nothing known", async () => {
  using home = tempHome();
  await using server = bus();
  const env = { EVENT_BUS_URL: server.url };
  const values = ["- first item", "-5", "--unknown", "--", "-h", "", "--no-such=thing", "=", "a=b"];
  for (const value of values) {
    const line = ["publish", "--payload", value, "--type", "t"];
    const { code, err } = await cli(line, { home, env });
    assert.equal(code, 0, `${value}: ${err}`);
    assert.equal(server.asked.splice(0)[0]?.body.payload, value);
  }
  const joined = await cli(["publish", "--type", "t", "--payload=--json"], { home, env });
  assert.equal(joined.code, 0);
  assert.equal(server.asked.splice(0)[0]?.body.payload, "--json");
});

Deno.test("cli publish: --payload - is standard input, as it is", async () => {
  using home = tempHome();
  await using server = bus();
  for (const stdin of ["one\ntwo\n", "", "-", "naïve ✓ 日本語\n"]) {
    await cli(["publish", "--type", "t", "--payload", "-"], {
      home,
      stdin,
      env: { EVENT_BUS_URL: server.url },
    });
    assert.equal(server.asked.splice(0)[0]?.body.payload, stdin);
  }
});

Deno.test("cli: wrong usage ends with 2, one line that says what is wrong, and asks nobody", async () => {
  using home = tempHome();
  await using server = bus();
  const wrong: [line: string[], error: RegExp][] = [
    [["frobnicate"], /^Error: There is no command "frobnicate"; see event-bus help\n$/],
    [["__proto__"], /no command/],
    [["constructor"], /no command/],
    [["help", "frobnicate"], /no command "frobnicate"/],
    [["help", "frobnicate", "add"], /no command "frobnicate"/],
    [["help", "webhook", "add", "x"], /help does not take "x"/],
    [["help", "toString"], /no command "toString"/],
    [["sessions", "--frob"], /sessions: Unknown option '--frob'; see event-bus help sessions/],
    [["sessions", "--session-id", "x"], /Unknown option '--session-id'/],
    [["sessions", "extra"], /sessions does not take "extra"/],
    [
      ["publish", "--type", "t"],
      /^Error: publish requires --payload; see event-bus help publish\n$/,
    ],
    [["publish", "--payload", "p"], /requires --type/],
    [["publish", "--type", "--payload", "p"], /--type/],
    [["publish", "--type", "t", "--payload"], /--payload/],
    [["notify", "--title", "t"], /requires --message/],
    [["ack", "--session-id", "s"], /requires --cursor/],
    [
      ["events", "--resume"],
      /^Error: --resume requires --session-id, or a --consumer of your own\n$/,
    ],
    [["sessions", "--timeout", "soon"], /--timeout "soon": milliseconds/],
    [["sessions", "--json=yes"], /--json/],
    [["--frob"], /Unknown option '--frob'/],
    [["--url"], /--url/],
  ];
  for (const [line, error] of wrong) {
    const { code, out, err } = await cli(line, { home, env: { EVENT_BUS_URL: server.url } });
    assert.equal(code, 2, line.join(" "));
    assert.match(err, error, line.join(" "));
    assert.equal(out, "", line.join(" "));
  }
  assert.deepEqual(server.asked, []);
});

Deno.test("cli: a bus address that is none is wrong usage, and the answer says where it stands", async () => {
  using home = tempHome();
  const wrong: [line: string[], env: Record<string, string>, where: RegExp][] = [
    [["--url", "localhost:8080", "sessions"], {}, /from --url: an http or https URL/],
    [["--url", "", "sessions"], {}, /from --url/],
    [["sessions"], { EVENT_BUS_URL: "ftp://x" }, /environment variable EVENT_BUS_URL/],
  ];
  for (const [line, env, where] of wrong) {
    const { code, err } = await cli(line, { home, env });
    assert.equal(code, 2);
    assert.match(err, where);
  }
});

Deno.test("cli: a broken config.json is told with its path, and help works all the same", async () => {
  using home = tempHome();
  const broken = {
    "{": /JSON/,
    "[]": /JSON object/,
    '{"prot": 1}': /"prot"/,
    '{"url": 5}': /url 5/,
  };
  for (const [content, error] of Object.entries(broken)) {
    const path = home.write(".claude/contrib/event-bus/config.json", content);
    const { code, err } = await cli(["sessions"], { home });
    assert.equal(code, 2, content);
    assert.match(err, error);
    assert.ok(err.includes(path), err);
    assert.equal((await cli(["sessions", "--help"], { home })).code, 0);
  }
});

Deno.test("cli: every verb explains itself, with an example, by --help and by help", async () => {
  using home = tempHome();
  const verbs = Object.keys(VERBS);
  assert.ok(verbs.length >= 12);
  for (const name of verbs) {
    const { code, out, err } = await cli([name, "--help"], { home });
    assert.equal(code, 0, name);
    assert.equal(err, "");
    assert.match(out, new RegExp(`^Usage: event-bus ${name}`, "m"), name);
    assert.match(out, new RegExp(`^Examples?:\\n(.*\\n)*.*event-bus ${name}`, "m"), name);
    assert.equal((await cli(["help", name], { home })).out, out, name);
    assert.equal((await cli(["-h", name], { home })).out, out, name);
  }
});

Deno.test("cli: every option that a verb takes is explained in its help", async () => {
  for (const [name, { load }] of Object.entries(VERBS)) {
    const { verb } = await load();
    for (const option of Object.keys(verb.options)) {
      assert.ok(verb.help.includes(`--${option}`), `${name} --${option}`);
    }
  }
});

Deno.test("cli: the overview is the answer to --help, and a mistake's answer without a verb", async () => {
  using home = tempHome();
  const asked = await cli(["--help"], { home });
  assert.equal(asked.code, 0);
  for (const name of Object.keys(VERBS)) assert.match(asked.out, new RegExp(`^  ${name} `, "m"));
  assert.equal((await cli(["help"], { home })).out, asked.out);

  const mistake = await cli([], { home });
  assert.equal(mistake.code, 2);
  assert.equal(mistake.out, "");
  assert.equal(mistake.err.trim(), asked.out.trim());
});

Deno.test("cli: --version, -V and version say the same", async () => {
  using home = tempHome();
  const { code, out } = await cli(["version"], { home });
  assert.equal(code, 0);
  assert.match(out, /^event-bus \d+\.\d+\.\d+.*\n$/);
  for (const flag of ["--version", "-V"]) assert.equal((await cli([flag], { home })).out, out);
});

Deno.test("cli --debug: shows where an error came from, beside the error", async () => {
  using home = tempHome();
  const { code, err } = await cli(["sessions", "--frob", "--debug"], { home });
  assert.equal(code, 2);
  assert.match(err, /\n +at /);
  assert.match(err, /^Error: sessions: Unknown option/m);
});
