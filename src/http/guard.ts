/**
 * Who may talk to us at all, and who that is, decided before anything else looks at a request: no
 * foreign web page (Host, Origin, Sec-Fetch-Site), nobody from beyond this machine without a token.
 */
import { timingSafeEqual } from "node:crypto";
import type { Caller } from "../bus.ts";
import type { Credentials } from "../bus/credentials.ts";
import { type Path, PATHS } from "../delivery.ts";
import { BusError, quoted } from "../errors.ts";
import { digestOf, EVERY_SCOPE, LOOPBACK, SHARED, WORKING_SCOPES } from "../token.ts";
import { isAddress, isLoopback } from "./address.ts";

export interface GuardRules {
  /** Whether the server listens beyond loopback; then it may be called by any of its addresses. */
  readonly exposed: boolean;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** The one that server and clients share; its principal is `token`, and it may do everything. */
  readonly token: string | null;
  /** Whether callers of this machine need a token, too. */
  readonly requireToken?: boolean;
  /** Addresses of this machine whose `Tailscale-User-Login` is believed. */
  readonly trustedProxies?: readonly string[];
}

/** Where the guard finds the tokens that have names. */
export type TokenFinder = Pick<Credentials, "find" | "isEmpty">;

const NO_TOKENS: TokenFinder = { find: () => null, isEmpty: true };

/** Headers that a proxy adds: behind one, the peer's address says nothing about the caller. */
const FORWARDING = /^(forwarded|x-forwarded-.*|x-real-ip|tailscale-.*)$/;

/** A check of requests that answers who is calling; throws `forbidden` or `unauthenticated`. */
export function createGuard(
  rules: GuardRules,
  tokens: TokenFinder = NO_TOKENS,
): (request: Request, peer: string) => Caller {
  const shared = rules.token === null ? null : digestOf(rules.token);
  const proxies = new Set(rules.trustedProxies);
  const hosts = new Set(rules.allowedHosts.map((name) => name.toLowerCase()));
  const origins = new Set(rules.allowedOrigins.map((origin) => origin.toLowerCase()));

  return (request, peer) => {
    const { headers } = request;
    const host = (headers.get("host") ?? new URL(request.url).host).toLowerCase();
    const name = host.replace(/:[0-9]*$/, "").replace(/^\[(.*)\]$/, "$1");
    if (!(isLoopback(name) || (rules.exposed && isAddress(name)) || hosts.has(name))) {
      throw new BusError(
        "forbidden",
        `Cannot serve requests for host ${
          quoted(name)
        }: if it is ours, add it to allowed_hosts in the config.json of the bus`,
      );
    }
    const origin = headers.get("origin")?.toLowerCase();
    if (origin !== undefined && !origins.has(origin) && hostOf(origin) !== host) {
      throw new BusError(
        "forbidden",
        `Cannot serve requests from origin ${
          quoted(origin)
        }: if it is yours, add it to allowed_origins in the config.json of the bus`,
      );
    }
    const site = headers.get("sec-fetch-site");
    if (site !== null && site !== "same-origin" && site !== "none") {
      throw new BusError("forbidden", `Cannot serve ${quoted(site)} requests of a web page`);
    }
    const local = isLoopback(peer) && isLoopback(name) && !isForwarded(headers);
    const proxied = isLoopback(peer) && proxies.has(peer.replace(/^::ffff:/, ""));
    const caller = {
      peer: proxied ? clientOf(headers) ?? peer : peer,
      signal: request.signal,
      path: pathOf(headers),
      local,
    };
    const given = headers.get("authorization")?.match(/^Bearer +(\S+) *$/i)?.[1];
    // A token with a name counts on loopback, too: whoever calls with it may do no more than it may.
    const known = given === undefined ? null : tokens.find(given);
    if (known === "over") throw wrongToken();
    if (known !== null) {
      const { name: principal, scopes, revoked } = known;
      return { ...caller, principal, scopes, revoked };
    }
    if (local && !rules.requireToken) {
      return { ...caller, principal: LOOPBACK, scopes: EVERY_SCOPE };
    }
    if (given !== undefined && matches(given, shared)) {
      return { ...caller, principal: SHARED, scopes: EVERY_SCOPE };
    }
    if (given !== undefined && hasAny()) throw wrongToken();
    const login = proxied ? loginOf(headers) : null;
    if (login !== null && given === undefined) {
      return { ...caller, principal: login, scopes: WORKING_SCOPES };
    }
    throw hasAny() ? tokenMissing() : noTokens();
  };

  function hasAny(): boolean {
    return shared !== null || !tokens.isEmpty;
  }
}

/** By which way out our own clients say that they read; it is told in the record. */
function pathOf(headers: Headers): Path {
  const said = headers.get("event-bus-path");
  return PATHS.find((path) => path === said) ?? "http";
}

/** Digests have one length, and comparing them takes one time, whatever was sent. */
function matches(given: string, shared: Uint8Array | null): boolean {
  return shared !== null && timingSafeEqual(digestOf(given), shared);
}

/** Whom a trusted proxy says that the request is from. Who is no person has no `@`, and no name here. */
function loginOf(headers: Headers): string | null {
  const login = headers.get("tailscale-user-login") ?? "";
  return /^[\w.+'%=?~-]{1,128}@[\w.=?-]{1,128}$/.test(login) ? login : null;
}

/** The address that a trusted proxy was called from; it is told, never trusted. */
function clientOf(headers: Headers): string | null {
  const client = headers.get("x-forwarded-for")?.split(",").at(-1)?.trim() ?? "";
  return isAddress(client) ? client : null;
}

function noTokens(): BusError {
  return new BusError(
    "unauthenticated",
    "Cannot serve callers beyond this machine: the server has no token configured",
  );
}

function tokenMissing(): BusError {
  return new BusError(
    "unauthenticated",
    "Cannot serve without a token: send the header Authorization: Bearer <token>",
  );
}

function wrongToken(): BusError {
  return new BusError(
    "unauthenticated",
    "Cannot serve with this token: it is not the bus's, or not any more",
  );
}

function isForwarded(headers: Headers): boolean {
  for (const name of headers.keys()) if (FORWARDING.test(name)) return true;
  return false;
}

/** The host of an origin, or null for `null` and anything else that is no web origin. */
function hostOf(origin: string): string | null {
  return URL.parse(origin)?.host || null;
}
