/**
 * Makes a copy of another database and brings it up to our schema, in a thread of its own: none of
 * that yields, and a large one would keep the server from answering.
 */
import { openStore } from "./open.ts";
import { copyWhole } from "./original/places.ts";

/** Where this module is, also in a bundle: a thread begins with it. */
export const HERE = import.meta.url;

export interface Job {
  readonly path: string;
  readonly copy: string;
}

/** What came of it: nothing when all is well. */
export interface Outcome {
  readonly failure?: string;
  readonly isAbsent?: boolean;
}

function prepare({ path, copy }: Job): Outcome {
  try {
    copyWhole(path, copy);
    // SQLite would take it for a database in which there is nothing.
    if (Deno.statSync(copy).size === 0) throw new Error("it is empty");
    openStore(copy).close();
    return {};
  } catch (failure) {
    return {
      failure: failure instanceof Error ? failure.message : String(failure),
      isAbsent: failure instanceof Deno.errors.NotFound,
    };
  }
}

/** What a thread is to the code in it; the thread that imports this for `HERE` is none. */
interface Thread {
  onmessage: (event: MessageEvent<Job>) => void;
  postMessage(outcome: Outcome): void;
}

if ("DedicatedWorkerGlobalScope" in globalThis) {
  const thread = globalThis as unknown as Thread;
  thread.onmessage = ({ data }) => thread.postMessage(prepare(data));
}
