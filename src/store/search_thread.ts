/** The thread that looks for words in a large log, on a connection of its own that only reads. */
import { DatabaseSync } from "node:sqlite";
import { BusError } from "../errors.ts";
import { bestMatches, type Matches, type Sought } from "./search.ts";
import { answerQuestions } from "./thread.ts";

/** Where it is in the bundle, too. Only for that reason the server loads this module, and late. */
export const url = import.meta.url;

function find(path: string, sought: Sought): Matches {
  const db = connect(path);
  try {
    return bestMatches((text) => db.prepare(text), sought);
  } finally {
    db.close();
  }
}

/** What keeps the file from being opened is no damage of the index. */
function connect(path: string): DatabaseSync {
  try {
    const db = new DatabaseSync(path, { readOnly: true });
    // As a pragma, because the option `timeout` has no effect on a read-only connection.
    db.exec("PRAGMA busy_timeout = 1000; SELECT count(*) FROM sqlite_schema");
    return db;
  } catch (failure) {
    const detail = failure instanceof Error ? failure.message : String(failure);
    throw new BusError("unavailable", `Cannot search the database: ${detail}`);
  }
}

answerQuestions({ find });
