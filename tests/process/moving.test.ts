/** Backup, restore, export and import with real processes and files. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Home, tempHome } from "../helpers/home.ts";
import { createOriginal, fillOriginal } from "../helpers/original_database.ts";
import { run, serve, type Served, SUBJECT } from "../helpers/process.ts";

const on = (home: Home, server: Served) => (line: string[], stdin?: string) =>
  run(line, {
    home,
    env: { EVENT_BUS_URL: server.url },
    ...(stdin === undefined ? {} : { stdin }),
  });

async function payloads(server: Served): Promise<string[]> {
  const all: string[] = [];
  for (let cursor = "0";;) {
    const page = await server.call("get_events", { order: "asc", limit: 1000, cursor });
    all.push(...page.events.map(({ payload }: { payload: string }) => payload));
    if (!page.has_more) return all;
    cursor = page.next_cursor;
  }
}

Deno.test(`${SUBJECT} backup under load: all that was acknowledged before it is in it, in order and without a gap; it restores`, async () => {
  using home = tempHome();
  const copy = join(home.path, "copy.db");
  let acknowledged = 0;
  let before = 0;
  await using first = await serve({ home });
  {
    const cli = on(home, first);
    let stop = false;
    const load = (async () => {
      while (!stop) {
        const calls = Array.from(
          { length: 20 },
          (_, n) =>
            first.call("publish_event", { event_type: "t", payload: String(acknowledged + n) }),
        );
        acknowledged += (await Promise.all(calls)).filter(({ event_id }) => event_id > 0).length;
      }
    })();
    try {
      while (acknowledged < 200) await first.call("get_events", { limit: 1 });
      before = acknowledged;
      const { code, stdout, stderr } = await cli(["backup", "copy.db"]);
      assert.equal(code, 0, stderr);
      assert.match(
        stdout,
        /^Backed up \d+ events and 0 sessions to \S+\/copy\.db on \S+ \(\d+ bytes, checked\)\n$/,
      );
    } finally {
      stop = true;
      await load;
    }
    const running = await cli(["restore", copy]);
    assert.equal(running.code, 1);
    assert.match(
      running.stderr,
      /^Error: Cannot restore while the bus at \S+ is running: stop it first/,
    );
    const elsewhere = await cli(["restore", copy, "--db", join(home.dataDir, "data.db")]);
    assert.equal(elsewhere.code, 1);
    assert.match(elsewhere.stderr, /has it open/);
  }
  await first.stop();
  const restored = await on(home, first)(["restore", copy]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.match(restored.stdout, /What was there before: \S+\.before-restore-/);
  await using second = await serve({ home });
  const kept = await payloads(second);
  assert.ok(kept.length >= before, `${kept.length} of at least ${before}`);
  const ids = (await second.call("get_events", { order: "asc", limit: 1000 })).events
    .map(({ id }: { id: number }) => id);
  assert.deepEqual(ids, ids.map((_: number, n: number) => n + 1));
  const { event_id } = await second.call("publish_event", { event_type: "t", payload: "" });
  assert.ok(event_id > acknowledged, "no id is given out again");
});

Deno.test(`${SUBJECT} export | import: another bus is equal event by event; twice is once`, async () => {
  using home = tempHome();
  using other = tempHome();
  await using from = await serve({ home });
  await using to = await serve({ home: other });
  const here = on(home, from);
  const there = on(other, to);
  await here(["register", "--name", "a", "--client-id", "a", "--json"]);
  for (let n = 0; n < 1200; n += 50) {
    await Promise.all(
      Array.from(
        { length: 50 },
        (_, m) =>
          from.call("publish_event", { event_type: "t", payload: `${n + m} ü \u009b\u2028 🦦` }),
      ),
    );
  }
  const exported = await here(["export"]);
  assert.equal(exported.code, 0, exported.stderr);
  assert.equal(exported.stdout.trimEnd().split("\n").length, 1200 + 4);
  const imported = await there(["import", "-", "--json"], exported.stdout);
  assert.equal(imported.code, 0, imported.stderr);
  assert.deepEqual(JSON.parse(imported.stdout), {
    imported: 1201,
    known: 0,
    sessions_imported: 1,
    sessions_known: 0,
  });
  assert.deepEqual(await payloads(to), await payloads(from));

  const file = await here(["export", "--output", "bus.jsonl"]);
  assert.match(file.stderr, /^Exported 1201 events and 1 sessions to \S+\/bus\.jsonl\n$/);
  const path = join(home.path, "bus.jsonl");
  assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  assert.match((await here(["export", "--output", "bus.jsonl"])).stderr, /it is there already/);
  const again = await there(["import", path]);
  assert.equal(
    again.stdout,
    "Imported 0 events and 0 sessions; 1201 events and 1 sessions were here already\n",
  );
  const { stdout } = await here(["export", "--since", "1d"]);
  assert.equal(stdout.split('"kind":"event"').length - 1, 1201);
  assert.equal((await here(["export", "--since", "2026-13-45"])).code, 2);
});

Deno.test(`${SUBJECT} import: a file that is damaged or cut short is refused by line; the pages before it stay`, async () => {
  using home = tempHome();
  using other = tempHome();
  await using from = await serve({ home });
  await using to = await serve({ home: other });
  for (let n = 0; n < 600; n += 50) {
    await Promise.all(
      Array.from(
        { length: 50 },
        (_, m) => from.call("publish_event", { event_type: "t", payload: String(n + m) }),
      ),
    );
  }
  const lines = (await on(home, from)(["export"])).stdout.trimEnd().split("\n");
  const there = on(other, to);
  const damage: [lines: string[], said: RegExp][] = [
    [
      lines.with(2, lines[2]?.slice(0, 30) ?? ""),
      /^Error: Cannot import line 3: it is not JSON: [^\n]*; nothing was imported\n$/,
    ],
    [
      lines.with(3, '{"kind":"event"}'),
      /^Error: Cannot import line 4: [^\n]* is missing[^\n]*; nothing was imported\n$/,
    ],
    [
      lines.slice(1),
      /^Error: Cannot import line 1: it is neither the beginning of an export nor a database/,
    ],
    [
      lines.with(550, "[]"),
      /line 551: a JSON object is expected; 500 events and 0 sessions before it were imported, and importing again adds only the rest\n$/,
    ],
    [[], /^Error: Cannot import: there is nothing in it/],
    [[...lines, "{}"], /line 603: the export ended before it/],
    [lines.with(-1, '{"kind":"end","events":7,"sessions":0}'), /line 602: it tells of 7 events/],
    [lines.slice(0, -1), /line 602: the export is cut short/],
  ];
  for (const [file, said] of damage) {
    const { code, stderr } = await there(["import", "-"], file.map((line) => `${line}\n`).join(""));
    assert.equal(code, 1, stderr);
    assert.match(stderr, said);
  }
  assert.equal((await there(["import", "-"], lines.join("\n"))).code, 0);
  assert.equal((await payloads(to)).length, 600);
});

Deno.test(`${SUBJECT} import: a database of the original, while the bus runs`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const db = createOriginal(join(home.path, "old.db"), 5);
  fillOriginal(db, 5);
  db.close();
  const first = await on(home, server)(["import", "old.db", "--json"]);
  assert.equal(first.code, 0, first.stderr);
  const { imported } = JSON.parse(first.stdout);
  assert.equal((await payloads(server)).length, imported);
  const again = await on(home, server)(["import", "old.db", "--json"]);
  assert.deepEqual(JSON.parse(again.stdout).imported, 0);
  const missing = await on(home, server)(["import", "none.db"]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^Error: Cannot import "\S+none\.db": /);
});
