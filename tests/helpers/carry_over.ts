/**
 * What another process does with the database that the first argument names: the second says what.
 * In a process of its own because zones, locks and sudden deaths belong to processes.
 */
import { DatabaseSync } from "node:sqlite";
import { openStore } from "../../src/store/open.ts";
import { carryOver } from "../../src/store/original.ts";

const [path = "", action = ""] = Deno.args;
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));

const ACTIONS: Record<string, () => void | Promise<void>> = {
  /** Opens the store and prints the times that it carried over. */
  upgrade() {
    const store = openStore(path);
    say(JSON.stringify(store.db.prepare("SELECT at FROM event ORDER BY id").all()));
    store.close();
  },
  /** Is killed in the middle of the upgrade. */
  die() {
    carryOver(path, (db) => {
      // Changed pages reach the file before the end, as those of a large database do.
      db.exec("PRAGMA cache_size = 2; CREATE TABLE event (x); CREATE TABLE padding (x)");
      db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO padding SELECT printf('%0500d', i) FROM n;
        UPDATE original_events SET payload = 'half done'`);
      Deno.kill(Deno.pid, "SIGKILL");
    });
  },
  /** Writes to it, and prints what came of that. */
  write() {
    const db = new DatabaseSync(path, { timeout: 0 });
    try {
      db.exec("BEGIN IMMEDIATE; DELETE FROM events; COMMIT");
      say("written");
    } catch (failure) {
      say(failure instanceof Error ? failure.message : String(failure));
    }
    db.close();
  },
  /** Has it open, and nothing more, until its input ends. */
  async hold() {
    const db = new DatabaseSync(path);
    db.prepare("SELECT count(*) FROM events").get();
    say("open");
    await Deno.stdin.read(new Uint8Array(1));
    db.close();
  },
};

await ACTIONS[action]?.();
