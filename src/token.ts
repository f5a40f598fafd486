/** What a token is: a secret that names whoever calls with it, and says what it may do. */
import { createHash } from "node:crypto";
import { BusError, quoted } from "./errors.ts";

/**
 * - `read`: look, and mark as read what one's own sessions and consumers have read.
 * - `publish`: register, say what one is doing, publish, notify the human, end one's own sessions.
 * - `admin`: operate the bus: webhooks, tokens.
 */
export const SCOPES = ["read", "publish", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** What whoever sits at the bus's own machine may do, and whoever has the shared token. */
export const EVERY_SCOPE: ReadonlySet<Scope> = new Set(SCOPES);
/** What a person whom Tailscale names may do: work, not operate. */
export const WORKING_SCOPES: ReadonlySet<Scope> = new Set(["read", "publish"]);

/** Callers of this machine, and callers with the one token that server and clients share. */
export const LOOPBACK = "loopback";
export const SHARED = "token";
/** Names that mean somebody already. */
const RESERVED: ReadonlySet<string> = new Set([LOOPBACK, SHARED, "server", "anonymous"]);

export const MAX_TOKEN_NAME_LENGTH = 64;

/** Refuses a name that is taken for somebody else, or could not stand in a list. No `@`: those are logins. */
export function checkTokenName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]*$/i.test(name) && name.length <= MAX_TOKEN_NAME_LENGTH) {
    if (!RESERVED.has(name.toLowerCase())) return name;
    throw new BusError(
      "invalid_argument",
      `Cannot call a token ${quoted(name, 40)}: the bus itself uses that name; choose another`,
    );
  }
  throw new BusError(
    "invalid_argument",
    `Cannot call a token ${quoted(name, 40)}: a name is 1 to ${MAX_TOKEN_NAME_LENGTH} letters, ` +
      "digits, dots, dashes and underscores, and begins with a letter or digit",
  );
}

/** A new secret, of two UUIDs: 244 random bits, and a beginning by which scanners know it. */
export function newSecret(uuid: () => string): string {
  return `ebt_${uuid()}${uuid()}`.replaceAll("-", "");
}

/** What is kept of a secret. One round is enough for 244 random bits: nobody guesses those. */
export function digestOf(secret: string): Uint8Array {
  return createHash("sha256").update(secret).digest();
}
