/** Backups and restores of a database, in files. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BusError } from "../../src/errors.ts";
import { tip } from "../../src/store/events.ts";
import { SCHEMA_VERSION } from "../../src/store/open.ts";
import { restore } from "../../src/store/restore.ts";
import { START, testBus } from "../helpers/bus.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { createOriginal, fillOriginal } from "../helpers/original_database.ts";

/** A bus in a file, with a few events, and where it and a backup of it are. */
async function busIn(home: Home, events = 3) {
  const path = join(home.path, "data.db");
  const bus = testBus(path);
  await publish(bus, events);
  return { bus, path, copy: join(home.path, "copy.db") };
}

async function publish(bus: ReturnType<typeof testBus>, count: number): Promise<void> {
  const first = tip(bus.store);
  for (let n = 0; n < count; n++) {
    await bus.call("publish_event", { event_type: "t", payload: `${first + n}` });
  }
}

function countIn(path: string): number {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return (db.prepare("SELECT count(*) AS n FROM event").get() as { n: number }).n;
  } finally {
    db.close();
  }
}

const namesIn = (home: Home): string[] =>
  [...Deno.readDirSync(home.path)].map(({ name }) => name).sort();

function refusalOf(work: () => unknown): BusError {
  try {
    work();
  } catch (refusal) {
    if (refusal instanceof BusError) return refusal;
    throw refusal;
  }
  throw new Error("it was expected to be refused");
}

Deno.test("backup: one verified file for the user alone, of a database that is in use", async () => {
  using home = tempHome();
  const { bus, copy } = await busIn(home);
  using _ = bus;
  const done = await bus.call("backup", { path: copy });
  const { size, mode } = Deno.statSync(copy);
  assert.deepEqual(done, {
    machine: "home",
    path: copy,
    bytes: size,
    schema: SCHEMA_VERSION,
    events: 3,
    sessions: 0,
  });
  assert.equal((mode ?? 0) & 0o777, 0o600);
  assert.deepEqual(namesIn(home).filter((name) => name.includes("copy")), ["copy.db"]);
  await publish(bus, 1);
  assert.equal(countIn(copy), 3);
  assert.equal(tip(bus.store), 4, "and the bus goes on");
});

Deno.test("backup: replaces a file only with force, and the database itself never", async () => {
  using home = tempHome();
  const { bus, path, copy } = await busIn(home);
  using _ = bus;
  home.write("copy.db", "mine");
  const refused = await bus.refusal("backup", { path: copy });
  assert.equal(refused.code, "conflict");
  assert.match(refused.message, /it is there already; remove it, or use force$/);
  assert.equal(Deno.readTextFileSync(copy), "mine");
  await bus.call("backup", { path: copy, force: true });
  assert.equal(countIn(copy), 3);

  Deno.symlinkSync(path, join(home.path, "link.db"));
  for (
    const name of ["data.db", "data.db-wal", "data.db-lock", "data.db-journal", "link.db", "."]
  ) {
    const { message } = await bus.refusal("backup", { path: join(home.path, name), force: true });
    assert.match(message, /belongs to the database itself$|it is a folder/, name);
  }
  const nowhere = await bus.refusal("backup", { path: join(home.path, "no", "copy.db") });
  assert.match(nowhere.message, /^Cannot back up to /);
  assert.match((await bus.refusal("backup", { path: "copy.db" })).message, /name the whole path$/);
  assert.deepEqual(namesIn(home).filter((name) => name.endsWith(".part")), []);
  await publish(bus, 1);
  assert.equal(tip(bus.store), 4);
});

Deno.test("backup: a bus in memory has no file to copy", async () => {
  using bus = testBus();
  assert.match((await bus.refusal("backup", { path: "/tmp/never" })).message, /lives in memory/);
});

Deno.test("restore: puts the backup in place, keeps what was there, and gives out no id twice", async () => {
  using home = tempHome();
  const { bus, path, copy } = await busIn(home);
  await bus.call("backup", { path: copy });
  await publish(bus, 2);
  bus[Symbol.dispose]();
  const before = Deno.readFileSync(path);
  assert.deepEqual(restore(copy, path, START), {
    database: path,
    schema: SCHEMA_VERSION,
    events: 3,
    sessions: 0,
    kept: `${path}.before-restore-20260108T120000Z`,
  });
  assert.deepEqual(Deno.readFileSync(`${path}.before-restore-20260108T120000Z`), before);
  assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  assert.equal(countIn(copy), 3, "the backup is as it was");
  using again = testBus(path);
  assert.equal(tip(again.store), 5, "cursors that readers have stay good");
  const { event_id } = await again.call("publish_event", { event_type: "t", payload: "" });
  assert.equal(event_id, 6);
  const restored = restore.bind(null, copy, path, START);
  assert.match(refusalOf(restored).message, /has it open/);
});

Deno.test("restore: what a crashed server left in its log is kept with the file, and never read into the backup", async () => {
  using home = tempHome();
  const { bus, path, copy } = await busIn(home);
  await bus.call("backup", { path: copy });
  await publish(bus, 4);
  const crashed = join(home.path, "crashed.db");
  for (const end of ["", "-wal", "-shm"]) Deno.copyFileSync(path + end, crashed + end);
  bus[Symbol.dispose]();
  assert.ok(Deno.statSync(`${crashed}-wal`).size > 0);
  const { kept } = restore(copy, crashed, START);
  assert.equal(countIn(crashed), 3);
  assert.equal(countIn(kept ?? ""), 7, "with all that was committed");
  assert.equal(restore(copy, crashed, START).kept, `${kept}-2`, "a name is used once");
});

Deno.test("restore: a file that is not sound is refused, and the database is left as it was", async () => {
  using home = tempHome();
  const { bus, path, copy } = await busIn(home, 200);
  await bus.call("backup", { path: copy });
  bus[Symbol.dispose]();
  const bytes = Deno.readFileSync(copy);
  const broken = bytes.slice();
  broken.fill(0xff, 4096 * 3, 4096 * 4);
  const original = createOriginal(join(home.path, "original.db"), 5);
  fillOriginal(original, 5);
  original.close();
  const newer = join(home.path, "newer.db");
  Deno.copyFileSync(copy, newer);
  const db = new DatabaseSync(newer);
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  db.close();
  const cases: [path: string, said: RegExp][] = [
    [home.write("cut.db", bytes.slice(0, bytes.length / 2)), /malformed|damaged/],
    [home.write("broken.db", broken), /malformed|damaged/],
    [home.write("text.db", "not a database at all, but long enough to be one"), /not a database/],
    [home.write("empty.db", ""), /it is not a database of event-bus$/],
    [join(home.path, "original.db"), /a database of the original; add it with event-bus import$/],
    [newer, new RegExp(`schema ${SCHEMA_VERSION + 1} and this program knows ${SCHEMA_VERSION}`)],
    [join(home.path, "none.db"), /there is no such file$/],
    [path, /it is the database itself$/],
  ];
  const before = Deno.readFileSync(path);
  const names = namesIn(home);
  for (const [file, said] of cases) {
    assert.match(refusalOf(() => restore(file, path)).message, said, file);
    assert.deepEqual(Deno.readFileSync(path), before, file);
  }
  assert.deepEqual(namesIn(home), names, "nothing is left over");
});

Deno.test("restore: a damaged database is replaced and kept; where there was none, one is made", async () => {
  using home = tempHome();
  const { bus, path, copy } = await busIn(home);
  await bus.call("backup", { path: copy });
  bus[Symbol.dispose]();
  Deno.writeTextFileSync(path, "ruined");
  const { kept } = restore(copy, path);
  assert.equal(Deno.readTextFileSync(kept ?? ""), "ruined");
  assert.equal(countIn(path), 3);
  const fresh = join(home.path, "new", "data.db");
  assert.equal(restore(copy, fresh).kept, null);
  assert.equal(countIn(fresh), 3);
});

Deno.test("restore: who may call is as it is now, not as it was when the backup was made", async () => {
  using home = tempHome();
  const { bus, path, copy } = await busIn(home);
  const token = async (name: string) => (await bus.call("create_token", { name })).token;
  const [kept, revoked] = [await token("kept"), await token("revoked")];
  await bus.call("backup", { path: copy });
  await bus.call("revoke_token", { name: "revoked" });
  const later = await token("later");
  const rotated = (await bus.call("rotate_token", { name: "kept" })).token;
  bus[Symbol.dispose]();
  restore(copy, path);
  const found = (there: ReturnType<typeof testBus>) =>
    [kept, revoked, later, rotated].map((secret) => {
      const one = there.credentials.find(secret);
      return one === null || one === "over" ? one : one.name;
    });
  {
    using again = testBus(path);
    assert.deepEqual(found(again), ["over", "over", "later", "kept"]);
  }
  const elsewhere = join(home.path, "elsewhere.db");
  testBus(elsewhere)[Symbol.dispose]();
  restore(copy, elsewhere);
  using moved = testBus(elsewhere);
  assert.deepEqual(found(moved), ["kept", "revoked", null, null], "a new machine lets in the same");
});

Deno.test("restore: stopped before the backup has its name, the database has all that was committed", async () => {
  using home = tempHome();
  const { bus, path, copy } = await busIn(home);
  await bus.call("backup", { path: copy });
  await publish(bus, 4);
  const crashed = join(home.path, "crashed.db");
  for (const end of ["", "-wal", "-shm"]) Deno.copyFileSync(path + end, crashed + end);
  bus[Symbol.dispose]();
  const rename = Deno.renameSync;
  Deno.renameSync = () => {
    throw new Error("stopped");
  };
  try {
    assert.match(refusalOf(() => restore(copy, crashed)).message, /stopped$/);
  } finally {
    Deno.renameSync = rename;
  }
  assert.equal(countIn(crashed), 7);
});

Deno.test("a bus that starts removes what one that was killed left a day ago, and nothing else", async () => {
  using home = tempHome();
  const { bus, path, copy } = await busIn(home);
  bus[Symbol.dispose]();
  const old = [".importing-a", ".restoring-b", ".carrying-over-c", ".backup-d.part"];
  const others = [".importing-now", "importing-mine", "mine.part"];
  for (const name of [...old, ...others]) home.write(join(name, "data.db"), "x");
  old.push("data.db.original-v5-20260108T120000Z.part");
  home.write(old.at(-1)!, "x");
  const yesterday = new Date(Date.now() - 25 * 60 * 60 * 1000);
  for (const name of [...old, "importing-mine", "mine.part"]) {
    Deno.utimeSync(join(home.path, name), yesterday, yesterday);
  }
  const before = namesIn(home);
  using again = testBus(path);
  assert.deepEqual(before.filter((name) => !namesIn(home).includes(name)).sort(), old.sort());
  home.write(join(".backup-e.part"), "x");
  Deno.utimeSync(join(home.path, ".backup-e.part"), yesterday, yesterday);
  await again.call("backup", { path: copy });
  assert.ok(!namesIn(home).includes(".backup-e.part"), "and a backup does it where it writes");
});

Deno.test("get_diagnosis counts the events, whatever gaps their ids have", async () => {
  using home = tempHome();
  const { bus, path, copy } = await busIn(home);
  await bus.call("backup", { path: copy });
  await publish(bus, 2);
  bus[Symbol.dispose]();
  restore(copy, path);
  using again = testBus(path);
  await publish(again, 1);
  assert.equal((await again.call("get_diagnosis")).events, 4);
});
