/** What comes between the steps of long work, so that everybody else gets their turn. */

/** After a step of what nobody waits for: others find the loop free most of the time. */
export const IN_BACKGROUND_MS = 25;

/**
 * Resolves after `ms`, and never before what has arrived meanwhile was looked at. A timer, because a
 * chain of immediates gets nearly the whole event loop.
 */
export function pause(ms = 0): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
