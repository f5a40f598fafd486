/**
 * Where a webhook may point. The bus stands on a trusted machine and would call any address for
 * anybody: so none of those that hand out credentials or mean a whole network.
 */
import { isIPv4, isIPv6 } from "node:net";
import { BusError } from "./errors.ts";

/** Longer ones are cut by proxies and receivers. */
export const MAX_URL_LENGTH = 2048;

/** What a refused address is, by the first bits of it. */
type Range = readonly [prefix: string, bits: number, what: string];

const LINK_LOCAL = "link-local";
const METADATA = "a cloud's metadata service";
const NOBODY = "no single machine";

const REFUSED_4: readonly Range[] = [
  ["169.254.169.254", 32, METADATA],
  ["100.100.100.200", 32, METADATA],
  ["192.0.0.192", 32, METADATA],
  ["168.63.129.16", 32, METADATA],
  ["169.254.0.0", 16, LINK_LOCAL],
  ["0.0.0.0", 8, NOBODY],
  ["224.0.0.0", 4, NOBODY],
  ["240.0.0.0", 4, NOBODY],
];

const REFUSED_6: readonly Range[] = [
  ["fd00:ec2::254", 128, METADATA],
  ["fd20:ce::254", 128, METADATA],
  ["fe80::", 10, LINK_LOCAL],
  ["fec0::", 10, LINK_LOCAL],
  ["ff00::", 8, NOBODY],
  ["::", 128, NOBODY],
];

/** IPv6 addresses that carry an IPv4 one: after how many bits it begins. */
const CARRIERS: readonly (readonly [prefix: string, bits: number])[] = [
  ["::ffff:0:0", 96],
  ["::ffff:0:0:0", 96],
  ["64:ff9b::", 96],
  ["::", 96],
  ["2002::", 16],
];

const METADATA_NAMES = new Set([
  "metadata",
  "metadata.google.internal",
  "metadata.goog",
  "instance-data",
  "instance-data.ec2.internal",
]);

/** A URL that may be called as far as it tells by itself; throws `invalid_argument` for another. */
export function checkUrl(text: string): URL {
  if (text.length > MAX_URL_LENGTH) {
    throw cannotUse(text, `a URL has at most ${MAX_URL_LENGTH} characters`);
  }
  // Not left to the parser, which drops some of them silently.
  const url = /[\s\p{Cc}]/u.test(text) ? null : URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw cannotUse(text, "an http or https URL is expected, such as https://example.org/hook");
  }
  if (url.username !== "" || url.password !== "") {
    throw cannotUse(url.origin, "a URL with a user or a password is not taken; use secret");
  }
  const what = refusedHost(url);
  if (what !== null) throw cannotUse(url.origin, `its host is ${what}`);
  return url;
}

/** The host of a URL as a resolver takes it: without brackets, and without the dot of the root. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.+$/, "");
}

/** Whether the host of a URL is an address, so that nobody need be asked for it. */
export function isLiteral(host: string): boolean {
  return isIPv4(host) || isIPv6(host);
}

function refusedHost(url: URL): string | null {
  const host = hostOf(url);
  if (host === "") return NOBODY;
  if (METADATA_NAMES.has(host)) return METADATA;
  return isLiteral(host) ? refusedAddress(host) : null;
}

/** What is wrong with calling an address, or null. Loopback and private networks are fine. */
export function refusedAddress(address: string): string | null {
  const [bare = ""] = address.split("%");
  if (isIPv4(bare)) return refusedBits(bits4(bare), REFUSED_4, bits4);
  if (!isIPv6(bare)) return "no address";
  const bits = bits6(bare);
  if (bits === bits6("::1")) return null;
  const refused = refusedBits(bits, REFUSED_6, bits6);
  if (refused !== null) return refused;
  for (const [prefix, length] of CARRIERS) {
    if (bits.slice(0, length) !== bits6(prefix).slice(0, length)) continue;
    const carried = refusedBits(bits.slice(length, length + 32), REFUSED_4, bits4);
    if (carried !== null) return carried;
  }
  return null;
}

function refusedBits(
  bits: string,
  ranges: readonly Range[],
  bitsOf: (address: string) => string,
): string | null {
  const range = ranges.find(([prefix, length]) =>
    bits.slice(0, length) === bitsOf(prefix).slice(0, length)
  );
  return range?.[2] ?? null;
}

const binary = (numbers: number[], width: number): string =>
  numbers.map((number) => number.toString(2).padStart(width, "0")).join("");

const bits4 = (address: string): string => binary(address.split(".").map(Number), 8);

function bits6(address: string): string {
  // The parser of URLs spells every address one way: hexadecimal groups, at most one gap.
  const spelled = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [before = "", after = ""] = spelled.split("::");
  const groups = (part: string) =>
    part === "" ? [] : part.split(":").map((hex) => parseInt(hex, 16));
  const [head, tail] = [groups(before), groups(after)];
  const gap = new Array<number>(8 - head.length - tail.length).fill(0);
  return binary([...head, ...gap, ...tail], 16);
}

function cannotUse(url: string, why: string): BusError {
  // What stands before an @ may be a password.
  const shown = url.replace(/^.*@/s, "…@").slice(0, 80);
  return new BusError("invalid_argument", `Cannot call ${JSON.stringify(shown)}: ${why}`);
}
