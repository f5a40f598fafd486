/** What a verb of the command line is, and what it may use. */
import type { ParseArgsOptionsConfig } from "node:util";
import type { Config } from "../src/config.ts";
import type { Client } from "./client.ts";

export interface Verb {
  /** Usage, options and examples; what `event-bus help <verb>` prints. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** Names of the positional arguments it takes, in order; more are refused. */
  readonly positionals?: readonly string[];
  /** Whether nothing that goes wrong is told: who runs it takes words and exit codes for orders. */
  readonly silent?: boolean;
  /** Whether `--url` behind this verb and these words is its own; the bus's stands before it then. */
  takesUrl?(positionals: readonly string[]): boolean;
  /** Does the work and answers the exit code. May throw CliError, BusError or Refusal. */
  run(args: Args, cli: Cli): Promise<number>;
}

export interface Args {
  /** The text of an option, if it was given. */
  text(name: string): string | undefined;
  /** The text of an option that must be given; throws a usage error. */
  need(name: string): string;
  flag(name: string): boolean;
  /** A comma-separated option as a list; undefined when it was not given or is empty. */
  list(name: string): string[] | undefined;
  readonly positionals: readonly string[];
}

/** The world of a verb: replaced as a whole in tests. */
export interface Cli {
  readonly json: boolean;
  readonly config: Config;
  readonly client: Client;
  /** Writes one text, as it is, to standard output; returns when it is written. */
  out(text: string): void;
  /** Writes one line to standard error. */
  err(line: string): void;
  stdin(): Promise<string>;
}

export const EXIT = { done: 0, refused: 1, usage: 2, unreachable: 3, waited: 4 } as const;

/** An end of the command that is no fault of the program: one line on stderr and an exit code. */
export class CliError extends Error {
  override readonly name = "CliError";

  constructor(message: string, readonly exit: number) {
    super(message);
  }
}

export const usageError = (message: string): CliError => new CliError(message, EXIT.usage);
