/** Makes what other sessions wrote harmless where a model reads it. */

/**
 * What is invisible, or changes how a text reads: control characters but newlines, line and
 * paragraph separators, direction changes, invisible tags and variation selectors of hidden texts.
 */
// deno-lint-ignore no-control-regex
const INVISIBLE =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e0fff}]/gu;

/** A text whose lines are only the ones it shows, without anything that opens or closes a tag. */
export function harmless(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?|[\u0085\u2028\u2029\u000b\u000c]/g, "\n")
    // A colour's escape sequence means nothing without its first character.
    // deno-lint-ignore no-control-regex
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "")
    .replace(/\t/g, "    ")
    .replace(INVISIBLE, "")
    // Tags are how a model's client marks what is whose.
    .replace(/<(?=[/!?a-z])/gi, "&lt;");
}

/** The same on one line of at most `max` characters, for names and labels. */
export function oneLine(text: string, max: number): string {
  return shortened(harmless(text.slice(0, max * 4)).replace(/\s+/g, " ").trim(), max);
}

/** A text of at most `max` characters, cut between characters, and marked when it is cut. */
export function shortened(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text.slice(0, Math.max(0, max - 1)).replace(/[\ud800-\udbff]$/, "")}…`;
}
