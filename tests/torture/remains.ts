/** What a killed server leaves on the disk: looked at as a copy, so that the next start finds it as it was. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { restore } from "../../src/store/restore.ts";

export interface Remains {
  readonly ids: readonly number[];
  readonly positions: ReadonlyMap<string, number>;
  /** The highest id that was ever given out. */
  readonly highest: number;
}

/** The database in a folder with whatever lies beside it; fails when it is not sound. */
export function remainsOf(folder: string): Remains {
  const copy = Deno.makeTempDirSync({ prefix: "event-bus-remains-" });
  try {
    for (const name of ["data.db", "data.db-wal"]) {
      const from = join(folder, name);
      if (isThere(from)) Deno.copyFileSync(from, join(copy, name));
    }
    return look(join(copy, "data.db"));
  } finally {
    Deno.removeSync(copy, { recursive: true });
  }
}

function look(path: string): Remains {
  const db = new DatabaseSync(path);
  try {
    const check = db.prepare("PRAGMA integrity_check").all();
    assert.deepEqual(check.map((row) => ({ ...row })), [{ integrity_check: "ok" }]);
    const ids = db.prepare("SELECT id FROM event ORDER BY id").all().map(({ id }) => Number(id));
    const positions = db.prepare("SELECT * FROM position").all().map((row) =>
      [`${row.session_id} ${row.principal} ${row.consumer}`, Number(row.event_id)] as const
    );
    const highest = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'event'").get();
    return { ids, positions: new Map(positions), highest: Number(highest?.seq ?? 0) };
  } finally {
    db.close();
  }
}

/** A backup that was asked for, and what had been acknowledged before. */
export interface Backup {
  readonly path: string;
  readonly acknowledged: number;
  /** Whether the server said that it is done. */
  isDone: boolean;
}

/**
 * Restores every backup that has its name, also one whose answer never came, and removes them. Each has
 * what was acknowledged before it began, as far as that had not been archived. Answers how many there were.
 */
export function checkBackups(backups: readonly Backup[], ids: readonly number[]): number {
  let restored = 0;
  for (const { path, acknowledged, isDone } of backups) {
    if (!isThere(path)) {
      assert.ok(!isDone, `${path} was acknowledged and is not there`);
      continue;
    }
    const folder = Deno.makeTempDirSync({ prefix: "event-bus-restored-" });
    try {
      restore(path, join(folder, "data.db"));
      const { ids: kept } = look(join(folder, "data.db"));
      const there = new Set(kept);
      const first = kept[0] ?? Infinity;
      for (const id of ids.slice(0, acknowledged)) {
        assert.ok(id < first || there.has(id), `${path} has no event ${id}`);
      }
      restored++;
    } finally {
      Deno.removeSync(folder, { recursive: true });
      Deno.removeSync(path);
    }
  }
  return restored;
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
