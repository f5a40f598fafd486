/** `events --follow`: prints what comes, and marks as read what it has printed. */
import { archivedHint, type Reading } from "./events.ts";
import { follow } from "./follow.ts";
import { eventsText, jsonLine, safe } from "./format.ts";
import { createMarker } from "./marker.ts";
import { type Cli, EXIT, usageError } from "./verb.ts";

/** Goes on until it is interrupted, nobody reads its output, the session ends or the limit is reached. */
export async function followEvents(cli: Cli, reading: Reading): Promise<number> {
  const { json, client, out, err } = cli;
  const { who, resume, narrowing, hiding, include_own, marks } = reading;
  const limit = limitOf(reading.limit);
  const stop = new AbortController();
  let failure: { why: unknown } | null = null;
  const fail = (why: unknown) => {
    failure ??= { why };
    stop.abort();
  };
  // A cursor may leave unread events behind it: what follows is no news of them.
  const marker = marks && reading.cursor === undefined ? createMarker(client, who, fail) : null;
  const forget = onInterrupt(() => stop.abort());
  let shown = 0;
  try {
    const asked = {
      // As everywhere, only a resumed read is about somebody.
      ...(resume ? who : {}),
      ...narrowing,
      ...hiding,
      include_own,
      cursor: await startOf(cli, reading),
    };
    const steps = follow(client, asked, {
      signal: stop.signal,
      away: ({ message }) => err(`The bus is away, waiting for it: ${safe(message)}`),
      back: () => err("The bus is back"),
      archived: (through) => err(archivedHint(through)),
    });
    for await (const { id, event } of steps) {
      if (event !== null) out(json ? jsonLine(event) : eventsText([event]));
      marker?.reached(id);
      if (event !== null && ++shown >= limit) break;
    }
  } catch (thrown) {
    // Whoever read our output has enough of it.
    if (!(thrown instanceof Deno.errors.BrokenPipe)) fail(thrown);
  } finally {
    forget();
  }
  await marker?.close().catch(fail);
  if (failure !== null) throw (failure as { why: unknown }).why;
  return EXIT.done;
}

/** A tail begins at the tip, but not for a session that has ended: that is an error. */
async function startOf({ client }: Cli, { who, resume, cursor }: Reading) {
  if (resume || cursor !== undefined || !who.session_id) return cursor;
  const { next_cursor } = await client.call<{ next_cursor: string | null }>("get_events", {
    session_id: who.session_id,
    limit: 0,
  });
  return next_cursor ?? "0";
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return Infinity;
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw usageError(
    `Cannot use --limit ${JSON.stringify(text)} with --follow: expected is 1 or more`,
  );
}

/** Calls `stop` instead of dying at once, until the answer is called. */
function onInterrupt(stop: () => void): () => void {
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  return () => {
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
  };
}
