import { baseOf } from "./client.ts";
import { safe } from "./format.ts";
import { followFile, tailOf } from "./service/tail.ts";
import { addressOf, errorFile, isLocal } from "./service/health.ts";
import { lookAt } from "./service/files.ts";
import { type Cli, CliError, EXIT, usageError, type Verb } from "./verb.ts";

const DEFAULT_LINES = "50";

export const verb: Verb = {
  help: `Show the end of the server's log.

Usage: event-bus logs [--follow] [--lines N] [--json]

  -f, --follow   go on with what is added, until interrupted
  -n, --lines N  how many lines (default ${DEFAULT_LINES})
  --json         {"file", "lines"} or, with --follow, one {"line"} a line

Example:
  event-bus logs -f
`,
  options: {
    follow: { type: "boolean", short: "f" },
    lines: { type: "string", short: "n" },
  },
  async run(args, cli) {
    const count = countOf(args.text("lines") ?? DEFAULT_LINES);
    const follow = args.flag("follow");
    checkHere(cli);
    const file = cli.config.log;
    const start = tailOf(file, count);
    if (start === null && !follow) throw noLog(cli);
    if (start === null) cli.err(`There is no log at ${file} yet; waiting for it`);
    if (cli.json && !follow) {
      cli.out(`${JSON.stringify({ file, lines: start?.lines ?? [] }, null, 2)}\n`);
      return EXIT.done;
    }
    const show = (lines: readonly string[]) => {
      const texts = lines.map((line) => cli.json ? JSON.stringify({ line }) : safe(line));
      if (texts.length > 0) cli.out(`${texts.join("\n")}\n`);
    };
    show(start?.lines ?? []);
    if (follow) await followFile(file, start?.end ?? 0, show);
    return EXIT.done;
  },
};

function countOf(text: string): number {
  if (/^[0-9]{1,6}$/.test(text)) return Number(text);
  throw usageError(`Cannot show ${JSON.stringify(text)} lines: a number up to 999999 is expected`);
}

/** The log is where the bus is. */
function checkHere({ config }: Cli): void {
  const base = baseOf(config.url);
  const { hostname } = new URL(base);
  if (isLocal(hostname) || base === addressOf(config)) return;
  throw new CliError(
    `Cannot show the log here: the bus is at ${base}, and its log is on that machine; there: ` +
      "event-bus logs",
    EXIT.refused,
  );
}

function noLog({ config }: Cli): CliError {
  const errors = errorFile(config.dataDir);
  const hint = (lookAt(errors)?.size ?? 0) > 0 ? `; what the service printed is in ${errors}` : "";
  return new CliError(
    `Cannot show the log: there is none at ${config.log}; has the bus run here yet?${hint}`,
    EXIT.refused,
  );
}
