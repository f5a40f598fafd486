/** When the bus could not be reached, told once to each session that was there before. */
import type { Call } from "../bus.ts";
import type { Session } from "../session.ts";

export interface Absence {
  /** Epoch milliseconds. */
  readonly from: number;
  readonly to: number;
}

export interface Absences {
  /** Notes what a client of a session found out. */
  note(sessionId: string, absence: Absence): void;
  /** Whether a session has not been told of an absence yet. */
  isUntold(session: Session): boolean;
  /** A session that has ended need not be told. */
  forget(sessionId: string): void;
  /** What to tell a session: a line, or none. It counts as told once the call is durable. */
  tell(session: Session, call: Call): string[];
}

/** A restart is no absence: nobody missed anything that the next hook does not bring. */
const MIN_MS = 5_000;

export function createAbsences(outage: Absence | null): Absences {
  const found = new Map<string, Absence>();
  const told = new Set<string>();
  const everybodys = outage !== null && outage.to - outage.from >= MIN_MS ? outage : null;

  function untold(session: Session): Absence | null {
    const own = found.get(session.id);
    if (own !== undefined) return own;
    if (everybodys === null || told.has(session.id)) return null;
    return session.registered_at < everybodys.from ? everybodys : null;
  }

  return {
    note(sessionId, absence) {
      const isTold = told.has(sessionId) && everybodys !== null && absence.from <= everybodys.to;
      if (absence.to - absence.from >= MIN_MS && !isTold) found.set(sessionId, absence);
    },
    forget(sessionId) {
      found.delete(sessionId);
      told.delete(sessionId);
    },
    isUntold: (session) => untold(session) !== null,
    tell(session, call) {
      const absence = untold(session);
      if (absence === null) return [];
      call.afterCommit(() => {
        found.delete(session.id);
        told.add(session.id);
      });
      const [from, to] = [absence.from, absence.to].map((at) => new Date(at).toISOString());
      return [
        `The event bus could not be reached from ${from} to ${to}; what was tried then did not ` +
        "reach it, and nothing that it had is lost.",
      ];
    },
  };
}
