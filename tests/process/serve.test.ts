import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Home, tempHome } from "../helpers/home.ts";
import { run, runBoundByModes, serve, spawn, SUBJECT, UNBOUND } from "../helpers/process.ts";

Deno.test(`${SUBJECT} serve: says where it listens and how to connect, and keeps its files private`, async () => {
  using home = tempHome();
  const server = await serve({ home });
  const { status, database } = await (await fetch(`${server.url}/health`)).json();
  assert.deepEqual([status, database], ["ok", "ok"]);
  assert.equal(await server.stop(), 0);
  assert.equal(
    await server.output,
    `event-bus is listening at ${server.url}\n` +
      "Connect Claude Code with: " +
      `claude mcp add --transport http --scope user event-bus ${server.url}/mcp\n`,
  );
  assert.equal(await server.errors, "");
  const modeOf = (path: string) => ((Deno.statSync(path).mode ?? 0) & 0o777).toString(8);
  assert.equal(modeOf(home.dataDir), "700");
  for (const file of ["data.db", "event-bus.log"]) {
    assert.equal(modeOf(join(home.dataDir, file)), "600", file);
  }
  assert.match(Deno.readTextFileSync(join(home.dataDir, "event-bus.log")), /stopped/);
});

Deno.test(`${SUBJECT} serve: a restart keeps sessions, positions and events`, async () => {
  using home = tempHome();
  const before = await serve({ home });
  const session = await before.call("register_session", {
    name: "a",
    client_id: "c1",
    machine: "far",
  });
  for (const payload of ["one", "two", "three ✓"]) {
    await before.call("publish_event", { event_type: "t", payload, tags: ["x"] });
  }
  await before.call("get_events", { session_id: "c1", resume: true, order: "asc", limit: 1 });
  const seen = await before.call("get_events", { order: "asc" });
  const [listed] = await before.call("list_sessions");
  assert.equal(await before.stop(), 0);

  await using after = await serve({ home });
  assert.deepEqual((await after.call("get_events", { order: "asc" })).events, seen.events);
  const [again] = await after.call("list_sessions");
  assert.deepEqual({ ...again, age_seconds: 0 }, { ...listed, age_seconds: 0 });
  const resumed = await after.call("register_session", {
    name: "a",
    client_id: "c1",
    machine: "far",
  });
  assert.deepEqual([resumed.resumed, resumed.display_id], [true, session.display_id]);
  const page = await after.call("get_events", { session_id: "c1", resume: true, order: "asc" });
  assert.deepEqual(page.events.map(({ payload }: { payload: string }) => payload), [
    "two",
    "three ✓",
  ]);
  const { event_id } = await after.call("publish_event", { event_type: "t", payload: "four" });
  assert.equal(event_id, 5, "ids go on");
});

/** A `notify-send` that says when it was started, and ends when it is told to. */
async function slowDesktop(home: Home) {
  const [started, go] = [join(home.path, "started"), join(home.path, "go")];
  home.write("bin/notify-send", `#!/bin/sh\necho > '${started}'\nread _ < '${go}'\n`, 0o755);
  const { success } = await new Deno.Command("mkfifo", { args: [started, go] }).output();
  assert.ok(success);
  return {
    env: { PATH: `${join(home.path, "bin")}:${Deno.env.get("PATH")}`, DISPLAY: ":0" },
    started: () => Deno.readTextFile(started),
    go: () => Deno.writeTextFile(go, "\n"),
  };
}

const noDesktop = Deno.build.os === "linux" ? "" : " (skipped: only on Linux)";

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test({
    name: `${SUBJECT} serve: ${signal} lets a call in flight finish, and exits 0${noDesktop}`,
    ignore: noDesktop !== "",
    async fn() {
      using home = tempHome();
      const { env, started, go } = await slowDesktop(home);
      await using server = await serve({ home, env });
      await server.call("publish_event", { event_type: "t", payload: "before" });
      const answer = server.call("notify", { title: "t", message: "m" });
      await started();
      const stopped = server.stop(signal);
      await refused(server.url);
      await go();
      assert.deepEqual(await answer, { success: true, title: "t", message: "m" });
      assert.equal(await stopped, 0);
      assert.equal(await server.errors, "");
      const log = Deno.readTextFileSync(join(home.dataDir, "event-bus.log"));
      assert.match(log, /notify ok.*\n.*stopped\n$/);
      const left = [...Deno.readDirSync(home.dataDir)].map(({ name }) => name).sort();
      assert.deepEqual(
        left,
        ["audit.log", "data.db", "data.db-lock", "event-bus.log"],
        "the database was closed",
      );
    },
  });
}

Deno.test(`${SUBJECT} serve: a request that is not all there when it stops is told so or cut off, and does nothing`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const body = new TransformStream<Uint8Array>();
  const writer = body.writable.getWriter();
  const encoder = new TextEncoder();
  const answer = fetch(`${server.url}/v1/publish_event`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: body.readable,
  });
  await writer.write(encoder.encode('{"event_type": "t", '));
  // A later answer shows that the server has the request above, too.
  await server.call("list_sessions");
  const stopped = server.stop();
  const told = await answer.then((response) => response.json(), () => null);
  // Newer runtimes give the body up at once; older ones wait until the server does.
  if (told !== null) assert.match(told.error, /^Cannot read the body: /);
  await writer.abort().catch(() => {});
  assert.equal(await stopped, 0);

  await using again = await serve({ home });
  assert.deepEqual((await again.call("get_events")).events, []);
});

/** Resolves when nobody listens at `url` any more. */
async function refused(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  for (;;) {
    try {
      (await Deno.connect({ hostname, port: Number(port) })).close();
    } catch (failure) {
      if (failure instanceof Deno.errors.ConnectionRefused) return;
      // It was in the queue when the door closed.
      assert.ok(failure instanceof Deno.errors.ConnectionReset, String(failure));
    }
  }
}

Deno.test(`${SUBJECT} serve: a port in use is one line on stderr that says what to do, exit 1`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  using other = tempHome();
  const { port } = new URL(server.url);
  const { code, stdout, stderr } = await run(["serve", "--port", port], { home: other });
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(
    stderr,
    new RegExp(`^Error: Cannot listen on 127.0.0.1:${port}: the port is in use; .*--port\n$`),
  );
});

Deno.test(`${SUBJECT} serve: a second server on the port leaves the first and its database alone`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  await server.call("publish_event", { event_type: "t", payload: "p" });
  const { port } = new URL(server.url);
  const { code } = await run(["serve", "--port", port], { home });
  assert.equal(code, 1);
  const { events } = await server.call("get_events");
  assert.equal(events.length, 1, "the first goes on");
});

const database = (home: Home, sql: string): string => {
  const path = join(home.path, "some.db");
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
  return path;
};

/** Files that are no database of ours, and what is said about them. */
const FOREIGN: [what: string, make: (home: Home) => string, reason: RegExp][] = [
  [
    "another program's",
    (home) => database(home, "CREATE TABLE recipe (id INTEGER); INSERT INTO recipe VALUES (1)"),
    /not an event bus database/,
  ],
  [
    "another application's",
    (home) => database(home, "PRAGMA application_id = 4711; CREATE TABLE event (id INTEGER)"),
    /not an event bus database/,
  ],
  [
    "a newer",
    (home) =>
      database(
        home,
        `PRAGMA application_id = ${0x45427573}; PRAGMA user_version = 9999;
         CREATE TABLE event (id INTEGER)`,
      ),
    /schema 9999/,
  ],
  ["no", (home) => home.write("some.db", "This is not a database at all.\n".repeat(100)), /./],
  ["a truncated", truncated, /./],
  ["a damaged", damaged, /./],
];

function truncated(home: Home): string {
  const path = database(home, "CREATE TABLE a (x); INSERT INTO a VALUES (zeroblob(20000))");
  Deno.truncateSync(path, 9000);
  return path;
}

function damaged(home: Home): string {
  const path = database(
    home,
    `PRAGMA application_id = ${0x45427573}; CREATE TABLE event (id INTEGER PRIMARY KEY, x);
     INSERT INTO event (x) SELECT hex(randomblob(200)) FROM
       (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i FROM n)`,
  );
  const bytes = Deno.readFileSync(path);
  bytes.fill(0xff, 8192, 16384);
  Deno.writeFileSync(path, bytes);
  return path;
}

for (const [what, make, reason] of FOREIGN) {
  Deno.test(`${SUBJECT} serve: ${what} database is refused in one line and not touched`, async () => {
    using home = tempHome();
    const path = make(home);
    const before = Deno.readFileSync(path);
    const names = () => [...Deno.readDirSync(home.path)].map(({ name }) => name).sort();
    const files = names();
    const { code, stdout, stderr } = await run(["serve", "--port", "0", "--db", path], { home });
    assert.equal(code, 1, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^Error: Cannot use the database [^\n]*\n$/);
    assert.match(stderr, reason);
    assert.ok(stderr.includes(path), stderr);
    assert.deepEqual(Deno.readFileSync(path), before);
    assert.deepEqual(names().filter((name) => name !== ".claude"), files, "nothing beside it");
  });
}

Deno.test({
  name: `${SUBJECT} serve: a database that may not be read is refused in one line and not touched${
    UNBOUND === null ? "" : ` (skipped: ${UNBOUND})`
  }`,
  ignore: UNBOUND !== null,
  async fn() {
    using home = tempHome();
    const path = database(home, "CREATE TABLE a (x)");
    const before = Deno.readFileSync(path);
    Deno.chmodSync(path, 0);
    const line = ["serve", "--port", "0", "--db", path];
    const { code, stderr } = await runBoundByModes(line, { home });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^Error: Cannot use the database [^\n]*\n$/);
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0, "its mode is as it was");
    Deno.chmodSync(path, 0o600);
    assert.deepEqual(Deno.readFileSync(path), before);
  },
});

Deno.test(`${SUBJECT} serve: a database that is a folder, or below a file, is refused in one line`, async () => {
  using home = tempHome();
  const file = home.write("file", "x");
  for (const path of [home.path, join(file, "data.db")]) {
    const { code, stderr } = await run(["serve", "--port", "0", "--db", path], { home });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^Error: Cannot use the database [^\n]*\n$/);
  }
  assert.equal(Deno.readTextFileSync(file), "x");
});

Deno.test(`${SUBJECT} serve: a log that cannot be written is refused in one line`, async () => {
  using home = tempHome();
  const { code, stderr } = await run(["serve", "--port", "0", "--log", home.path], { home });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^Error: Cannot write the log [^\n]*\n$/);
  assert.ok(stderr.includes(home.path), stderr);
});

Deno.test(`${SUBJECT} serve: a bad flag, variable or setting is exit 2 and says where it stands`, async () => {
  using home = tempHome();
  const wrong: [line: string[], env: Record<string, string>, where: RegExp][] = [
    [["--port", "http"], {}, /port "http" from --port: a port is a whole number/],
    [["--port", "65536"], {}, /port "65536" from --port/],
    [["--port", "-1"], {}, /port "-1" from --port/],
    [["--frob"], {}, /Unknown option '--frob'/],
    [["now"], {}, /serve does not take "now"/],
    [[], { PORT: "eighty" }, /port "eighty" from the environment variable PORT/],
    [[], { EVENT_BUS_LOG_LEVEL: "loud" }, /EVENT_BUS_LOG_LEVEL/],
  ];
  for (const [line, env, where] of wrong) {
    const { code, stdout, stderr } = await run(["serve", ...line], { home, env });
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^Error: [^\n]*\n$/);
    assert.match(stderr, where);
  }
  const config = home.write(".claude/contrib/event-bus/config.json", '{"port": "many"}');
  const { code, stderr } = await run(["serve"], { home });
  assert.equal(code, 2);
  assert.ok(stderr.includes(config), stderr);
});

Deno.test(`${SUBJECT} serve: flags win over the environment, and that over config.json`, async () => {
  using home = tempHome();
  const path = (name: string) => join(home.path, `${name}.db`);
  home.write(
    ".claude/contrib/event-bus/config.json",
    JSON.stringify({ db: path("config"), log: path("log"), port: 1 }),
  );
  const exists = (name: string) => [...Deno.readDirSync(home.path)].some((e) => e.name === name);
  const start = async (args: string[], env: Record<string, string>) => {
    await using server = await serve({ home, env }, args);
    assert.equal((await (await fetch(`${server.url}/health`)).json()).database, "ok");
  };
  await start([], {});
  assert.ok(exists("config.db") && exists("log.db") && !exists("env.db"));
  await start([], { EVENT_BUS_DB: path("env") });
  assert.ok(exists("env.db") && !exists("flag.db"));
  await start(["--db", path("flag")], { EVENT_BUS_DB: path("env2") });
  assert.ok(exists("flag.db") && !exists("env2.db"));
});

Deno.test(`${SUBJECT} serve --json: says where it is in one line for programs`, async () => {
  using home = tempHome();
  const child = spawn(["serve", "--port", "0", "--json"], { home });
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  const { url, carried_over } = JSON.parse(value ?? "");
  assert.equal((await (await fetch(`${url}/health`)).json()).status, "ok");
  assert.equal(carried_over, null);
  child.kill("SIGTERM");
  assert.equal((await child.status).code, 0);
  await Promise.all([reader.cancel(), child.stderr.cancel()]);
});
