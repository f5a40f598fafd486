/** The thread that copies a foreign database, brings the copy up to date, and reads it. */
import { tip } from "./events.ts";
import { logName } from "./meta.ts";
import { eventsToMove, type Part, sessionsToMove } from "./moving.ts";
import { openStore, type Store } from "./open.ts";
import { copyWhole } from "./original/places.ts";
import { answerQuestions } from "./thread.ts";

/** Where it is in the bundle, too. Only for that reason the server loads this module, and late. */
export const url = import.meta.url;

let store: Store;

const answers = {
  open(path: string, copy: string) {
    copyWhole(path, copy);
    // SQLite would take it for a database in which there is nothing.
    if (Deno.statSync(copy).size === 0) throw new Error("it is empty");
    store = openStore(copy);
    return logName(store);
  },
  events: (part: Part) => eventsToMove(store, part, { through: tip(store), since: -Infinity }),
  sessions: (part: Part) => sessionsToMove(store, part),
  close: () => store.close(),
};

answerQuestions(answers);
