/** What a host name or address says about where it is. */
import { isIP } from "node:net";

/** Whether a host name or address can only mean this machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" ||
    (isIP(host) !== 0 && /^(::ffff:)?127\./.test(host));
}

/** Whether it is an address, not a name: a name could be pointed at us by somebody else's DNS. */
export function isAddress(host: string): boolean {
  return isIP(host) !== 0;
}
