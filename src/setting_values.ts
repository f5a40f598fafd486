/**
 * What each kind of setting may be. Each takes what a flag, the environment or the config file holds,
 * and throws a sentence fragment that says what is expected. A leaf, as `config.ts` is.
 */
import { DEFAULT_LIMITS, type LimitValues } from "./limits.ts";

/** A text that is not empty. */
export function text(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new Error("a text is expected");
  return value;
}

/** 0 is a port of the system's choice. */
export function port(value: unknown): number {
  const number = typeof value === "string" && /^[0-9]{1,5}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number) || number < 0 || number > 65535) {
    throw new Error("a port is a whole number from 0 to 65535");
  }
  return number;
}

/** More than a year is no patience but a forgotten webhook. */
export function hours(value: unknown): number {
  const number = typeof value === "string" && /^[0-9.]{1,10}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !(number > 0 && number <= 24 * 366)) {
    throw new Error("a number of hours, more than 0 and at most a year, is expected");
  }
  return number;
}

/**
 * Beyond 10,000 characters Claude Code puts the text into a file instead of the model's context; in
 * less than 1,000 not every message fits.
 */
export function digestChars(value: unknown): number {
  const number = typeof value === "string" && /^[0-9]{1,5}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number) || number < 1000 || number > 9000) {
    throw new Error("a number of characters, from 1000 to 9000, is expected");
  }
  return number;
}

/** A day is the least: for so long a dedupe key means the same event. A century is as good as never. */
export function retention(value: unknown): number | null {
  if (value === "off") return null;
  const days = Number(/^([0-9]{1,5})d$/.exec(String(value))?.[1] ?? NaN);
  if (!(days >= 1 && days <= 36_600)) {
    throw new Error("a number of days such as 90d, at least 1d, or off is expected");
  }
  return days * 24 * 60 * 60 * 1000;
}

/** In the config file an object of numbers; else `name=number` with commas between. */
export function limits(value: unknown): Partial<LimitValues> {
  const given = typeof value === "string"
    ? Object.fromEntries(value.split(",").map((one) => one.split("=").map((part) => part.trim())))
    : value;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new Error("limits by name are expected, such as session_waits=20");
  }
  return Object.fromEntries(
    Object.entries(given).map(([name, text]) => {
      const number = typeof text === "string" && /^[0-9]{1,12}$/.test(text) ? Number(text) : text;
      if (!Object.hasOwn(DEFAULT_LIMITS, name) || typeof number !== "number" || !(number >= 1)) {
        throw new Error(`whole numbers for ${Object.keys(DEFAULT_LIMITS).join(", ")} are expected`);
      }
      return [name, number];
    }),
  );
}

/** One of these words. */
export function oneOf<T extends string>(words: readonly T[]): (value: unknown) => T {
  return (value) => {
    const word = words.find((known) => known === value);
    if (word === undefined) throw new Error(`one of ${words.join(", ")} is expected`);
    return word;
  };
}

/** In the config file a list; else texts with commas between them. */
export function list(value: unknown): readonly string[] {
  const items = typeof value === "string" ? value.split(",").map((item) => item.trim()) : value;
  if (!Array.isArray(items) || !items.every((item) => typeof item === "string")) {
    throw new Error("a list of texts, or texts with commas between them, is expected");
  }
  return items.filter((item) => item !== "");
}

/** `true` or `false`; `1` and `0` from the environment. */
export function yesOrNo(value: unknown): boolean {
  const known: Record<string, boolean> = { true: true, "1": true, false: false, "0": false };
  const answer = Object.hasOwn(known, String(value)) ? known[String(value)] : undefined;
  if (answer === undefined) throw new Error("true or false is expected");
  return answer;
}

/** A proxy elsewhere could not be told from anybody who claims to be one. */
export function loopbackAddresses(value: unknown): readonly string[] {
  const addresses = list(value);
  if (!addresses.every((address) => /^(127(\.[0-9]{1,3}){3}|::1)$/.test(address))) {
    throw new Error("addresses of this machine are expected, such as 127.0.0.1");
  }
  return addresses;
}

/** A path without a slash at its end; empty for none. */
export function basePath(value: unknown): string {
  const path = text(value).replace(/\/+$/, "");
  if (!/^(\/[\w.~-]+)*$/.test(path)) throw new Error("a path is expected, such as /event-bus");
  return path;
}

/** An address of the bus, as people write it. */
export function url(value: unknown): string {
  const parsed = URL.parse(text(value));
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new Error("an http or https URL is expected, such as http://127.0.0.1:8080/mcp");
  }
  return parsed.href;
}
