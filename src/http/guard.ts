/**
 * Who may talk to us at all, decided before anything else looks at a request: no foreign web page
 * (Host, Origin, Sec-Fetch-Site), nobody from beyond this machine without the token.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Caller } from "../bus.ts";
import { type Path, PATHS } from "../delivery.ts";
import { BusError, quoted } from "../errors.ts";
import { isAddress, isLoopback } from "./address.ts";

export interface GuardRules {
  /** Whether the server listens beyond loopback; then it may be called by any of its addresses. */
  readonly exposed: boolean;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly token: string | null;
}

/** Headers that a proxy adds: behind one, the peer's address says nothing about the caller. */
const FORWARDING = /^(forwarded|x-forwarded-.*|x-real-ip|tailscale-.*)$/;

/** A check of requests that answers who is calling; throws `forbidden` or `unauthenticated`. */
export function createGuard(rules: GuardRules): (request: Request, peer: string) => Caller {
  const wanted = rules.token === null ? null : digest(rules.token);
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
    const caller = { peer, signal: request.signal, path: pathOf(headers) };
    if (isLoopback(peer) && isLoopback(name) && !isForwarded(headers)) {
      return { ...caller, principal: "loopback", local: true };
    }
    checkToken(headers.get("authorization"), wanted);
    return { ...caller, principal: "token", local: false };
  };
}

/** By which way out our own clients say that they read; it is told in the record. */
function pathOf(headers: Headers): Path {
  const said = headers.get("event-bus-path");
  return PATHS.find((path) => path === said) ?? "http";
}

function checkToken(authorization: string | null, wanted: Uint8Array | null): void {
  if (wanted === null) {
    throw new BusError(
      "unauthenticated",
      "Cannot serve callers beyond this machine: the server has no token configured",
    );
  }
  const given = authorization?.match(/^Bearer +(\S+) *$/i)?.[1];
  if (given === undefined) {
    throw new BusError(
      "unauthenticated",
      "Cannot serve without a token: send the header Authorization: Bearer <token>",
    );
  }
  // Digests have one length, and comparing them takes one time, whatever was sent.
  if (!timingSafeEqual(digest(given), wanted)) {
    throw new BusError("unauthenticated", "Cannot serve with this token: it is not the bus's");
  }
}

function isForwarded(headers: Headers): boolean {
  for (const name of headers.keys()) if (FORWARDING.test(name)) return true;
  return false;
}

/** The host of an origin, or null for `null` and anything else that is no web origin. */
function hostOf(origin: string): string | null {
  return URL.parse(origin)?.host || null;
}

const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest();
