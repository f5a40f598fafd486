/** Who may operate the bus: copy, move and restore what is in it. */
import type { Caller } from "../bus.ts";
import { BusError } from "../errors.ts";

/** Whether a caller may operate the bus. These operations name files of its machine. */
export function mayOperate(caller: Caller): boolean {
  return caller.local;
}

/** Refuses a caller that may not. */
export function checkMayOperate(action: string, caller: Caller): void {
  if (mayOperate(caller)) return;
  throw new BusError("forbidden", `Cannot ${action}: only on the machine of the bus itself`);
}
