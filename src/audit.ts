/** The file that says who did what: one JSON object a line, rotated by size. */
import { getRotatingFileSink } from "@logtape/file";
import type { LogRecord, Sink } from "@logtape/logtape";
import type { AuditRecord } from "./operations/audit.ts";

/** Ten megabytes are some sixty thousand calls; ten of them are weeks of a busy bus. */
const MAX_AUDIT_BYTES = 10 * 1024 * 1024;
const MAX_AUDIT_FILES = 10;
/** As long as a session's id can be. */
const MAX_TEXT_LENGTH = 128;

/** Where the records go; nothing that a caller sent can break out of its line. */
export function auditSink(path: string): Sink & Disposable {
  return getRotatingFileSink(path, {
    maxSize: MAX_AUDIT_BYTES,
    maxFiles: MAX_AUDIT_FILES,
    flushInterval: 1000,
    bufferSize: 64 * 1024,
    formatter: auditLine,
  });
}

/** A record as it stands in the file, in plain ASCII. */
export function auditLine({ timestamp, properties }: LogRecord): string {
  const { principal, peer, operation, session_id, result, ms } =
    properties as unknown as AuditRecord;
  const cut = (text: string | null) => text === null ? null : text.slice(0, MAX_TEXT_LENGTH);
  const line = JSON.stringify({
    time: new Date(timestamp).toISOString(),
    principal: cut(principal),
    peer: cut(peer),
    operation,
    session_id: cut(session_id),
    result,
    ms,
  });
  const escape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${line.replace(/[^\x20-\x7e]/g, escape)}\n`;
}
