/** `events --search`, `events --archive` and `prune`, as people type them. */
import assert from "node:assert/strict";
import { loadConfig } from "../../src/config.ts";
import { openStore } from "../../src/store/open.ts";
import { cli as runCommand } from "../helpers/cli.ts";
import { envOf, tempHome } from "../helpers/home.ts";
import { testServer } from "../helpers/server.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A bus, the command line that talks to it, and a way to make what it has older. */
function busAndCli() {
  const server = testServer();
  return {
    server,
    async publish(payload: string, days: number, more: Record<string, unknown> = {}) {
      const { event_id } = await server.call("publish_event", {
        event_type: "note",
        payload,
        ...more,
      });
      server.store.db.prepare("UPDATE event SET at = at - ? WHERE id = ?").run(
        days * DAY_MS,
        event_id,
      );
      return event_id as number;
    },
    cli: (...line: string[]) =>
      runCommand(line, { home: server.home, env: { EVENT_BUS_URL: server.url } }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

Deno.test("events --search prints what has the words, the best first, and says what could be more", async () => {
  await using bus = busAndCli();
  const long = await bus.publish(`the parser ${"and more words ".repeat(20)}`, 0);
  const best = await bus.publish("parser failed", 0, { channel: "repo:x" });
  const { code, out, err } = await bus.cli("events", "--search", "parser");
  assert.deepEqual([code, err], [0, ""]);
  assert.match(out, new RegExp(`^\\[${best}\\] note \\(repo:x\\)[^]*\\[${long}\\] note`));
  const json = JSON.parse(
    (await bus.cli("events", "--search", "pars*", "--channel", "all", "--json")).out,
  );
  assert.deepEqual([json.events.length, json.events[0].id, json.has_more], [1, long, false]);
  const one = await bus.cli("events", "--search", "parser", "--limit", "1");
  assert.match(one.err, /more words/);
  assert.equal((await bus.cli("events", "--search", "lexer")).out, "No events\n");
  const nothing = await bus.cli("events", "--search", "(*)");
  assert.equal(nothing.code, 2);
  assert.match(nothing.err, /Cannot search for nothing/);
});

Deno.test("prune moves what is older, and events --archive prints it as usual", async () => {
  await using bus = busAndCli();
  const ids = [await bus.publish("first \u001b[31m", 100), await bus.publish("second", 95)];
  const young = await bus.publish("third", 0);
  const before = (await bus.cli("events", "--order", "asc")).out;
  const dry = await bus.cli("prune", "--older-than", "90d", "--dry-run");
  assert.deepEqual([dry.code, dry.out], [0, "Would move 2 events to the archive\n"]);
  assert.equal((await bus.cli("events", "--archive")).out, "No events\n");
  const moved = await bus.cli("prune", "--older-than", "90d");
  assert.deepEqual([moved.code, moved.out, moved.err], [0, "Moved 2 events to the archive\n", ""]);
  const archive = await bus.cli("events", "--archive");
  const live = await bus.cli("events");
  assert.equal(archive.out + live.out, before, "the two halves of what there was");
  assert.match(live.out, new RegExp(`^\\[${young}\\]`));
  const json = JSON.parse((await bus.cli("events", "--archive", "--json")).out);
  assert.deepEqual(json.events.map(({ id }: { id: number }) => id), ids);
  assert.equal(JSON.parse((await bus.cli("prune", "--older-than", "90d", "--json")).out).events, 0);
});

Deno.test("events --archive narrows, goes on from a cursor, and names what is damaged", async () => {
  await using bus = busAndCli();
  for (let i = 0; i < 3; i++) await bus.publish(`x${i}`, 100, { channel: "repo:x" });
  await bus.publish("help", 100, { event_type: "help_needed" });
  await bus.cli("prune", "--older-than", "90d");
  const read = async (...line: string[]) => {
    const { out } = await bus.cli("events", "--archive", "--json", ...line);
    return JSON.parse(out).events.map(({ payload }: { payload: string }) => payload);
  };
  assert.deepEqual(await read("--channel", "repo:x"), ["x0", "x1", "x2"]);
  assert.deepEqual(await read("--include", "help_needed"), ["help"]);
  assert.deepEqual(await read("--exclude", "note"), ["help"]);
  assert.deepEqual(await read("--min-level", "actionable"), ["help"]);
  assert.deepEqual(await read("--since", "99d"), []);
  assert.deepEqual(await read("--since", "101d", "--until", "99d"), ["x0", "x1", "x2", "help"]);
  const first = await bus.cli("events", "--archive", "--limit", "2");
  const [, cursor] = first.err.match(/--cursor (\S+)/) as unknown as [string, string];
  assert.deepEqual(await read("--cursor", cursor), ["x2", "help"]);
  const folder = `${bus.server.home.dataDir}/archive`;
  const [file] = [...Deno.readDirSync(folder)].map(({ name }) => name);
  Deno.writeTextFileSync(`${folder}/${file}`, "torn", { append: true });
  const { code, out, err } = await bus.cli("events", "--archive");
  assert.equal(code, 0);
  assert.match(out, /x0[^]*help/);
  assert.match(
    err,
    new RegExp(`^Skipped a damaged part of the archive: ${file} from byte [0-9]+\\n$`),
  );
});

Deno.test("events and prune refuse what would mean nothing", async () => {
  await using bus = busAndCli();
  const wrong: [line: string[], why: RegExp][] = [
    [["events", "--search", "x", "--resume"], /--search does not take --resume/],
    [["events", "--search", "x", "--follow"], /--search does not take --follow/],
    [["events", "--search", "x", "--until", "1d"], /--search does not take --until/],
    [["events", "--archive", "--sender", "me"], /--archive does not take --sender/],
    [["events", "--archive", "--search", "x"], /--search does not take --archive/],
    [["events", "--archive", "--limit", "0"], /expected is 1 or more/],
    [["events", "--archive", "--cursor", "7"], /Cannot read the archive from this cursor/],
    [["events", "--since", "1d"], /--since is for --search and --archive/],
    [["prune"], /requires --older-than/],
    [["prune", "--older-than", "soon"], /Cannot use --older-than/],
    [["prune", "--older-than", "0.5s"], /younger than a second/],
  ];
  for (const [line, why] of wrong) {
    const { code, out, err } = await bus.cli(...line);
    assert.deepEqual([code, out], [2, ""], line.join(" "));
    assert.match(err, why);
  }
});

Deno.test("a server with a retention moves what is older by itself; without one it keeps everything", async () => {
  using home = tempHome();
  const db = `${home.path}/data.db`;
  const store = openStore(db);
  store.db.exec(
    `INSERT INTO event (event_type, payload, channel, session_id, at, signal_level)
     VALUES ('note', 'old', 'all', 'anonymous', ${Date.now() - 100 * DAY_MS}, 1),
       ('note', 'young', 'all', 'anonymous', ${Date.now() - 80 * DAY_MS}, 1)`,
  );
  store.close();
  const payloads = (events: { payload: string }[]) => events.map(({ payload }) => payload);
  {
    await using server = testServer({ db });
    assert.equal(server.config.retention, null);
    assert.equal((await server.call("get_events")).events.length, 2);
  }
  await using server = testServer({ db }, { EVENT_BUS_RETENTION: "90d" });
  let live: string[] = [];
  for (let tries = 0; live.length !== 1 && tries < 10_000; tries++) {
    live = payloads((await server.call("get_events")).events);
  }
  assert.deepEqual(live, ["young"]);
  assert.deepEqual(payloads((await server.call("get_archived_events")).events), ["old"]);
});

Deno.test("retention is a number of days, or off", () => {
  using home = tempHome();
  const retention = (text: string) =>
    loadConfig({}, envOf(home, { EVENT_BUS_RETENTION: text })).retention;
  assert.equal(retention("90d"), 90 * DAY_MS);
  assert.equal(retention("off"), null);
  for (const text of ["90", "0d", "soon", "1h", "99999d"]) {
    assert.throws(() => retention(text), /Cannot use retention .*such as 90d/);
  }
});
