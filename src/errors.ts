/**
 * The one error that callers are meant to see, with its closed set of codes. HTTP (`http/app.ts`)
 * and the command line (`cli/client.ts`) map every code in a table that the compiler keeps complete.
 */
export const ERROR_CODES = [
  "invalid_argument",
  "unauthenticated",
  "forbidden",
  "not_found",
  "session_ended",
  "conflict",
  "too_large",
  "too_many",
  "unsupported_media_type",
  "caller_left",
  "unavailable",
  "internal",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** A caller's text inside a message: quoted, so on one line, and cut to a length that can be read. */
export function quoted(text: string, atMost = 100): string {
  return JSON.stringify(text.slice(0, atMost));
}

/** Facts beside the message; they appear as fields next to `error` and `code` on the wire. */
export type ErrorDetails = Record<string, string | number | boolean | null>;

/** A refusal: `message` names the action, the value and the limit, and is safe to show to anyone. */
export class BusError extends Error {
  override readonly name = "BusError";

  constructor(readonly code: ErrorCode, message: string, readonly details: ErrorDetails = {}) {
    super(message);
  }
}

/** What a caller is told. Anything that is not a BusError is our own fault and stays in the log. */
export interface ErrorBody extends ErrorDetails {
  error: string;
  code: ErrorCode;
}

/** The wire form of any thrown value; internals never leak into it. */
export function errorBody(thrown: unknown): ErrorBody {
  return thrown instanceof BusError
    ? { error: thrown.message, code: thrown.code, ...thrown.details }
    : { error: "Internal error: the server's log has the details", code: "internal" };
}
