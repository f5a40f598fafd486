/** The rules of tokens: a name is a principal, a secret is shown once, and over is over at once. */
import { Buffer } from "node:buffer";
import type { Bus, Call } from "../bus.ts";
import { BusError, quoted } from "../errors.ts";
import type { Store } from "../store/open.ts";
import {
  allTokens,
  deleteToken,
  insertToken,
  retireToken,
  revokeTokens,
  type TokenRow,
} from "../store/tokens.ts";
import { checkTokenName, digestOf, newSecret, type Scope } from "../token.ts";
import { isOver } from "./credentials.ts";

/** One for each machine and program of a large team; all of them are held in memory. */
export const MAX_TOKENS = 1000;
/** Ten years: who wants a token for longer wants one without an end. */
export const MAX_LIFETIME_SECONDS = 10 * 366 * 24 * 60 * 60;

export const TOKEN_STATES = ["valid", "rotated", "expired", "revoked"] as const;

export interface Token extends TokenRow {
  /** `rotated` is still valid, until it expires. */
  readonly state: (typeof TOKEN_STATES)[number];
}

/** A token just made: the only time that its secret is seen. */
export interface NewToken extends Token {
  readonly secret: string;
}

export interface WantedToken {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** How long it is valid; for ever when not given. */
  readonly expires_in?: number | undefined;
}

/** Makes a token. The name of one that is over may be used again: its sessions are waiting for it. */
export function createToken(bus: Bus, wanted: WantedToken, call: Call): NewToken {
  const name = checkTokenName(wanted.name);
  if (listTokens(bus, call).some((one) => one.name === name && one.state === "valid")) {
    throw new BusError(
      "conflict",
      `Cannot create the token ${quoted(name)}: there is one of that name; rotate or revoke it`,
    );
  }
  return make(bus, { ...wanted, name }, call);
}

export interface Rotation {
  readonly name: string;
  /** How many seconds the old secret is valid beside the new one. */
  readonly grace: number;
  readonly expires_in?: number | undefined;
}

/** Gives a name a new secret, with the same scopes, valid for as long as the old one was made for. */
export function rotateToken(bus: Bus, { name, grace, expires_in }: Rotation, call: Call): NewToken {
  const old = listTokens(bus, call).find((one) => one.name === name && one.state === "valid");
  if (old === undefined) throw noToken(name);
  const lifetime = expires_in ??
    (old.expires_at === null ? undefined : (old.expires_at - old.created_at) / 1000);
  const until = call.now + grace * 1000;
  // Also those that an earlier rotation left valid for a while.
  for (const one of listTokens(bus, call)) {
    if (one.name !== name || (one.state !== "valid" && one.state !== "rotated")) continue;
    retireToken(bus.store, one.id, call.now, Math.min(one.expires_at ?? Infinity, until));
  }
  return make(bus, { name, scopes: old.scopes, expires_in: lifetime }, call);
}

/** Ends every secret of a name, and what was begun with them. Its sessions stay its own. */
export function revokeToken(bus: Bus, name: string, call: Call): number {
  const ended = revokeTokens(bus.store, name, call.now);
  if (ended === 0) throw noToken(name);
  call.afterCommit(() => bus.credentials.reload());
  return ended;
}

/** All tokens, by name, the newest secret first; also those that are over. */
export function listTokens(bus: Bus, { now }: Call): Token[] {
  const used = bus.credentials.used(0);
  return allTokens(bus.store).map((row) => ({
    ...row,
    last_used_at: used.get(row.id) ?? row.last_used_at,
    state: stateOf(row, now),
  }));
}

function stateOf(row: TokenRow, now: number): Token["state"] {
  if (row.revoked_at !== null) return "revoked";
  if (isOver(row, now)) return "expired";
  return row.rotated_at === null ? "valid" : "rotated";
}

function make(bus: Bus, { name, scopes, expires_in }: WantedToken, call: Call): NewToken {
  const { store } = bus;
  makeRoom(store, call.now);
  const secret = newSecret(call.uuid);
  insertToken(store, {
    name,
    hash: Buffer.from(digestOf(secret)).toString("hex"),
    scopes: [...new Set(scopes)],
    created_at: call.now,
    expires_at: expires_in === undefined ? null : call.now + Math.round(expires_in * 1000),
  });
  call.afterCommit(() => bus.credentials.reload());
  const made = listTokens(bus, call).find((token) => token.name === name);
  if (made === undefined) throw new Error("A token that was inserted is not there");
  return { ...made, secret };
}

/** A secret that is over is remembered, so that it is refused by name, until room is needed. */
function makeRoom(store: Store, now: number): void {
  const all = allTokens(store);
  if (all.length < MAX_TOKENS) return;
  const [oldest] = all.filter((row) => isOver(row, now)).sort((a, b) => a.id - b.id);
  if (oldest !== undefined) return deleteToken(store, oldest.id);
  throw new BusError(
    "conflict",
    `Cannot create a token: there are ${MAX_TOKENS}, the limit; revoke one`,
    { limit: MAX_TOKENS },
  );
}

function noToken(name: string): BusError {
  return new BusError("not_found", `No valid token is called ${quoted(name)}`);
}
