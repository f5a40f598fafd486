/** How an event can reach somebody. */

/** The ways out of the log that can move a position; the record names one for each move. */
export const PATHS = [
  "tool",
  "http",
  "cli",
  "stream",
  "wait",
  "wake",
  "channel",
  "webhook",
  "mod",
  "start hook",
  "prompt hook",
  "batch hook",
  "stop hook",
] as const;

export type Path = (typeof PATHS)[number];
