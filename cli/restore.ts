import { resolve } from "node:path";
import { restore, type Restored } from "../src/store/restore.ts";
import { pretty, safeLine } from "./format.ts";
import { type Cli, CliError, EXIT, usageError, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Put a backup in the place of the database, while the bus is stopped.

Usage: event-bus restore FILE [--db FILE] [--json]

  --db FILE    the database to replace (default: the one that serve uses)

The backup is checked first and left as it is. What was there before stays beside it under a dated
name. Ids go on after the last one that was ever given out, so no reader takes a new event for one
that it has seen. Tokens stay as they are now, so that none comes back that was revoked; where the
database cannot be read or is another log, they are the backup's: see event-bus token list.

Example:
  event-bus restore ~/event-bus.backup
`,
  options: { db: { type: "string" } },
  positionals: ["file"],
  async run({ positionals: [file], text }, cli) {
    const { json, config, out } = cli;
    if (!file) throw usageError("restore requires a file; see event-bus help restore");
    const at = (path: string) => resolve(config.env.cwd, path);
    const db = text("db");
    // The lock beside the database decides; a bus that answers is one that somebody means.
    if (db === undefined) await checkNoneAnswers(cli);
    const restored = restore(at(file), db === undefined ? config.db : at(db));
    out(json ? pretty(restored) : said(restored));
    return 0;
  },
};

/** The bus that this command line talks to, on whatever machine, must not be running. */
async function checkNoneAnswers({ client }: Cli): Promise<void> {
  try {
    await client.health();
  } catch (failure) {
    if (failure instanceof CliError && failure.exit === EXIT.unreachable) return;
    throw failure;
  }
  throw new CliError(
    `Cannot restore while the bus at ${client.base} is running: stop it first, on its own machine, ` +
      "or name another database with --db",
    EXIT.refused,
  );
}

function said({ database, events, sessions, kept }: Restored): string {
  return [
    `Restored ${events} events and ${sessions} sessions into ${safeLine(database)}`,
    ...(kept === null ? [] : [`What was there before: ${safeLine(kept)}`]),
    "Start the bus with: event-bus serve",
    "",
  ].join("\n");
}
