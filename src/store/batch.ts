/**
 * Group commit. Writes that arrive in one turn of the event loop share one transaction and one
 * fsync: several times the throughput of a transaction each, for the price of a setImmediate.
 */
import type { DatabaseSync } from "node:sqlite";
import { BusError } from "../errors.ts";
import { completeFile } from "./place.ts";
import { troubleOf } from "./trouble.ts";

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
  /** Why the last write failed, or the next one would; null when nothing is known to be wrong. */
  trouble(): string | null;
}

interface Waiting {
  write(transaction: Transaction): unknown;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/** A bound on how long one transaction can hold the event loop. */
const MAX_BATCH = 512;

/** How long a transaction waits for another program that writes; meanwhile nobody is answered. */
export const BUSY_MS = 2000;
/** The same after it has waited in vain: whoever only reads must not be held up again and again. */
const STILL_BUSY_MS = 50;

/**
 * `ride` runs last in every transaction that writes: what is cheap only because its COMMIT is paid
 * for anyway. One that wrote nothing costs none, and stays so. `displaced` says why what is written
 * would be lost, if it would.
 */
export function createBatches(
  db: DatabaseSync,
  ride: (transaction: Transaction) => void = () => {},
  displaced: () => string | null = () => null,
): Batches {
  const savepoint = createSavepoints(db);
  const changes = db.prepare("SELECT total_changes() AS n");
  const written = () => (changes.get() as { n: number }).n;
  let waiting: Waiting[] = [];
  let scheduled = false;
  let trouble: string | null = null;
  let patience = BUSY_MS;

  /** Notes how a transaction went. */
  function went(reason: string | null): void {
    trouble = reason;
    const ms = reason === null ? BUSY_MS : STILL_BUSY_MS;
    if (ms !== patience && db.isOpen) db.exec(`PRAGMA busy_timeout = ${patience = ms}`);
  }

  function checkPlace(): void {
    const reason = displaced();
    if (reason === null) return;
    if (reason !== trouble) completeFile(db);
    throw new Displaced(reason);
  }

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
    let refused: string | null = null;
    try {
      checkPlace();
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
          const reason = troubleOf(refusal);
          refused ??= reason;
          answers.push(() => reject(reason === null ? refusal : unavailable(refusal)));
        }
      }
      const wrote = written() > before;
      if (wrote) {
        savepoint(() => ride({ afterCommit: (effect) => effects.push(effect) }));
      }
      db.exec("COMMIT");
      // What was written into a file that is gone must not be acknowledged.
      checkPlace();
      if (refused !== null) went(refused);
      else if (wrote && trouble !== null) went(null);
    } catch (failure) {
      rollBack(db);
      went(reasonOf(failure));
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
    trouble: () => displaced() ?? trouble,
  };
}

/** The files that would be written to are not the database any more. */
class Displaced extends Error {}

/** No failure may leave the connection inside a transaction: everything after it would join in. */
function rollBack(db: DatabaseSync): void {
  try {
    if (db.isTransaction) db.exec("ROLLBACK");
  } catch {
    // The next BEGIN fails then, and says why.
  }
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
      try {
        if (db.isTransaction) {
          undo.run();
          keep.run();
        }
      } catch {
        // Half a write must not stand: rather nobody's does.
        rollBack(db);
      }
      throw thrown;
    }
  };
}

function unavailable(failure: unknown): BusError {
  return new BusError("unavailable", `Cannot write to the database: ${reasonOf(failure)}`);
}

function reasonOf(failure: unknown): string {
  return troubleOf(failure) ?? (failure instanceof Error ? failure.message : String(failure));
}
