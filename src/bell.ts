/**
 * The doorbell. It carries no data and knows no reader: it only says "look again". Whoever waits
 * re-reads the log after its own position, so a ring that nobody hears loses nothing.
 */
export interface Bell {
  /** How often it has rung. Look before reading, and no event can slip in before the wait. */
  readonly rings: number;
  /** Wakes everybody who waits now. Rung only after a COMMIT. */
  ring(): void;
  /**
   * Resolves `true` when it has rung since `seen`, at once if it already has; `false` when `signal`
   * aborts, or the bell is stopped, first.
   */
  wait(seen: number, signal: AbortSignal): Promise<boolean>;
  /** Whether it was stopped: then nobody waits any more. */
  readonly stopped: boolean;
  /** The bus stops: every wait, now and later, ends with `false`. */
  stop(): void;
}

export function createBell(): Bell {
  let rings = 0;
  let stopped = false;
  let sleepers = new Set<(rung: boolean) => void>();

  function wakeAll(rung: boolean): void {
    const woken = sleepers;
    sleepers = new Set();
    for (const wake of woken) wake(rung);
  }

  return {
    get rings() {
      return rings;
    },
    ring() {
      rings++;
      wakeAll(true);
    },
    get stopped() {
      return stopped;
    },
    stop() {
      stopped = true;
      wakeAll(false);
    },
    wait(seen, signal) {
      if (signal.aborted || stopped) return Promise.resolve(false);
      if (seen !== rings) return Promise.resolve(true);
      return new Promise((resolve) => {
        const leave = () => {
          sleepers.delete(wake);
          resolve(false);
        };
        const wake = (rung: boolean) => {
          signal.removeEventListener("abort", leave);
          resolve(rung);
        };
        sleepers.add(wake);
        signal.addEventListener("abort", leave, { once: true });
      });
    },
  };
}
