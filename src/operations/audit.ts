/** Who did what, and how it went: one record a call, without what was said. */
import { getLogger } from "@logtape/logtape";
import type { ErrorCode } from "../errors.ts";

/** The category of the records; `src/log.ts` gives them a file of their own. */
export const AUDIT = ["event-bus-audit"];

export interface AuditRecord {
  /** Null when nobody was let in. */
  readonly principal: string | null;
  readonly peer: string;
  readonly operation: string;
  /** In whose name, as the caller says; it may be nobody's. */
  readonly session_id: string | null;
  readonly result: "ok" | ErrorCode;
  readonly ms: number;
}

const log = getLogger(AUDIT);

/** Writes one record, when there is an audit log. */
export function audit(record: AuditRecord): void {
  log.info("call", () => ({ ...record }));
}

/** The session that checked arguments name. */
export function sessionOf(input: unknown): string | null {
  const { session_id } = (input ?? {}) as { session_id?: unknown };
  return typeof session_id === "string" && session_id !== "" ? session_id : null;
}
