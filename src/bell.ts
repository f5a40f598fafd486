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
   * aborts first.
   */
  wait(seen: number, signal: AbortSignal): Promise<boolean>;
}

export function createBell(): Bell {
  let rings = 0;
  let sleepers = new Set<() => void>();
  return {
    get rings() {
      return rings;
    },
    ring() {
      rings++;
      const woken = sleepers;
      sleepers = new Set();
      for (const wake of woken) wake();
    },
    wait(seen, signal) {
      if (signal.aborted) return Promise.resolve(false);
      if (seen !== rings) return Promise.resolve(true);
      return new Promise((resolve) => {
        const leave = () => {
          sleepers.delete(wake);
          resolve(false);
        };
        const wake = () => {
          signal.removeEventListener("abort", leave);
          resolve(true);
        };
        sleepers.add(wake);
        signal.addEventListener("abort", leave, { once: true });
      });
    },
  };
}
