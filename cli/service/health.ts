/** Where the service answers, and waiting until it does. */
import type { Config } from "../../src/config.ts";
import { Refusal } from "../client.ts";
import { safe } from "../format.ts";
import { CliError, EXIT } from "../verb.ts";
import { contentOf } from "./files.ts";
import type { Machine } from "./machine.ts";

/** A database of the original takes seconds to upgrade; a service that needs more has a problem. */
const LIMIT_MS = 10_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;
/** Lines of the service's last words that are shown when it does not come up. */
const LAST_WORDS = 5;

/** Whether a host can only mean this machine. */
export function isLocal(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/i.test(host);
}

/** Where a server with these settings is reached from its own machine. */
export function addressOf(
  { host, port, tls_cert }: Pick<Config, "host" | "port"> & Partial<Pick<Config, "tls_cert">>,
): string {
  if (port === 0) {
    throw new CliError(
      'Cannot run a service on port 0, because nobody would find it: give config.json a "port"',
      EXIT.usage,
    );
  }
  const reachable = { "0.0.0.0": "127.0.0.1", "::": "::1", localhost: "127.0.0.1" }[host] ?? host;
  const scheme = tls_cert ? "https" : "http";
  return `${scheme}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/** Whether the bus at `url` refuses who brings no token; one on this machine may want it, too. */
export async function needsToken(machine: Machine, url: string): Promise<boolean> {
  if (!isLocal(new URL(url).hostname)) return true;
  try {
    await machine.health(url, null);
    return false;
  } catch (failure) {
    return failure instanceof Refusal;
  }
}

/** What prints go to: what the service says before its log is open. */
export function errorFile(dataDir: string): string {
  return `${dataDir}/event-bus.err`;
}

/** Waits until the service answers; throws CliError with its last words when it does not. */
export async function waitUntilHealthy(
  machine: Machine,
  config: Config,
): Promise<Record<string, unknown>> {
  const url = addressOf(config);
  const end = machine.now() + LIMIT_MS;
  for (let pause = FIRST_PAUSE_MS;; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await machine.health(url, config.token());
    } catch (failure) {
      if (!(failure instanceof CliError)) throw failure;
      if (machine.now() + pause > end) throw notUp(failure, config);
    }
    await machine.sleep(pause);
  }
}

function notUp(failure: CliError, { dataDir }: Config): CliError {
  const file = errorFile(dataDir);
  const words = (contentOf(file) ?? "").trimEnd().split("\n").slice(-LAST_WORDS)
    .filter(Boolean).map((line) => `  ${safe(line)}`);
  const [reason] = failure.message.split("\n");
  return new CliError(
    [
      `The service was started but does not answer within ${LIMIT_MS / 1000} seconds: ${reason}`,
      ...(words.length === 0 ? [`See ${file} and event-bus logs`] : [`The end of ${file}:`]),
      ...words,
    ].join("\n"),
    EXIT.unreachable,
  );
}
