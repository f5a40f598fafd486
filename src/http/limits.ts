/** What one request may cost, with the reason beside each number. */

/** Room for the largest payload with every character escaped, and not for floods. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** A body comes in one go; who sends it by drops holds a connection, and the memory for it, for nothing. */
export const BODY_MS = 30_000;

/** Room for every session of a large team many times over, at less than 100 KB each. */
export const MAX_STREAMS = 2000;

/** Proxies close what was silent for a minute, and a reader takes long silence for a lost connection. */
export const KEEP_ALIVE_MS = 15_000;
