/** Readers that one ring wakes often ask the same: one look at the log serves them all. */
import type { Bell } from "../bell.ts";

/**
 * Answers a question with what `answer` finds, or found since the bell last rang: until it rings
 * again the log stays as it is. Not for what depends on positions, which move without a ring.
 */
export type Sharing = <T>(question: string, answer: () => T) => T;

/** Whoever keeps up asks for the same page; what the others ask is not worth its memory. */
const MAX_ANSWERS = 16;

export function createSharing(bell: Bell): Sharing {
  const answers = new Map<string, unknown>();
  let rings = -1;
  return <T>(question: string, answer: () => T): T => {
    if (rings !== bell.rings) {
      rings = bell.rings;
      answers.clear();
    }
    const known = answers.get(question);
    if (known !== undefined) return known as T;
    const found = answer();
    if (answers.size < MAX_ANSWERS) answers.set(question, found);
    // A failure is nobody else's answer.
    if (found instanceof Promise) found.catch(() => answers.delete(question));
    return found;
  };
}
