import { z } from "zod";
import { listTokens as list } from "../bus/tokens.ts";
import { operation, READS } from "./operation.ts";
import { toWireToken, wireToken } from "./token_wire.ts";

export const listTokens = operation({
  name: "list_tokens",
  title: "List tokens",
  description: "The tokens by name: what they may do, until when, and when they were last used.",
  input: z.strictObject({ include_ended: z.boolean().default(false) }),
  output: z.array(wireToken),
  annotations: READS,
  scope: "admin",
  tool: false,
  writes: false,
  run: (bus, { include_ended }, call) =>
    list(bus, call)
      .filter(({ state }) => include_ended || state === "valid" || state === "rotated")
      .map(toWireToken),
});
