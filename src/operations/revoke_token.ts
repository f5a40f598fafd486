import { z } from "zod";
import { revokeToken as revoke } from "../bus/tokens.ts";
import { ENDS, operation } from "./operation.ts";
import { tokenName } from "./token_wire.ts";

export const revokeToken = operation({
  name: "revoke_token",
  title: "Revoke token",
  description: "End a token now, and every stream and wait that was begun with it.",
  input: z.strictObject({ name: tokenName }),
  output: z.object({ success: z.literal(true), name: z.string(), ended: z.int() }),
  annotations: ENDS,
  scope: "admin",
  tool: false,
  writes: true,
  run(bus, { name }, call) {
    return { success: true as const, name, ended: revoke(bus, name, call) };
  },
});
