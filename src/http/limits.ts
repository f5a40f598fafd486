/** What one request may cost, with the reason beside each number. */

/** Room for the largest payload with every character escaped, and not for floods. */
export const MAX_BODY_BYTES = 1024 * 1024;
