/** What the two service managers have in common, so that the verbs need not know which one it is. */
import { CliError, EXIT } from "../verb.ts";
import { launchd } from "./launchd.ts";
import type { Machine } from "./machine.ts";
import { systemd } from "./systemd.ts";

/** A service by the name that its manager knows it by, and the file that defines it. */
export interface Service {
  readonly label: string;
  readonly file: string;
}

/** What a rendered service file is made of. */
export interface Paths {
  readonly program: string;
  /** Where what the process prints goes. */
  readonly errors: string;
}

/** A service manager. Its methods throw CliError with what the manager said. */
export interface Manager {
  readonly ours: Service;
  /** The services of the original, under every name that it had. */
  readonly originals: readonly Service[];
  /** Services of the original that are clients of the bus and stay. */
  readonly clients: readonly Service[];
  /** Our service file. */
  render(paths: Paths): string;
  /** The variables that a service file sets; null when it cannot be read. */
  variables(file: string, content: string): Record<string, string> | null;
  isRunning(service: Service): Promise<boolean>;
  /** Whether a service that has a file will be started at the next login. */
  isEnabled(service: Service): Promise<boolean>;
  /** Starts a service by its file, now and at every login; one that runs is started anew. */
  start(service: Service): Promise<void>;
  /** Stops a service, if it runs, now and at every login. */
  stop(service: Service): Promise<void>;
  /** Tells the manager that service files have gone; `forgetLine` is null where there is no need. */
  forget(): Promise<void>;
  readonly forgetLine: string | null;
  /** The command lines that `start` and `stop` amount to. */
  startLine(service: Service): string;
  stopLine(service: Service): string;
  /** What to know about services here. */
  readonly remarks: readonly string[];
}

const MANAGERS: Readonly<Record<string, (machine: Machine) => Promise<Manager>>> = {
  darwin: launchd,
  linux: systemd,
};

/** The manager of this system. Throws a CliError saying what to do where there is none to talk to. */
export function managerOf(machine: Machine): Promise<Manager> {
  const manager = MANAGERS[machine.os];
  if (manager !== undefined) return manager(machine);
  throw new CliError(
    `Cannot manage services on ${machine.os}: only macOS and Linux; run the bus with: ` +
      "event-bus serve",
    EXIT.refused,
  );
}
