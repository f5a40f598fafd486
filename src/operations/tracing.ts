/**
 * Spans for OpenTelemetry, which the runtime sends when it is told to (OTEL_DENO=true). They say what
 * was done, for how long and how it ended: nothing that a caller wrote, and nobody's name.
 */
import { VERSION } from "../build.ts";
import { errorBody, type ErrorCode } from "../errors.ts";

/** What is used of the interface that OpenTelemetry and the runtime share. */
interface Tracer {
  startActiveSpan<T>(name: string, work: (span: Span) => T): T;
}

interface Span {
  setAttribute(name: string, value: string): void;
  setStatus(status: { code: number }): void;
  end(): void;
}

/** Where every implementation of OpenTelemetry's interface for JavaScript is registered. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");
/** OpenTelemetry's number for a span that failed. */
const FAILED = { code: 2 };
/** Refusals that are the bus's fault, not the caller's. */
const FAULTS: ReadonlySet<ErrorCode> = new Set(["internal", "unavailable"]);

/** Null unless the runtime was told to trace, so that otherwise a span costs a comparison. */
const tracer = tracerOf(globalThis as { [REGISTERED]?: { trace?: unknown } });

function tracerOf(scope: { [REGISTERED]?: { trace?: unknown } }): Tracer | null {
  const isOn = scope[REGISTERED]?.trace !== undefined;
  return isOn ? Deno.telemetry.tracerProvider.getTracer("event-bus", VERSION) : null;
}

/** Whether spans are made. */
export const isTracing = tracer !== null;

/** Runs `work` in a span, inside the one that is open here. `name` must be a word of ours. */
export function traced<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (tracer === null) return work();
  return tracer.startActiveSpan(name, async (span) => {
    let outcome: "ok" | ErrorCode = "ok";
    try {
      return await work();
    } catch (thrown) {
      outcome = errorBody(thrown).code;
      if (FAULTS.has(outcome)) span.setStatus(FAILED);
      throw thrown;
    } finally {
      span.setAttribute("event_bus.outcome", outcome);
      span.end();
    }
  });
}
