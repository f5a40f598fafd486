/** Talks to the bus over HTTP. The command line never opens the database and never speaks MCP. */
import type { Path } from "../src/delivery.ts";
import type { ErrorCode } from "../src/errors.ts";
import { goDirectlyToThisMachine } from "../src/config.ts";
import { CliError, EXIT } from "./verb.ts";
import { createWatch, type Watch } from "./watch.ts";

export interface Client {
  /** Where the bus is: `http://127.0.0.1:8080`, without `/mcp` and without a slash at the end. */
  readonly base: string;
  /** Performs an operation. Throws Refusal when the bus refuses, CliError when it cannot be reached. */
  call<T>(operation: string, args: Record<string, unknown>, asking?: Asking): Promise<T>;
  /**
   * Posts JSON to a path, and answers what came back, whatever it is. Rejects with the runtime's error
   * when nothing did, or `signal` aborts.
   */
  post(path: string, json: string, signal: AbortSignal): Promise<Response>;
  /**
   * Opens a stream: what it sends, in pieces, until it ends or `signal` aborts. Throws as `call`
   * does, also when the stream breaks or was silent for too long.
   */
  stream(path: string, lastEventId: string | undefined, signal: AbortSignal): Promise<Pieces>;
  /** What `/health` says, also when it says that something is wrong. */
  health(): Promise<Record<string, unknown>>;
}

export interface Asking {
  /** So much longer than usual may the answer take. */
  readonly waitMs?: number;
  /** By which way what was read went out, for the record. */
  readonly path?: Path;
}

export type Pieces = AsyncGenerator<string, void, void>;

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
  too_many: EXIT.refused,
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

/** What the runtime says in its own terms. */
const PLAINER: readonly [RegExp, string][] = [
  [/InvalidContentType|corrupt message/, "it does not speak https; is its URL http://?"],
  [/invalid HTTP version parsed/, "it does not speak http; is its URL https://?"],
  [
    /UnknownIssuer/,
    "who signed its certificate is not known here; if that is your own authority, name its " +
    "certificate in the environment variable DENO_CERT",
  ],
];

/**
 * What is being read. The runtime lets the body of a response go on when its signal aborts after the
 * response itself was collected as garbage: then a silent bus would be waited for, for ever.
 */
const kept = new Set<Response>();

/** A stream shows every 15 seconds that it lives; after three of them it is lost. */
const SILENCE_MS = 45_000;

export function createClient(
  options: { url: string; token: string | null; timeoutMs: number; silenceMs?: number },
): Client {
  const { timeoutMs, silenceMs = SILENCE_MS } = options;
  const base = baseOf(options.url);
  if (isHere(base)) goDirectlyToThisMachine();
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
  };
  if (options.token !== null) headers.Authorization = `Bearer ${options.token}`;

  async function ask(
    path: string,
    init: RequestInit,
    { waitMs = 0, path: way = "cli" }: Asking = {},
  ): Promise<{ status: number; body: unknown }> {
    const signal = AbortSignal.timeout(timeoutMs + waitMs);
    let response: Response | null = null;
    let status: number;
    let text: string;
    try {
      response = await fetch(base + path, {
        ...init,
        headers: { ...headers, "Event-Bus-Path": way },
        signal,
        redirect: "error",
      });
      kept.add(response);
      status = response.status;
      text = await response.text();
    } catch (failure) {
      throw unreachable(failure, timeoutMs + waitMs);
    } finally {
      if (response !== null) kept.delete(response);
    }
    return { status, body: parsed(status, text) };
  }

  function parsed(status: number, text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw notABus(status);
    }
  }

  function notABus(status: number): CliError {
    return new CliError(
      `Cannot use ${base}: something answers there (HTTP ${status}), but it is not an event-bus`,
      EXIT.unreachable,
    );
  }

  /** Throws what the bus refuses with, for an answer that is no success. */
  function refused(status: number, body: unknown): never {
    const refusal = body as Refusal["body"] | null;
    if (typeof refusal?.error === "string") throw new Refusal(refusal);
    throw new CliError(`Cannot use ${base}: it answers HTTP ${status}`, EXIT.unreachable);
  }

  function unreachable(failure: unknown, afterMs: number): CliError {
    if ((failure as Error).name === "TimeoutError") {
      return new CliError(
        `Cannot reach the bus at ${base}: no answer within ${afterMs} ms`,
        EXIT.unreachable,
      );
    }
    // The runtime's message repeats the URL and wraps the cause several times over, or hides it.
    const { message, cause: within } = failure as Error;
    const said = (within instanceof Error ? within.message : message).split(": ").at(-1) ?? "";
    const cause = PLAINER.find(([pattern]) => pattern.test(said))?.[1] ?? said;
    const remedy = isHere(base) ? "\nStart it with: event-bus serve" : "";
    return new CliError(
      `Cannot reach the bus at ${base}: ${cause}${remedy}`,
      EXIT.unreachable,
    );
  }

  async function* pieces(
    response: Response,
    body: ReadableStream<Uint8Array>,
    watch: Watch,
  ): Pieces {
    kept.add(response);
    const decoder = new TextDecoder();
    const reader = body.getReader();
    // Once the engine has tidied up the response, the runtime forgets that its signal ends the body, too.
    const giveUp = () => void reader.cancel().catch(() => {});
    watch.signal.addEventListener("abort", giveUp, { once: true });
    try {
      for (;;) {
        watch.expect(silenceMs);
        const { done, value } = await reader.read();
        watch.rest();
        if (watch.signal.aborted) throw watch.signal.reason;
        if (done) return;
        yield decoder.decode(value, { stream: true });
      }
    } catch (failure) {
      throw unreachable(failure, silenceMs);
    } finally {
      // A connection that broke has nothing left to be given up.
      await reader.cancel().catch(() => {});
      kept.delete(response);
      watch.end();
    }
  }

  return {
    base,
    async call<T>(operation: string, args: Record<string, unknown>, asking?: Asking): Promise<T> {
      const body = JSON.stringify(args);
      const answer = await ask(`/v1/${operation}`, { method: "POST", body }, asking);
      return answer.status < 300 ? answer.body as T : refused(answer.status, answer.body);
    },
    post: (path, body, signal) =>
      fetch(base + path, { method: "POST", headers, body, signal, redirect: "error" }),
    async stream(path, lastEventId, signal) {
      const watch = createWatch(signal);
      try {
        watch.expect(timeoutMs);
        const response = await fetch(base + path, {
          headers: {
            ...headers,
            "Event-Bus-Path": "stream",
            ...(lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId }),
          },
          signal: watch.signal,
          redirect: "error",
        });
        const type = response.headers.get("content-type") ?? "";
        if (response.ok && response.body !== null && type.startsWith("text/event-stream")) {
          return pieces(response, response.body, watch);
        }
        const text = await response.text();
        refused(response.status, parsed(response.status, text));
      } catch (failure) {
        watch.end();
        if (failure instanceof Refusal || failure instanceof CliError) throw failure;
        throw unreachable(failure, timeoutMs);
      }
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
