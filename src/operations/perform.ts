/** Performs an operation for a door: asks what the caller may, checks, batches, logs. The doors only translate. */
import { getLogger } from "@logtape/logtape";
import type { Bus, Call, Caller } from "../bus.ts";
import { endWith, findGone } from "../bus/sessions.ts";
import { BusError, errorBody, type ErrorCode } from "../errors.ts";
import { troubleOf } from "../store/trouble.ts";
import { checkScope, tokenOver } from "./access.ts";
import { audit, sessionOf } from "./audit.ts";
import type { Operation, Waiting } from "./operation.ts";
import { traced } from "./tracing.ts";

const log = getLogger(["event-bus", "operations"]);

/**
 * Runs `operation` with raw arguments. What resolves is durable. Rejects with a BusError when the
 * call is refused; anything else that goes wrong is logged in full and rejects as `internal`.
 */
export function perform(
  bus: Bus,
  operation: Operation,
  args: unknown,
  caller: Caller,
): Promise<unknown> {
  return traced(operation.name, () => performed(bus, operation, args, caller));
}

async function performed(bus: Bus, operation: Operation, args: unknown, caller: Caller) {
  const started = performance.now();
  let input: unknown;
  let waited = false;
  const done = (outcome: "ok" | ErrorCode, session: string | null) => {
    const took = performance.now() - started;
    bus.metrics.performed(operation.name, outcome, waited ? null : took / 1000);
    note(operation, caller, session, took, outcome);
  };
  try {
    checkScope(caller, operation.name, operation.scope);
    input = operation.parse(args);
    const spending = operation.spending(input);
    if (spending !== null) {
      const { session, bytes } = spending;
      bus.limits.publish({ session, principal: caller.principal }, bytes);
    }
    if (operation.endsTheGone) await endTheGone(bus, caller);
    const waiting = operation.waiting(input);
    waited = waiting.seconds > 0;
    const result = waiting.seconds === 0
      ? await once(bus, operation, input, caller)
      : await patiently(bus, operation, input, caller, waiting);
    // Who registers learns its id from the answer.
    done("ok", sessionOf(input) ?? (operation.writes(input) ? sessionOf(result) : null));
    return result;
  } catch (thrown) {
    if (thrown instanceof BusError) {
      done(thrown.code, sessionOf(input));
      throw thrown;
    }
    const trouble = troubleOf(thrown);
    done(trouble === null ? "internal" : "unavailable", sessionOf(input));
    if (trouble !== null) {
      throw new BusError("unavailable", `Cannot read the database: ${trouble}`);
    }
    log.error("{operation} failed: {failure}", { operation: operation.name, failure: thrown });
    throw new BusError("internal", errorBody(thrown).error);
  }
}

/** A call as it is: in the next batch when it writes, at once when it only reads. */
async function once(bus: Bus, operation: Operation, input: unknown, caller: Caller) {
  if (!operation.writes(input)) {
    return await operation.run(bus, input, readingCall(bus, caller));
  }
  return await traced(
    "transaction",
    () =>
      bus.store.inBatch(({ afterCommit }) =>
        operation.run(bus, input, callBy(bus, caller, afterCommit))
      ),
  );
}

/** How often a caller that waits is told that it still does; clients give up on silence. */
const PROGRESS_MS = 15_000;

/** The same again at every ring, until there is an answer, the time is over, or the caller leaves. */
async function patiently(
  bus: Bus,
  operation: Operation,
  input: unknown,
  caller: Caller,
  { seconds, as, alike }: Waiting,
) {
  const leaveLimits = bus.limits.enter("waits", { session: as, principal: caller.principal });
  const question = alike ? JSON.stringify([operation.name, caller.path, input]) : null;
  const look = () => once(bus, operation, input, caller);
  const over = new AbortController();
  const end = setTimeout(() => over.abort(), seconds * 1000);
  const alive = caller.progress && setInterval(caller.progress, PROGRESS_MS);
  const leave = as ? bus.readers.attend(as, "wait") : () => {};
  const { revoked } = caller;
  const revoke = () => over.abort();
  revoked?.addEventListener("abort", revoke, { once: true });
  const signal = caller.signal === undefined
    ? over.signal
    : AbortSignal.any([over.signal, caller.signal]);
  // The first at once: what clients await least patiently is the first byte.
  caller.progress?.();
  try {
    for (;;) {
      if (revoked?.aborted) throw tokenOver();
      const seen = bus.bell.rings;
      const result = await (question === null ? look() : bus.shared(question, look));
      if (!operation.isEmpty(result, input)) return result;
      if (await bus.bell.wait(seen, signal)) continue;
      if (revoked?.aborted) throw tokenOver();
      // Nothing may have come because nobody looks any more: that is no empty answer.
      if (bus.bell.stopped) throw serverStopping();
      return result;
    }
  } finally {
    leave();
    leaveLimits();
    revoked?.removeEventListener("abort", revoke);
    clearTimeout(end);
    clearInterval(alive);
  }
}

/** What a reader that waits is told when the server stops; it may ask the next one. */
export function serverStopping(): BusError {
  return new BusError("unavailable", "Cannot wait any longer: the server is stopping");
}

/** Ends the sessions that have gone without telling. Writes nothing when there are none. */
export async function endTheGone(bus: Bus, caller: Caller): Promise<void> {
  if (findGone(bus).length === 0) return;
  await bus.store.inBatch(({ afterCommit }) => {
    const call = callBy(bus, caller, afterCommit);
    // Looked at once more: somebody may have come back in the meantime.
    for (const { session, reason } of findGone(bus)) endWith(bus, session, reason, call);
  });
}

/** What a caller that only reads may use, now. */
export function readingCall(bus: Bus, caller: Caller): Call {
  return callBy(bus, caller, (effect) => effect());
}

/** A call as a caller makes it now; what it writes is durable when its effects run. */
export function callBy(bus: Bus, caller: Caller, afterCommit: Call["afterCommit"]): Call {
  return { caller, now: bus.clock(), uuid: bus.uuid, random: bus.random, afterCommit };
}

/** One line a call, without anything the caller wrote: payloads and secrets stay out of the log. */
function note(
  operation: Operation,
  { principal, peer }: Caller,
  session_id: string | null,
  took: number,
  outcome: "ok" | ErrorCode,
): void {
  const ms = Math.round(took * 10) / 10;
  audit({ principal, peer, operation: operation.name, session_id, result: outcome, ms });
  const line = `${operation.name} ${outcome} ${ms.toFixed(1)} ms, ${principal} at ${peer}`;
  if (operation.annotations.readOnlyHint) log.debug(line);
  else log.info(line);
}
