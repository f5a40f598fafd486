/** What becomes of writes when disk or file fail them, and that they go on afterwards. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BusError } from "../../src/errors.ts";
import { openStore, type Store } from "../../src/store/open.ts";
import { whyNotWritable } from "../../src/store/trouble.ts";
import { START, testBus } from "../helpers/bus.ts";
import { NO_DISK, smallDisk } from "../helpers/disk.ts";
import { tempHome } from "../helpers/home.ts";

const nameOf = (why: string | null, name: string) =>
  why === null ? name : `${name} (skipped: ${why})`;

const onDisk = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: nameOf(NO_DISK, name), ignore: NO_DISK !== null, fn });

/** One write of so many bytes. */
const put = (store: Store, bytes: number) =>
  store.inBatch(() =>
    store.sql(
      "INSERT INTO event (event_type, payload, channel, session_id, at, signal_level) VALUES ('t', ?, 'all', 'a', 1, 1)",
    ).run("x".repeat(bytes))
  );

const stored = (path: string): number => {
  const db = new DatabaseSync(path, { readOnly: true });
  const { n } = db.prepare("SELECT count(*) AS n FROM event").get() as { n: number };
  db.close();
  return n;
};

async function refusalOf(write: Promise<unknown>): Promise<BusError> {
  const refusal = await write.then(() => null, (reason) => reason);
  assert.ok(refusal instanceof BusError, String(refusal));
  return refusal;
}

onDisk(
  "inBatch: a full disk refuses with the reason, keeps what it acknowledged, and the next write works when there is room",
  async () => {
    using disk = smallDisk(2048);
    const path = join(disk.path, "data.db");
    const store = openStore(path);
    let acknowledged = 0;
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 3; n++) await put(store, 1000).then(() => acknowledged++);
      disk.fill();
      let refusal: BusError | null = null;
      while (refusal === null) {
        refusal = await put(store, 20_000).then(() => void acknowledged++, (failure) => failure) ??
          null;
      }
      assert.equal(refusal.code, "unavailable");
      assert.equal(refusal.message, "Cannot write to the database: the disk is full");
      assert.equal(store.db.isTransaction, false);
      assert.equal(await whyNotWritable(store), "the disk is full");
      disk.empty();
      assert.equal(await whyNotWritable(store), null, "it is found out without anybody's write");
    }
    await put(store, 20_000).then(() => acknowledged++);
    store.close();
    assert.equal(stored(path), acknowledged);
  },
);

onDisk(
  "inBatch: a disk that becomes read-only is named, and so is one that is when the database is opened",
  async () => {
    using disk = smallDisk(4096);
    const path = join(disk.path, "data.db");
    openStore(path).close();
    disk.setReadOnly(true);
    assert.throws(() => openStore(path), /^BusError: Cannot use the database \S+: .*[Rr]ead-only/);
    disk.setReadOnly(false);
    const store = openStore(path);
    await put(store, 1);
    store.close();
    assert.equal(stored(path), 1);
  },
);

Deno.test("inBatch: a database that another program has locked refuses, and works again without a hand on it", async () => {
  using home = tempHome();
  const path = join(home.path, "data.db");
  const store = openStore(path);
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  const refusal = await refusalOf(put(store, 1));
  assert.equal(refusal.message, "Cannot write to the database: another program has it locked");
  const again = performance.now();
  assert.equal(await whyNotWritable(store), "another program has it locked");
  assert.ok(performance.now() - again < 1000, "nobody is held up for as long as the first time");
  other.exec("ROLLBACK");
  other.close();
  assert.equal(await whyNotWritable(store), null);
  await put(store, 1);
  store.close();
  assert.equal(stored(path), 1);
});

Deno.test("inBatch: what goes into a file that was moved away is not acknowledged, until the file is back", async () => {
  using home = tempHome();
  const path = join(home.path, "data.db");
  const store = openStore(path);
  await put(store, 1);
  Deno.renameSync(path, `${path}.moved`);
  const refusal = await refusalOf(put(store, 2));
  assert.equal(refusal.code, "unavailable");
  assert.match(refusal.message, /^Cannot write to the database: its file is gone; put it back/);
  assert.match(store.trouble() ?? "", /its file is gone/);
  assert.equal(stored(`${path}.moved`), 1, "all that was acknowledged is in the file");
  Deno.renameSync(`${path}.moved`, path);
  assert.equal(await whyNotWritable(store), null);
  await put(store, 3);
  store.close();
  assert.equal(stored(path), 2);
});

Deno.test("inBatch: a file that was replaced is left alone, and what is open is not written to", async () => {
  using home = tempHome();
  const path = join(home.path, "data.db");
  const store = openStore(path);
  await put(store, 1);
  for (const end of ["", "-wal", "-shm"]) Deno.renameSync(`${path}${end}`, `${path}.old${end}`);
  const other = new DatabaseSync(path);
  other.exec("PRAGMA journal_mode = WAL; CREATE TABLE theirs (v); INSERT INTO theirs VALUES (1)");
  assert.match((await refusalOf(put(store, 2))).message, /another file has taken the place/);
  assert.match(await whyNotWritable(store) ?? "", /another file/);
  store.close();
  assert.ok(Deno.statSync(`${path}-wal`).isFile, "its journal is there");
  assert.deepEqual({ ...other.prepare("SELECT v FROM theirs").get() }, { v: 1 });
  other.close();
  assert.equal(stored(`${path}.old`), 1);
});

Deno.test("inBatch: a file that was replaced gets nothing of the journal beside it, should the server be killed then", async () => {
  using home = tempHome();
  const path = join(home.path, "data.db");
  openStore(path).close();
  Deno.copyFileSync(path, `${path}.backup`);
  const store = openStore(path);
  for (let n = 0; n < 5; n++) await put(store, 100);
  Deno.renameSync(`${path}.backup`, path);
  await refusalOf(put(store, 1));
  assert.equal(Deno.statSync(`${path}-wal`).size, 0);
  store.close();
  assert.equal(stored(path), 0);
});

Deno.test("inBatch: a journal that was deleted costs nothing that was acknowledged", async () => {
  using home = tempHome();
  const path = join(home.path, "data.db");
  const store = openStore(path);
  for (let n = 0; n < 5; n++) await put(store, 100);
  Deno.removeSync(`${path}-wal`);
  assert.match((await refusalOf(put(store, 1))).message, /-wal is gone; restart the server/);
  assert.equal(await refusalOf(put(store, 1)).then(({ code }) => code), "unavailable");
  store.close();
  const again = openStore(path);
  await put(again, 1);
  again.close();
  assert.equal(stored(path), 6);
});

Deno.test("a database that is damaged while it is served refuses with the reason, and never as a fault of ours", async () => {
  using home = tempHome();
  const path = join(home.path, "data.db");
  {
    using bus = testBus(path);
    for (let n = 0; n < 20; n++) {
      await bus.call("publish_event", { event_type: "t", payload: "x".repeat(5000) });
    }
  }
  using bus = testBus(path);
  const { length } = Deno.readFileSync(path);
  const file = Deno.openSync(path, { write: true });
  file.seekSync(4096, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(length - 4096).fill(0x5a));
  file.close();
  const refusal = await bus.refusal("get_events");
  assert.equal(refusal.code, "unavailable");
  assert.equal(refusal.message, "Cannot read the database: it is damaged; restore a backup");
  assert.equal(
    (await bus.refusal("publish_event", { event_type: "t", payload: "" })).code,
    "unavailable",
  );
});

Deno.test("a clock that jumps: what was heard in the future counts as heard now, and ages are never negative", async () => {
  using bus = testBus();
  const { bringBack, isAnyAhead } = await import("../../src/store/sessions.ts");
  const YEAR_MS = 366 * 24 * 60 * 60 * 1000;
  await bus.call("register_session", { name: "a", client_id: "a", machine: "far" });
  bus.pass(-YEAR_MS);
  const [session] = await bus.call("list_sessions");
  assert.equal(session.age_seconds, 0);
  assert.ok(isAnyAhead(bus.store, bus.clock()));
  await bus.store.inBatch(() => bringBack(bus.store, bus.clock()));
  assert.ok(!isAnyAhead(bus.store, bus.clock()));
  const [back] = await bus.call("list_sessions");
  assert.equal(Date.parse(back.last_heartbeat), START - YEAR_MS);
  bus.pass(25 * 60 * 60 * 1000);
  assert.deepEqual(await bus.call("list_sessions"), [], "it was silent for a day");
});

Deno.test("a clock that jumps back: a dedupe key means the same event as before", async () => {
  using bus = testBus();
  const event = { event_type: "t", payload: "", dedupe_key: "k" };
  assert.equal((await bus.call("publish_event", event)).event_id, 1);
  bus.pass(-60 * 60 * 1000);
  assert.equal((await bus.call("publish_event", event)).event_id, 1);
  bus.pass(2 * 60 * 60 * 1000);
  assert.equal((await bus.call("publish_event", event)).event_id, 1);
});
