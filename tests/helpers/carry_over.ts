/**
 * Opens the store at the first argument in a process of its own, whose zone the caller chose, and
 * prints what was carried over; with `die`, is killed in the middle of the upgrade instead.
 */
import { carryOver } from "../../src/store/original.ts";
import { openStore } from "../../src/store/open.ts";

const [path = "", die] = Deno.args;
if (die === undefined) {
  const store = openStore(path);
  const events = store.db.prepare("SELECT at FROM event ORDER BY id").all();
  const sessions = store.db.prepare("SELECT registered_at, last_seen FROM session").all();
  const facts = JSON.stringify({ events, sessions });
  Deno.stdout.writeSync(new TextEncoder().encode(facts));
  store.close();
} else {
  carryOver(path, (db) => {
    // Changed pages reach the file before the end, as those of a large database do.
    db.exec("PRAGMA cache_size = 2; CREATE TABLE event (x); CREATE TABLE padding (x)");
    db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
      INSERT INTO padding SELECT printf('%0500d', i) FROM n;
      UPDATE original_events SET payload = 'half done'`);
    Deno.kill(Deno.pid, "SIGKILL");
  });
}
