/** Addresses that mean the same bus, however they are spelled. */
import { baseOf } from "../client.ts";
import { isLocal } from "../service/health.ts";

/** One spelling for all addresses of a bus, with or without `/mcp`; null for what is no URL. */
export function canonical(url: string): string | null {
  const parsed = URL.parse(url);
  if (parsed === null) return null;
  const { protocol, hostname, port, pathname } = parsed;
  const host = isLocal(hostname) ? "loopback" : hostname.toLowerCase();
  const number = port || (protocol === "https:" ? "443" : "80");
  return `${protocol}//${host}:${number}${baseOf(pathname)}`;
}

/** Whether both lead to the same bus. */
export function isSameBus(a: string, b: string): boolean {
  const one = canonical(a);
  return one !== null && one === canonical(b);
}
