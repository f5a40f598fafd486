/** Times as people write them on a command line. */
import { usageError } from "./verb.ts";

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `30s`, `10m`, `1h`, `90d`, `500ms` or plain seconds, in milliseconds; throws a usage error. */
export function durationOf(option: string, text: string): number {
  const [, number, unit = "s"] = text.match(/^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)?$/) ?? [];
  if (number === undefined) {
    throw usageError(
      `Cannot use --${option} ${JSON.stringify(text)}: expected is a time such as 30s, 10m or 1h`,
    );
  }
  return Number(number) * UNITS[unit as keyof typeof UNITS];
}

/** A moment in the past, as a time before `now` or a date, in ISO 8601; throws a usage error. */
export function sinceOf(option: string, text: string, now: number): string {
  const days = text.match(/^([0-9]{1,6})d$/)?.[1];
  if (days !== undefined) return new Date(now - Number(days) * 24 * UNITS.h).toISOString();
  const isDate = /^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?$/.test(text);
  const at = isDate ? Date.parse(text.replace(" ", "T")) : NaN;
  if (!Number.isNaN(at)) return new Date(at).toISOString();
  if (isDate) {
    throw usageError(`Cannot use --${option} ${JSON.stringify(text)}: there is no such day`);
  }
  return new Date(now - durationOf(option, text)).toISOString();
}
