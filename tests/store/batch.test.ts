import { deepStrictEqual as equal, match, rejects } from "node:assert";
import { DatabaseSync } from "node:sqlite";
import { BusError } from "../../src/errors.ts";
import { createBatches } from "../../src/store/batch.ts";

function table() {
  const db = new DatabaseSync(":memory:");
  db.exec("CREATE TABLE t (v INTEGER CHECK (v < 100))");
  const insert = db.prepare("INSERT INTO t VALUES (?)");
  const values = () => db.prepare("SELECT v FROM t").all().map((row) => row.v);
  return { db, values, put: (v: number) => () => void insert.run(v) };
}

Deno.test("inBatch() puts the writes of one turn into one transaction", async () => {
  const { db, put, values } = table();
  const transactions: number[] = [];
  const { inBatch } = createBatches(db, () => void transactions.push(values().length));
  await Promise.all([1, 2, 3].map((v) => inBatch(put(v))));
  await inBatch(put(4));
  equal(transactions, [3, 4]);
  equal(db.isTransaction, false);
  db.close();
});

Deno.test("inBatch() undoes a refused write alone, and answers in the order of the calls", async () => {
  const { db, put, values } = table();
  const { inBatch } = createBatches(db);
  const order: string[] = [];
  const note = (name: string) => ({
    then: () => void order.push(name),
    catch: () => void order.push(`${name} refused`),
  });
  const half = () => {
    put(50)();
    throw new BusError("conflict", "Cannot");
  };
  const calls: [string, () => void][] = [["a", put(1)], ["b", half], ["c", put(200)], [
    "d",
    put(2),
  ]];
  await Promise.all(
    calls.map(([name, write]) => inBatch(write).then(note(name).then, note(name).catch)),
  );
  equal(values(), [1, 2]);
  equal(order, ["a", "b refused", "c refused", "d"]);
  db.close();
});

Deno.test("inBatch() runs effects and answers only after COMMIT", async () => {
  const { db, put, values } = table();
  const { inBatch } = createBatches(db);
  const seen: unknown[] = [];
  const effect = () => seen.push([db.isTransaction, values()]);
  await Promise.all([
    inBatch(({ afterCommit }) => {
      afterCommit(effect);
      put(1)();
    }),
    inBatch(put(2)),
    rejects(inBatch(({ afterCommit }) => {
      afterCommit(() => seen.push("an effect of a refused write"));
      throw new Error("no");
    })),
  ]);
  equal(seen, [[false, [1, 2]]]);
  db.close();
});

Deno.test("inBatch() rejects the whole batch when COMMIT fails, and the next batch works", async () => {
  const { db, put, values } = table();
  db.exec(`PRAGMA foreign_keys = ON; CREATE TABLE p (id INTEGER PRIMARY KEY);
    CREATE TABLE c (p INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)`);
  const { inBatch } = createBatches(db);
  const orphan = () => db.exec("INSERT INTO c VALUES (7)");
  let rung = false;
  const results = await Promise.allSettled([
    inBatch(({ afterCommit }) => {
      afterCommit(() => rung = true);
      put(1)();
    }),
    inBatch(orphan),
  ]);
  for (const result of results) {
    if (result.status === "fulfilled") throw new Error("an answer without a commit");
    equal(result.reason.code, "unavailable");
    match(result.reason.message, /Cannot write to the database: FOREIGN KEY/);
  }
  equal([rung, values(), db.isTransaction], [false, [], false]);
  await inBatch(put(2));
  equal(values(), [2]);
  db.close();
});

Deno.test("inBatch() rejects the whole batch when a statement ended the transaction by itself", async () => {
  const { db, put, values } = table();
  const { inBatch } = createBatches(db);
  // As SQLite does when the disk is full in the middle of a statement.
  const fatal = () => {
    db.exec("ROLLBACK");
    throw new Error("database or disk is full");
  };
  const results = await Promise.allSettled([inBatch(put(1)), inBatch(fatal), inBatch(put(2))]);
  equal(results.map((r) => r.status), ["rejected", "rejected", "rejected"]);
  equal(values(), []);
  await inBatch(put(3));
  equal(values(), [3]);
  db.close();
});

Deno.test("inBatch() splits a flood into bounded transactions and loses none", async () => {
  const { db, values } = table();
  db.exec("CREATE TABLE u (v INTEGER)");
  let transactions = 0;
  const { inBatch } = createBatches(db, () => void transactions++);
  const insert = db.prepare("INSERT INTO u VALUES (?)");
  const numbers = Array.from({ length: 1500 }, (_, i) => i);
  await Promise.all(numbers.map((i) => inBatch(() => void insert.run(i))));
  equal(db.prepare("SELECT count(*) AS n FROM u").get()?.n, 1500);
  equal([transactions, values()], [3, []]);
  db.close();
});

Deno.test("inBatch() on a database that was closed rejects, and nothing else happens", async () => {
  const { db, put } = table();
  const { inBatch } = createBatches(db);
  db.close();
  await rejects(inBatch(put(1)), /^BusError: Cannot write to the database: /);
});
