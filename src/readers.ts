/**
 * Who is listening right now: the open streams, waits and subscriptions of each session. Kept in
 * memory only; it says whether a message would reach somebody this minute.
 */
export interface Readers {
  /** Notes that a session listens by a path; call the answer when it stops. */
  attend(sessionId: string, path: string): () => void;
  /** The paths by which a session listens now, each once. */
  pathsTo(sessionId: string): string[];
  /** How many listen by a path now. */
  count(path: string): number;
}

export function createReaders(): Readers {
  const open = new Map<string, string[]>();
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
    count: (path) => [...open.values()].flat().filter((one) => one === path).length,
  };
}
