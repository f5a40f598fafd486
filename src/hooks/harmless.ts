/** Makes what other sessions wrote harmless where a model reads it. */

/** Whatever begins a new line somewhere; a lone carriage return would hide what stands before it. */
const LINE_ENDS = /\r\n?|[\u0085\u2028\u2029\v\f]/g;

/** What terminals take for colours and links: nothing without its first character, which is invisible. */
// deno-lint-ignore no-control-regex
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g;

/**
 * What is not seen, or changes how others are: control characters, zero widths, direction changes,
 * tags. Not what some scripts and emoji need between two characters.
 */
const INVISIBLE =
  /[[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]--[\n\u180b-\u180d\u200c\u200d\ufe00-\ufe0f]]/gv;

/** Those, in a row: texts can be hidden in them. What emoji need is one selector, then one joiner. */
const JOINERS = /[\u180b-\u180d\u200c\u200d\ufe00-\ufe0f]{2,}/g;
const joined = (row: string): string => row.match(/^[\ufe00-\ufe0f]?[\u200c\u200d]?/)?.[0] ?? "";

/** What may open or close a tag: that is how a model's client marks what is whose. */
const TAG = /<(?=\s*\/|[^\s\d=<-])/g;

/** A text whose lines are only the ones it shows, without anything that opens or closes a tag. */
export function harmless(text: string): string {
  return text
    .toWellFormed()
    .replace(LINE_ENDS, "\n")
    .replace(ESCAPES, "")
    .replace(/\t/g, "    ")
    .replace(INVISIBLE, "")
    .replace(JOINERS, joined)
    .replace(TAG, "&lt;");
}

/** The same on one line of at most `max` characters, for names and labels. */
export function oneLine(text: string, max: number): string {
  return shortened(harmless(text.slice(0, max * 4)).replace(/\s+/g, " ").trim(), max);
}

/** The same in quotes, which nothing in it ends; they come on top of `max`. */
export function inQuotes(text: string, max: number): string {
  return `"${oneLine(text, max).replaceAll('"', "'")}"`;
}

/** A name: as it is when it is one word, else in quotes, so that it cannot go on as our own words. */
export function label(text: string, max: number): string {
  const line = oneLine(text, max);
  return /^[\p{L}\p{M}\p{N}_.:/@+…-]+$/u.test(line) ? line : inQuotes(text, max);
}

/** A text as JSON: exactly itself when it is read as such, and harmless as it stands. */
export function asJson(text: string): string {
  const escaped = (char: string) =>
    Array.from(
      { length: char.length },
      (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join("");
  return JSON.stringify(text).replace(INVISIBLE, escaped).replace(/</g, escaped);
}

/** A text of at most `max` characters, cut between characters, and marked when it is cut. */
export function shortened(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text.slice(0, Math.max(0, max - 1)).replace(/[\ud800-\udbff]$/, "")}…`;
}
