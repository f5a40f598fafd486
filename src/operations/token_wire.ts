/** Tokens as callers see them: never the secret, but once when it is made. */
import { z } from "zod";
import { MAX_LIFETIME_SECONDS, type NewToken, type Token, TOKEN_STATES } from "../bus/tokens.ts";
import { MAX_TOKEN_NAME_LENGTH, SCOPES } from "../token.ts";
import { iso } from "./wire.ts";

export const tokenName = z.string().min(1).max(MAX_TOKEN_NAME_LENGTH);

export const lifetime = z.int().min(1).max(MAX_LIFETIME_SECONDS);

export const wireToken = z.object({
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  state: z.enum(TOKEN_STATES),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});

export const wireNewToken = z.object({ token: z.string(), ...wireToken.shape });

/** A token without anything that would let somebody use it. */
export function toWireToken(token: Token): z.output<typeof wireToken> {
  const time = (at: number | null) => at === null ? null : iso(at);
  return {
    name: token.name,
    scopes: [...token.scopes],
    state: token.state,
    created_at: iso(token.created_at),
    expires_at: time(token.expires_at),
    last_used_at: time(token.last_used_at),
    revoked_at: time(token.revoked_at),
  };
}

/** The same with its secret, for whoever has just made it. */
export function toWireNewToken(made: NewToken): z.output<typeof wireNewToken> {
  return { token: made.secret, ...toWireToken(made) };
}
