/** What a caller may do: asked in one place, whatever door it came through. */
import type { Caller } from "../bus.ts";
import { BusError } from "../errors.ts";
import type { Scope } from "../token.ts";

/** Refuses a caller that may not do what `scope` covers, or whose token is over meanwhile. */
export function checkScope({ scopes, revoked }: Caller, action: string, scope: Scope): void {
  if (revoked?.aborted) throw tokenOver();
  if (scopes.has(scope)) return;
  throw new BusError(
    "forbidden",
    `Cannot run ${action}: the scope ${scope} is missing`,
    { missing_scope: scope },
  );
}

/** What whoever reads on and on is told when its token ends. */
export function tokenOver(): BusError {
  return new BusError("unauthenticated", "Cannot go on: the token has expired or was revoked");
}
