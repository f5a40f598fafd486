// Copies a database in a thread of its own: SQLite's backup never yields, and a large one would
// keep the server from answering. Imported as text, so that the bundle is one program.
import { backup, DatabaseSync } from "node:sqlite";

// As one step, so as of one moment: a copy in several begins again at every write.
const ALL_PAGES = 2 ** 31 - 1;

self.onmessage = async ({ data: { from, to } }) => {
  try {
    self.postMessage({ facts: await copy(from, to) });
  } catch (failure) {
    self.postMessage({ failure: failure instanceof Error ? failure.message : String(failure) });
  }
};

async function copy(from, to) {
  const source = new DatabaseSync(from, { readOnly: true });
  try {
    source.exec("PRAGMA busy_timeout = 5000");
    await backup(source, to, { rate: ALL_PAGES });
  } finally {
    source.close();
  }
  return check(to);
}

/** Opens the copy as whoever restores it will, and leaves one file without companions. */
function check(path) {
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA journal_mode = DELETE");
    const one = (sql) => Object.values(db.prepare(sql).get())[0];
    return {
      damage: one("PRAGMA integrity_check(1)"),
      application_id: one("PRAGMA application_id"),
      schema: one("PRAGMA user_version"),
      events: one("SELECT count(*) FROM event"),
      sessions: one("SELECT count(*) FROM session"),
    };
  } finally {
    db.close();
  }
}
