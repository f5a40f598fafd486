/** Bounds how long something that goes on for long may be silent. */
export interface Watch {
  /** Aborts when what was expected did not come in time, with a `TimeoutError`, or at the end. */
  readonly signal: AbortSignal;
  /** From now on something must come within this time. */
  expect(ms: number): void;
  /** It came; nothing is expected for now. */
  rest(): void;
  /** Nobody watches any more: whatever still runs is given up. */
  end(): void;
}

/** A watch that also gives up when `signal` aborts. */
export function createWatch(signal: AbortSignal): Watch {
  const over = new AbortController();
  const leave = () => over.abort(signal.reason);
  let timer: ReturnType<typeof setTimeout> | undefined;
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  const rest = () => clearTimeout(timer);
  return {
    signal: over.signal,
    expect(ms) {
      rest();
      timer = setTimeout(() => over.abort(new DOMException("Silent", "TimeoutError")), ms);
    },
    rest,
    end() {
      rest();
      signal.removeEventListener("abort", leave);
      over.abort();
    },
  };
}
