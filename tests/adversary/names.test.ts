/** Names that would be paths somewhere: nothing that callers send names a file of ours. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { testBus } from "../helpers/bus.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { isInstalled } from "../helpers/process.ts";
import { type TestApp, testApp } from "../helpers/server.ts";

const TRICKS = [
  "../../../../etc/passwd",
  "..",
  ".",
  "/etc/passwd",
  "~/.ssh/id_rsa",
  "a/../../b",
  "..\\..\\windows",
  "C:\\x",
  "file:///etc/passwd",
  "%2e%2e%2f",
  "2026-01.jsonl.gz",
  "data.db",
  "data.db-wal",
  "con",
  "$HOME",
  "$(touch x)",
  "`touch x`",
  "; touch x",
  "| touch x",
  "-rf",
  "--help",
  "*",
  "x".repeat(120),
];

/** Every file below a folder, with its size where that should not change. */
function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(join(folder, name)) : [join(folder, name)]
  ).sort();
}

/** A bus with a file, in a folder within a home, so that a way up would be seen. */
function busIn(home: Home): { app: TestApp; folder: string; database: string } {
  const folder = join(home.path, "a", "b", "c");
  Deno.mkdirSync(folder, { recursive: true });
  const database = join(folder, "data.db");
  return { app: testApp({}, testBus(database)), folder, database };
}

Deno.test("names of sessions, channels, machines and folders make and read no file, also once they are archived", async () => {
  using home = tempHome();
  const { app, folder } = busIn(home);
  await using _ = app;
  const before = filesIn(home.path);
  for (const trick of TRICKS) {
    const calls: [string, Record<string, unknown>][] = [
      ["register_session", { name: trick, client_id: trick, machine: trick, cwd: trick }],
      ["publish_event", { event_type: trick, payload: trick, channel: trick, session_id: trick }],
      ["publish_event", { event_type: "t", payload: trick, channel: `session:${trick}` }],
      ["publish_event", { event_type: "t", payload: "p", title: trick, tags: [trick] }],
      ["get_events", { session_id: trick, consumer: trick.slice(0, 64), resume: true }],
      ["set_status", { session_id: trick, status: trick }],
      ["notify", { title: trick, message: trick }],
      ["search_events", { query: trick }],
    ];
    for (const [name, args] of calls) {
      const answer = await app.post(`/v1/${name}`, args);
      const text = await answer.text();
      assert.ok(answer.status < 500, `${name} ${trick}: ${text}`);
    }
    const answer = await app.fetch(`/publish/${trick}`, { method: "POST", body: "x" });
    assert.ok(answer.status < 500, `${trick}: ${answer.status}`);
    await answer.body?.cancel();
  }
  assert.deepEqual(filesIn(home.path), before);
  // Past the day in which dedupe keys count; the sessions are long silent then.
  app.bus.pass(400 * 24 * 60 * 60 * 1000);
  let archived = 0;
  for (let more = true; more;) {
    const part = await app.bus.call("prune", { older_than_seconds: 86_400 });
    archived += part.events;
    more = part.has_more;
  }
  assert.ok(archived > TRICKS.length);
  const made = filesIn(home.path).filter((path) => !before.includes(path));
  assert.deepEqual(made, [join(folder, "archive", "2026-01.jsonl.gz")]);
});

Deno.test("get_archived_events opens no file that its cursor names", async () => {
  using home = tempHome();
  const { app, folder } = busIn(home);
  await using _ = app;
  await app.bus.call("publish_event", { event_type: "t", payload: "p" });
  Deno.mkdirSync(join(folder, "archive"));
  home.write("a/b/2026-01.jsonl.gz", "outside");
  const cursors = [
    "../2026-01:0:0",
    "../../2026-01:0:0",
    "/etc/passwd:0:0",
    "2026-01/../../x:0:0",
    "2026-01.jsonl.gz:0:0",
    "2026-01:-1:0",
    "2026-01:1e9:0",
    "2026-01:0:0\n",
    "２０２６-01:0:0",
    "x".repeat(101),
  ];
  for (const cursor of cursors) {
    const answer = await app.post("/v1/get_archived_events", { cursor });
    assert.equal(answer.status, 400, cursor);
    const { error } = await answer.json();
    assert.doesNotMatch(error, /outside|passwd.*root/, cursor);
  }
  const far = await app.bus.call("get_archived_events", { cursor: "2026-01:999999999999:9" });
  assert.deepEqual(far, { events: [], next_cursor: null, damaged: [] });
});

Deno.test("backup writes only to a new file that was named whole; what is the bus's own is never replaced", async () => {
  using home = tempHome();
  const { app, folder, database } = busIn(home);
  await using _ = app;
  await app.bus.call("publish_event", { event_type: "t", payload: "kept" });
  Deno.symlinkSync(database, join(home.path, "link"));
  Deno.linkSync(database, join(home.path, "same"));
  Deno.symlinkSync(folder, join(home.path, "folder"));
  Deno.symlinkSync(join(home.path, "nowhere"), join(home.path, "dangling"));
  const stays = home.write("precious", "precious");
  const before = filesIn(home.path).map((path) => `${path} ${Deno.lstatSync(path).ino}`);
  const refused = [
    "relative.db",
    "../up.db",
    "~/home.db",
    `file:${home.path}/uri.db`,
    `file:${home.path}/uri.db?mode=memory`,
    ":memory:",
    " ",
    folder,
    `${folder}/`,
    `${home.path}/`,
    stays,
    database,
    `${folder}/../c/data.db`,
    `${folder}//data.db`,
    `${folder}/./data.db-wal`,
    `${database}-shm`,
    `${database}-lock`,
    `${database}-journal`,
    join(home.path, "link"),
    join(home.path, "folder", "data.db"),
    join(home.path, "no", "such", "folder.db"),
    join(stays, "below-a-file.db"),
    `${home.path}/nul\0.db`,
    `${home.path}/${"x".repeat(300)}.db`,
    `/${"x/".repeat(3000)}`,
    "/dev/full/x",
    "/dev/null",
  ];
  for (const path of refused) {
    const answer = await app.post("/v1/backup", { path });
    const body = await answer.json();
    assert.notEqual(answer.status, 200, `${path} was written`);
    assert.notEqual(body.code, "internal", `${path}: ${body.error}`);
    assert.doesNotMatch(body.error, /\n|\0/, path);
  }
  const own = [database, join(home.path, "link"), join(home.path, "folder", "data.db")];
  for (const path of [...own, "/dev/null"]) {
    const answer = await app.post("/v1/backup", { path, force: true });
    assert.equal(answer.status, 409, `${path} by force`);
    await answer.body?.cancel();
  }
  const after = filesIn(home.path).map((path) => `${path} ${Deno.lstatSync(path).ino}`);
  assert.deepEqual(after, before);
  assert.equal(Deno.readTextFileSync(stays), "precious");
  assert.equal((await app.bus.call("get_events")).events[0].payload, "kept");
});

Deno.test("backup to a name with anything in it makes that one file, and the answer stays on one line", async () => {
  using home = tempHome();
  const { app } = busIn(home);
  await using _ = app;
  const names = [
    "sp ace.db",
    "q'uo\"te.db",
    "%2e.db",
    "a?mode=memory",
    "a#b.db",
    "-rf",
    "é日本.db",
  ];
  for (const name of [...names, "line\nbreak.db", "\u001b[2J.db", "\u202egnp.db"]) {
    const path = join(home.path, name);
    const before = filesIn(home.path);
    const answer = await app.post("/v1/backup", { path });
    const body = await answer.json();
    assert.equal(answer.status, 200, `${name}: ${body.error}`);
    assert.equal(body.path, path);
    assert.deepEqual(filesIn(home.path), [...before, path].sort());
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  }
});

Deno.test({
  name: "import_database and backup do not wait for the other end of a pipe",
  // Where there is no mkfifo there are no such files.
  ignore: !isInstalled("mkfifo"),
  async fn() {
    using home = tempHome();
    const { app } = busIn(home);
    await using _ = app;
    const path = join(home.path, "pipe");
    assert.ok((await new Deno.Command("mkfifo", { args: [path] }).output()).success);
    for (const [name, args] of [["import_database", {}], ["backup", { force: true }]] as const) {
      const answer = await app.post(`/v1/${name}`, { path, ...args });
      assert.equal(answer.status, 409, name);
      assert.match((await answer.json()).error, /it is not a file$/);
    }
  },
});

Deno.test("import_database reads no file that is no database, and says nothing of what is in it", async () => {
  using home = tempHome();
  const { app, database } = busIn(home);
  await using _ = app;
  home.write("empty.db", "");
  const secret = home.write("secret", "root:hunter2:0:0\n".repeat(1000));
  const paths = [
    secret,
    "relative",
    "~/x",
    `file:${secret}?mode=ro`,
    home.path,
    database,
    "/dev/null",
    "/dev/zero",
    join(home.path, "empty.db"),
    "/no/such/file",
    `${secret}\0.db`,
    join(secret, "below"),
  ];
  for (const path of paths) {
    const answer = await app.post("/v1/import_database", { path });
    const text = await answer.text();
    assert.notEqual(answer.status, 200, `${path}: ${text}`);
    assert.notEqual(answer.status, 500, `${path}: ${text}`);
    assert.doesNotMatch(text, /hunter2/, path);
  }
});
