/**
 * The doorbell. It carries no data and knows no reader: it only says "look again". Whoever waits
 * re-reads the log after its own position, so a ring that nobody hears loses nothing.
 */
export interface Bell {
  /** Wakes everybody who waits now. Rung only after a COMMIT. */
  ring(): void;
  /**
   * Resolves `true` at the next ring, `false` when `signal` aborts first. Arm it in the same turn
   * as the read that found nothing, and no event can slip in between.
   */
  wait(signal: AbortSignal): Promise<boolean>;
}

export function createBell(): Bell {
  let sleepers = new Set<() => void>();
  return {
    ring() {
      const woken = sleepers;
      sleepers = new Set();
      for (const wake of woken) wake();
    },
    wait(signal) {
      if (signal.aborted) return Promise.resolve(false);
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
