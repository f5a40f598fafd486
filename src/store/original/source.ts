/** The original's values: columns that some schemas lack, and times without a zone. */

/** The original's tables, which are called `original_<name>` while they are read. */
export interface Source {
  columns(table: string): ReadonlySet<string>;
  /** The highest id that an AUTOINCREMENT table ever gave out, as SQLite remembers it. */
  sequence(table: string): number;
  /** Stands in for a time that is nowhere to be found. */
  readonly now: number;
}

/** A column as text, or what stands for it in a schema that does not have it. */
export function column(columns: ReadonlySet<string>, name: string, otherwise = "NULL"): string {
  return columns.has(name) ? `CAST(${name} AS TEXT)` : otherwise;
}

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:Z|([+-])(\d\d):?(\d\d))?$/;

/**
 * Epoch milliseconds of a time that the original wrote, read in this process's zone unless it names
 * one itself; null for anything else.
 */
export function originalTime(text: string | null): number | null {
  const found = text === null ? null : TIME.exec(text.trim());
  if (found === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map(
    (part) => Number(part ?? 0),
  );
  const ms = Number((found[7] ?? "").padEnd(3, "0").slice(0, 3));
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  // Dates like 31 February roll over into others.
  if (new Date(utc).getUTCDate() !== day || month > 12 || hour > 23 || minute > 59 || second > 59) {
    return null;
  }
  if (found[8] !== undefined) {
    const offset = (Number(found[9]) * 60 + Number(found[10])) * 60_000;
    return found[8] === "+" ? utc - offset : utc + offset;
  }
  if (/Z$/.test(found[0])) return utc;
  return new Date(year, month - 1, day, hour, minute, second, ms).getTime();
}
