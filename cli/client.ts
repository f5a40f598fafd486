/** Talks to the bus over HTTP. The command line never opens the database and never speaks MCP. */
import type { ErrorCode } from "../src/errors.ts";
import { CliError, EXIT } from "./verb.ts";

export interface Client {
  /** Where the bus is: `http://127.0.0.1:8080`, without `/mcp` and without a slash at the end. */
  readonly base: string;
  /** Performs an operation. Throws Refusal when the bus refuses, CliError when it cannot be reached. */
  call<T>(operation: string, args: Record<string, unknown>): Promise<T>;
  /** What `/health` says, also when it says that something is wrong. */
  health(): Promise<Record<string, unknown>>;
}

/** The bus understood and said no; `body` is its answer. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(readonly body: { error: string; code: ErrorCode; [detail: string]: unknown }) {
    super(body.error);
  }

  get exit(): number {
    return EXIT_OF[this.body.code] ?? EXIT.refused;
  }
}

const EXIT_OF: Record<ErrorCode, number> = {
  invalid_argument: EXIT.usage,
  unauthenticated: EXIT.refused,
  forbidden: EXIT.refused,
  not_found: EXIT.refused,
  session_ended: EXIT.refused,
  conflict: EXIT.refused,
  too_large: EXIT.refused,
  unsupported_media_type: EXIT.refused,
  caller_left: EXIT.refused,
  unavailable: EXIT.refused,
  internal: EXIT.refused,
};

/** A bus address as people write it, with or without `/mcp`, as the base of its paths. */
export function baseOf(url: string): string {
  return url.replace(/\/+$/, "").replace(/\/mcp$/, "").replace(/\/+$/, "");
}

/** Whether a bus at this address would run on this machine. */
function isHere(base: string): boolean {
  return /^https?:\/\/(localhost|127\.[0-9.]+|\[::1\])(:|\/|$)/.test(base);
}

export function createClient(
  options: { url: string; token: string | null; timeoutMs: number },
): Client {
  const base = baseOf(options.url);
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    "Event-Bus-Path": "cli",
  };
  if (options.token !== null) headers.Authorization = `Bearer ${options.token}`;

  async function ask(path: string, init: RequestInit): Promise<{ status: number; body: unknown }> {
    const signal = AbortSignal.timeout(options.timeoutMs);
    let status: number;
    let text: string;
    try {
      const response = await fetch(base + path, { ...init, headers, signal, redirect: "error" });
      status = response.status;
      text = await response.text();
    } catch (failure) {
      throw unreachable(failure);
    }
    try {
      return { status, body: JSON.parse(text) };
    } catch {
      throw new CliError(
        `Cannot use ${base}: something answers there (HTTP ${status}), but it is not an event-bus`,
        EXIT.unreachable,
      );
    }
  }

  function unreachable(failure: unknown): CliError {
    if ((failure as Error).name === "TimeoutError") {
      return new CliError(
        `Cannot reach the bus at ${base}: no answer within ${options.timeoutMs} ms`,
        EXIT.unreachable,
      );
    }
    // The runtime's message repeats the URL and wraps the cause several times over, or hides it.
    const { message, cause: within } = failure as Error;
    const cause = (within instanceof Error ? within.message : message).split(": ").at(-1);
    const remedy = isHere(base) ? "\nStart it with: event-bus serve" : "";
    return new CliError(
      `Cannot reach the bus at ${base}: ${cause}${remedy}`,
      EXIT.unreachable,
    );
  }

  return {
    base,
    async call<T>(operation: string, args: Record<string, unknown>): Promise<T> {
      const body = JSON.stringify(args);
      const answer = await ask(`/v1/${operation}`, { method: "POST", body });
      if (answer.status < 300) return answer.body as T;
      const refusal = answer.body as Refusal["body"];
      if (typeof refusal?.error === "string") throw new Refusal(refusal);
      throw new CliError(`Cannot use ${base}: it answers HTTP ${answer.status}`, EXIT.unreachable);
    },
    async health() {
      const { status, body } = await ask("/health", { method: "GET" });
      const facts = body as Record<string, unknown>;
      if (status === 401 || status === 403) throw new Refusal(facts as Refusal["body"]);
      if (facts?.service !== "event-bus") {
        throw new CliError(
          `Cannot use ${base}: something answers there (HTTP ${status}), but it is not an event-bus`,
          EXIT.unreachable,
        );
      }
      return facts;
    },
  };
}
