/**
 * The tokens as the guard knows them: in memory, so that no request waits for a query, and read anew
 * when one was made, rotated or revoked.
 */
import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import type { Store } from "../store/open.ts";
import { allTokens, type TokenRow } from "../store/tokens.ts";
import { digestOf, type Scope } from "../token.ts";

/** Whom a valid secret names. */
export interface Credential {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Aborts when the token is over: what was begun with it ends then. */
  readonly revoked: AbortSignal;
}

export interface Credentials {
  /** Whom a secret names; `over` for one that was valid once, null for one that never was. */
  find(secret: string): Credential | "over" | null;
  /** Whether there is no token that is valid. */
  readonly isEmpty: boolean;
  /** Goes by what the database says now, and ends what was begun with a token that is over. */
  reload(): void;
  /** When tokens were last used, by id: those for which that is at least so much later than is stored. */
  used(laterBy: number): ReadonlyMap<number, number>;
}

/** One row of the table, and what became of it here. */
interface Known {
  row: TokenRow;
  readonly digest: Uint8Array;
  readonly credential: Credential;
  readonly end: AbortController;
  usedAt: number;
}

/** Whether a token was revoked, or its time is over. */
export function isOver({ revoked_at, expires_at }: TokenRow, now: number): boolean {
  return revoked_at !== null || (expires_at !== null && expires_at <= now);
}

export function createCredentials(store: Store, clock: () => number): Credentials {
  let known = new Map<string, Known>();

  function reload(): void {
    const before = known;
    known = new Map(
      allTokens(store).map((row) => {
        const one = before.get(row.hash) ?? remember(row);
        one.row = row;
        return [row.hash, one];
      }),
    );
    const now = clock();
    for (const [hash, one] of before) {
      if (!known.has(hash) || isOver(one.row, now)) one.end.abort();
    }
  }

  reload();
  return {
    find(secret) {
      const digest = digestOf(secret);
      const one = known.get(Buffer.from(digest).toString("hex"));
      // Finding it compared digests of what was sent, which tell nothing; this takes one time.
      if (one === undefined || !timingSafeEqual(one.digest, digest)) return null;
      const now = clock();
      if (isOver(one.row, now)) return "over";
      one.usedAt = now;
      return one.credential;
    },
    get isEmpty() {
      const now = clock();
      return [...known.values()].every(({ row }) => isOver(row, now));
    },
    reload,
    used: (laterBy) =>
      new Map(
        [...known.values()]
          .filter(({ row, usedAt }) => usedAt > 0 && usedAt >= (row.last_used_at ?? 0) + laterBy)
          .map(({ row, usedAt }) => [row.id, usedAt]),
      ),
  };
}

function remember(row: TokenRow): Known {
  const end = new AbortController();
  return {
    row,
    digest: Buffer.from(row.hash, "hex"),
    credential: { name: row.name, scopes: new Set(row.scopes), revoked: end.signal },
    end,
    usedAt: 0,
  };
}
