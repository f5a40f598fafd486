import { z } from "zod";
import { createToken as create } from "../bus/tokens.ts";
import { SCOPES } from "../token.ts";
import { APPENDS, operation } from "./operation.ts";
import { lifetime, tokenName, toWireNewToken, wireNewToken } from "./token_wire.ts";

export const createToken = operation({
  name: "create_token",
  title: "Create token",
  description: "Make a token for one machine or program. Its secret is answered this once.",
  input: z.strictObject({
    name: tokenName,
    scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length).default(["publish", "read"]),
    expires_in_seconds: lifetime.optional(),
  }),
  output: wireNewToken,
  annotations: APPENDS,
  scope: "admin",
  tool: false,
  writes: true,
  run: (bus, { name, scopes, expires_in_seconds: expires_in }, call) =>
    toWireNewToken(create(bus, { name, scopes, expires_in }, call)),
});
