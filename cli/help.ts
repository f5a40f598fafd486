import { pretty } from "./format.ts";
import { usageError, type Verb } from "./verb.ts";
import { VERBS } from "./verbs.ts";

export const verb: Verb = {
  help: `Explain a command.

Usage: event-bus help [COMMAND] [--json]

Example:
  event-bus help publish
`,
  options: {},
  // `help webhook add`: what a word of a command means stands in the command's help.
  positionals: ["command", "word"],
  async run({ positionals: [name] }, { json, out }) {
    if (name === undefined) {
      out(json ? pretty({ commands: summaries() }) : overviewText());
      return 0;
    }
    const entry = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
    if (entry === undefined) {
      throw usageError(`There is no command ${JSON.stringify(name)}; see event-bus help`);
    }
    const { help } = (await entry.load()).verb;
    out(json ? pretty({ command: name, summary: entry.summary, help }) : help);
    return 0;
  },
};

/** Each command with what it does. */
function summaries(): Record<string, string> {
  return Object.fromEntries(Object.entries(VERBS).map(([name, { summary }]) => [name, summary]));
}

/** What there is to type. */
export function overviewText(): string {
  const width = Math.max(...Object.keys(VERBS).map((name) => name.length));
  const verbs = Object.entries(summaries())
    .map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}\n`);
  return `event-bus: sessions that run side by side hear of each other.

Usage: event-bus [--url URL] <command> [options]

${verbs.join("")}
Options of every command:
  --url URL      the bus, with or without /mcp; else EVENT_BUS_URL, else the one on this machine
  --json         answer as JSON
  --timeout MS   how long to wait for the bus (default 10000)
  --help         explain the command
  --debug        show where an error came from

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 bus not reachable, 4 waited in vain
`;
}
