/** Queries of the tokens. Whether one is valid is decided in `src/bus/credentials.ts`. */
import { DatabaseSync } from "node:sqlite";
import type { Scope } from "../token.ts";
import type { Store } from "./open.ts";

export interface TokenRow {
  readonly id: number;
  readonly name: string;
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  readonly scopes: readonly Scope[];
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly last_used_at: number | null;
  /** When another secret took its place; until it expires it is valid beside that one. */
  readonly rotated_at: number | null;
  readonly revoked_at: number | null;
}

/** All tokens, also those that are over, by name and then the newest first. */
export function allTokens(store: Store): TokenRow[] {
  return store.sql("SELECT * FROM token ORDER BY id DESC").all().map((found) => {
    const row = found as unknown as TokenRow & { scopes: string };
    return { ...row, scopes: JSON.parse(row.scopes) as Scope[] };
  }).sort((a, b) => a.name === b.name ? 0 : a.name < b.name ? -1 : 1);
}

export function insertToken(
  store: Store,
  token: Pick<TokenRow, "name" | "hash" | "scopes" | "created_at" | "expires_at">,
): void {
  store.sql(
    "INSERT INTO token (name, hash, scopes, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
  ).run(token.name, token.hash, JSON.stringify(token.scopes), token.created_at, token.expires_at);
}

/** Lets another secret take a token's place; the old one is valid until `until`. */
export function retireToken(store: Store, id: number, at: number, until: number): void {
  store.sql("UPDATE token SET rotated_at = ?, expires_at = ? WHERE id = ?").run(at, until, id);
}

/** Ends every secret of a name; answers how many there were. */
export function revokeTokens(store: Store, name: string, at: number): number {
  return Number(
    store.sql("UPDATE token SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL")
      .run(at, name).changes,
  );
}

export function deleteToken(store: Store, id: number): void {
  store.sql("DELETE FROM token WHERE id = ?").run(id);
}

/** Notes when a token was last used, forward only. */
export function setTokenUsed(store: Store, id: number, at: number): void {
  store.sql("UPDATE token SET last_used_at = ? WHERE id = ? AND ifnull(last_used_at, 0) < ?")
    .run(at, id, at);
}

/**
 * Whether the database at `path` has a token that is not over. Looks from outside, before anything is
 * opened or upgraded; a file that cannot be read so far has none.
 */
export function hasTokens(path: string, now: number): boolean {
  let db: DatabaseSync;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 2000 });
  } catch {
    return false;
  }
  try {
    const found = db.prepare(
      `SELECT 1 FROM token WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)`,
    ).get(now);
    return found !== undefined;
  } catch {
    return false;
  } finally {
    db.close();
  }
}
