/**
 * Group commit. Writes that arrive in one turn of the event loop share one transaction and one
 * fsync: several times the throughput of a transaction each, for the price of a setImmediate.
 */
import type { DatabaseSync } from "node:sqlite";
import { BusError } from "../errors.ts";

/** What a write may ask of the transaction that it runs in. */
export interface Transaction {
  /** Runs `effect` once COMMIT has returned; never if the write or the commit failed. */
  afterCommit(effect: () => void): void;
}

export interface Batches {
  /**
   * Runs the synchronous `write` in the next transaction, in a savepoint of its own. Resolves or
   * rejects only after that transaction's COMMIT returned, so an answer is always durable. What
   * `write` throws undoes and rejects that write alone; a failed COMMIT rejects the whole batch.
   */
  inBatch<T>(write: (transaction: Transaction) => T): Promise<T>;
  /** Commits what waits, now. */
  flush(): void;
}

interface Waiting {
  write(transaction: Transaction): unknown;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/** A bound on how long one transaction can hold the event loop. */
const MAX_BATCH = 512;

/**
 * `ride` runs last in every transaction that writes: what is cheap only because its COMMIT is paid
 * for anyway. One that wrote nothing costs none, and stays so.
 */
export function createBatches(
  db: DatabaseSync,
  ride: (transaction: Transaction) => void = () => {},
): Batches {
  const savepoint = createSavepoints(db);
  const changes = db.prepare("SELECT total_changes() AS n");
  const written = () => (changes.get() as { n: number }).n;
  let waiting: Waiting[] = [];
  let scheduled = false;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      commitSome();
      if (waiting.length > 0) schedule();
    });
  }

  function commitSome(): void {
    const batch = waiting.slice(0, MAX_BATCH);
    waiting = waiting.slice(MAX_BATCH);
    if (batch.length === 0) return;
    const answers: (() => void)[] = [];
    const effects: (() => void)[] = [];
    try {
      db.exec("BEGIN IMMEDIATE");
      const before = written();
      for (const { write, resolve, reject } of batch) {
        const own: (() => void)[] = [];
        try {
          const value = savepoint(() => write({ afterCommit: (effect) => own.push(effect) }));
          effects.push(...own);
          answers.push(() => resolve(value));
        } catch (refusal) {
          // A full disk, for one, ends the whole transaction by itself: then nobody's write stands.
          if (!db.isTransaction) throw refusal;
          answers.push(() => reject(refusal));
        }
      }
      if (written() > before) {
        savepoint(() => ride({ afterCommit: (effect) => effects.push(effect) }));
      }
      db.exec("COMMIT");
    } catch (failure) {
      if (db.isTransaction) db.exec("ROLLBACK");
      const reason = unavailable(failure);
      for (const { reject } of batch) reject(reason);
      return;
    }
    for (const answer of answers) answer();
    for (const effect of effects) effect();
  }

  return {
    inBatch: <T>(write: (transaction: Transaction) => T) =>
      new Promise<T>((resolve, reject) => {
        waiting.push({ write, resolve: resolve as (value: unknown) => void, reject });
        schedule();
      }),
    flush() {
      while (waiting.length > 0) commitSome();
    },
  };
}

/** Runs `work` so that what it throws undoes its own writes and nothing else. */
function createSavepoints(db: DatabaseSync): <T>(work: () => T) => T {
  const begin = db.prepare("SAVEPOINT one");
  const keep = db.prepare("RELEASE one");
  const undo = db.prepare("ROLLBACK TO one");
  return (work) => {
    begin.run();
    try {
      const value = work();
      keep.run();
      return value;
    } catch (thrown) {
      if (db.isTransaction) {
        undo.run();
        keep.run();
      }
      throw thrown;
    }
  };
}

function unavailable(failure: unknown): BusError {
  const detail = failure instanceof Error ? failure.message : String(failure);
  return new BusError("unavailable", `Cannot write to the database: ${detail}`);
}
