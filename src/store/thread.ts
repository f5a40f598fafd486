/** Threads for what would keep the server from answering: both sides of asking one. */
import { BusError, type ErrorCode } from "../errors.ts";

/** A thread that answers questions by name, one after the other. */
export interface Thread {
  /** What the answer of this name makes of `args`; rejects with what it throws. */
  ask<T>(name: string, ...args: readonly unknown[]): Promise<T>;
  /** Stops it at once, whatever it does. */
  end(): void;
}

interface Question {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** An error's class does not come through. */
interface Failure {
  readonly message: string;
  readonly absent: boolean;
  readonly code: ErrorCode | null;
}

type Reply = { readonly value: unknown } | Failure;

// deno-lint-ignore no-explicit-any -- what is asked is typed where it is asked
export type Answers = Readonly<Record<string, (...args: any[]) => unknown>>;

/** Starts the module at `url`, which calls `answerQuestions`. */
export function startThread(url: string): Thread {
  const worker = new Worker(url, { type: "module" });
  return {
    ask: <T>(name: string, ...args: readonly unknown[]) =>
      new Promise<T>((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<Reply>) =>
          "value" in data ? resolve(data.value as T) : reject(failureOf(data));
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new BusError("unavailable", `Cannot use a thread: ${event.message}`));
        };
        worker.postMessage({ name, args } satisfies Question);
      }),
    end: () => worker.terminate(),
  };
}

/** Makes the module that calls it a thread; does nothing where it is only imported. */
export function answerQuestions(answers: Answers): void {
  if (!("WorkerGlobalScope" in globalThis)) return;
  const thread = globalThis as unknown as {
    onmessage(event: MessageEvent<Question>): void;
    postMessage(reply: Reply): void;
  };
  thread.onmessage = ({ data: { name, args } }) => {
    try {
      thread.postMessage({ value: answers[name]?.(...args) });
    } catch (failure) {
      thread.postMessage({
        message: failure instanceof Error ? failure.message : String(failure),
        absent: failure instanceof Deno.errors.NotFound,
        code: failure instanceof BusError ? failure.code : null,
      });
    }
  };
}

function failureOf({ message, absent, code }: Failure): Error {
  if (code !== null) return new BusError(code, message);
  return absent ? new Deno.errors.NotFound(message) : new Error(message);
}
