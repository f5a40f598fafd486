import { z } from "zod";
import { rotateToken as rotate } from "../bus/tokens.ts";
import { APPENDS, operation } from "./operation.ts";
import { lifetime, tokenName, toWireNewToken, wireNewToken } from "./token_wire.ts";

/** A week: whoever has not got the new secret by then will not. */
const MAX_GRACE_SECONDS = 7 * 24 * 60 * 60;

export const rotateToken = operation({
  name: "rotate_token",
  title: "Rotate token",
  description:
    "Give a token a new secret, answered this once. The old one ends now, or after grace_seconds.",
  input: z.strictObject({
    name: tokenName,
    grace_seconds: z.int().min(0).max(MAX_GRACE_SECONDS).default(0),
    expires_in_seconds: lifetime.optional(),
  }),
  output: wireNewToken,
  annotations: { ...APPENDS, destructiveHint: true },
  scope: "admin",
  tool: false,
  writes: true,
  run: (bus, { name, grace_seconds: grace, expires_in_seconds: expires_in }, call) =>
    toWireNewToken(rotate(bus, { name, grace, expires_in }, call)),
});
