/**
 * Who is listening right now: the open streams, waits and subscriptions of each session, and when
 * each path last asked. Kept in memory only; it says whether a message would reach somebody this
 * minute.
 */
export interface Readers {
  /** Notes that a session listens by a path; call the answer when it stops. */
  attend(sessionId: string, path: string): () => void;
  /** The paths by which a session listens now, each once. */
  pathsTo(sessionId: string): string[];
  /** Notes that a path asked in the name of a session, whether or not there was anything to tell. */
  note(sessionId: string, path: string, at: number): void;
  /** When each path of a session last asked, as far as this server has seen. */
  lastBy(sessionId: string): ReadonlyMap<string, number>;
  /** How many listen by a path now. */
  count(path: string): number;
}

/** Whose paths are remembered: those heard most recently. */
const MAX_NOTED = 1000;

export function createReaders(): Readers {
  const open = new Map<string, string[]>();
  const noted = new Map<string, Map<string, number>>();
  return {
    attend(sessionId, path) {
      open.set(sessionId, [...open.get(sessionId) ?? [], path]);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        const paths = open.get(sessionId) ?? [];
        paths.splice(paths.indexOf(path), 1);
        if (paths.length === 0) open.delete(sessionId);
      };
    },
    pathsTo: (sessionId) => [...new Set(open.get(sessionId))],
    note(sessionId, path, at) {
      const paths = noted.get(sessionId) ?? new Map<string, number>();
      paths.set(path, at);
      // Put in again, so that the first is whoever was silent for longest.
      noted.delete(sessionId);
      noted.set(sessionId, paths);
      if (noted.size > MAX_NOTED) noted.delete(noted.keys().next().value as string);
    },
    lastBy: (sessionId) => noted.get(sessionId) ?? new Map(),
    count: (path) => [...open.values()].flat().filter((one) => one === path).length,
  };
}
