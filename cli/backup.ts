import { resolve } from "node:path";
import { pretty, safeLine } from "./format.ts";
import { usageError, type Verb } from "./verb.ts";

interface Backup {
  machine: string;
  path: string;
  bytes: number;
  events: number;
  sessions: number;
}

/** A copy takes about two seconds for a gigabyte; checking it takes longer. */
export const PATIENCE_MS = 30 * 60 * 1000;

export const verb: Verb = {
  help: `Write a copy of the bus's database to a file, while the bus goes on, and check it.

Usage: event-bus backup FILE [--force] [--json]

  --force    replace a file that is there already

The bus itself writes the file, on its own machine, and only for callers there. The copy is of one
moment, readable for you alone, and has its name only once it was checked.

Examples:
  event-bus backup ~/event-bus.backup
  event-bus backup "backups/$(date +%F).db" --force
`,
  options: { force: { type: "boolean" } },
  positionals: ["file"],
  async run({ positionals: [file], flag }, { json, config, client, out }) {
    if (!file) throw usageError("backup requires a file; see event-bus help backup");
    const path = resolve(config.env.cwd, file);
    const asked = { path, force: flag("force") };
    const made = await client.call<Backup>("backup", asked, { waitMs: PATIENCE_MS });
    out(json ? pretty(made) : text(made));
    return 0;
  },
};

function text({ machine, path, bytes, events, sessions }: Backup): string {
  return `Backed up ${events} events and ${sessions} sessions to ${safeLine(path)} on ` +
    `${safeLine(machine)} (${bytes} bytes, checked)\n`;
}
