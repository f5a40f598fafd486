/** Sets up the server's log: one dated line per entry, rotated by size, the user's alone. */
import { getRotatingFileSink } from "@logtape/file";
import {
  configure,
  dispose,
  getJsonLinesFormatter,
  getTextFormatter,
  type LogRecord,
  type Sink,
  type TextFormatter,
} from "@logtape/logtape";
import { dirname } from "node:path";
import { auditSink } from "./audit.ts";
import type { LogFormat, LogLevel } from "./config.ts";
import { BusError } from "./errors.ts";
import { AUDIT } from "./operations/audit.ts";

/** Ten megabytes are some hundred thousand lines; five of them are weeks. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;
const MAX_LOG_FILES = 5;
const MINUTE_MS = 60_000;

/**
 * Starts logging to `path`, and who did what to `auditPath`, and answers how to stop, which writes
 * what is still buffered. Throws `unavailable` naming the file when it cannot be written.
 */
export async function startLog(
  path: string,
  level: LogLevel,
  auditPath: string | null = null,
  format: LogFormat = "pretty",
): Promise<() => Promise<void>> {
  for (const file of auditPath === null ? [path] : [path, auditPath]) begin(file);
  const audit = auditPath === null ? null : kept(auditPath, auditSink(auditPath));
  await configure<string, string>({
    reset: true,
    sinks: {
      file: kept(
        path,
        getRotatingFileSink(path, {
          maxSize: MAX_LOG_BYTES,
          maxFiles: MAX_LOG_FILES,
          // Whoever follows the log sees a line within a second, and a flood does not write line by line.
          flushInterval: 1000,
          bufferSize: 64 * 1024,
          formatter: FORMATTERS[format],
        }),
      ),
      ...(audit && { audit }),
    },
    loggers: [
      ...(audit ? [{ category: AUDIT, sinks: ["audit"], lowestLevel: "info" as const }] : []),
      { category: "event-bus", sinks: ["file"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["file"], lowestLevel: "error" },
    ],
  });
  return dispose;
}

/** A log that exists, can be written, and is the user's alone. */
function begin(path: string): void {
  try {
    Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    Deno.openSync(path, { create: true, append: true, mode: 0o600 }).close();
    Deno.chmodSync(path, 0o600);
  } catch (failure) {
    throw new BusError(
      "unavailable",
      `Cannot write the log ${path}: ${(failure as Error).message}`,
    );
  }
}

/** A file that rotation has begun anew is as open as the system's default: closed within a minute. */
function kept(path: string, sink: Sink & Disposable): Sink & Disposable {
  let looked = Date.now();
  const keep = (record: LogRecord) => {
    sink(record);
    if (record.timestamp - looked < MINUTE_MS) return;
    looked = record.timestamp;
    Deno.chmodSync(path, 0o600);
  };
  return Object.assign(keep, { [Symbol.dispose]: () => sink[Symbol.dispose]() });
}

/** How a record stands in the file: always one line, with nothing in it that acts on a terminal. */
export const FORMATTERS: Readonly<Record<LogFormat, TextFormatter>> = {
  pretty: neutral(getTextFormatter({ timestamp: "rfc3339", level: "FULL", value: valueText })),
  json: neutral(getJsonLinesFormatter()),
};

/** Values, unlike our own words, may come from callers: they stand in quotes. */
function valueText(value: unknown): string {
  return JSON.stringify(value instanceof Error ? value.stack ?? value.message : value) ?? "";
}

/** Line ends, other control characters, and those that are not seen or turn the direction of text. */
const ACTING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The same, with these characters shown as the escapes that JSON has for them. */
function neutral(format: TextFormatter): TextFormatter {
  const escape = (character: string) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
    ).join("");
  return (record) => `${format(record).replace(/\n$/, "").replace(ACTING, escape)}\n`;
}
