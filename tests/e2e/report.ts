/** What a run has shown: a small table at its end. */

const rows: (readonly [promise: string, seen: string])[] = [];

/** Notes what was seen of a promise. */
export function report(promise: string, seen: string): void {
  rows.push([promise, seen]);
}

/** The table; empty when nothing was noted. */
export function table(): string {
  const width = Math.max(0, ...rows.map(([promise]) => promise.length));
  return rows.map(([promise, seen]) => `${promise.padEnd(width)}  ${seen}\n`).join("");
}
