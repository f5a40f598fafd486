import { basename, dirname, resolve } from "node:path";
import type { Client } from "./client.ts";
import { sinceOf } from "./duration.ts";
import { jsonLine, safeLine } from "./format.ts";
import { CliError, EXIT, usageError, type Verb } from "./verb.ts";

interface Page {
  version: number;
  log: string;
  machine: string;
  through: number;
  lines: Record<string, unknown>[];
  next: string | null;
}

export const verb: Verb = {
  help: `Write the log as lines of JSON: events with every field, then the sessions behind them.

Usage: event-bus export [--since TIME] [--output FILE] [--format jsonl] [--force]

  --since TIME     only events of that time or later: 90d, 12h, or a date such as 2026-01-31
  --output FILE    write to this file, readable for you alone; else to standard output
  --force          replace a file that is there already
  --format jsonl   the only one there is

The first line says which log it is, the last how much there was, so a file that was cut short is
recognised. Webhooks, tokens and the record of who has read what are not in it: event-bus backup
has everything.

Examples:
  event-bus export --output bus.jsonl
  event-bus export --since 7d | jq -r 'select(.kind == "event") | .payload'
  event-bus export | event-bus --url http://127.0.0.1:9090 import -
`,
  options: {
    since: { type: "string" },
    output: { type: "string" },
    format: { type: "string" },
    force: { type: "boolean" },
  },
  async run(args, { client, config, out, err }) {
    const format = args.text("format") ?? "jsonl";
    if (format !== "jsonl") {
      throw usageError(`Cannot export as ${JSON.stringify(format)}: the format is jsonl`);
    }
    const since = args.text("since");
    const from = since === undefined ? undefined : sinceOf("since", since, Date.now());
    const name = args.text("output");
    if (name === undefined) {
      await writeLines(client, from, out);
      return 0;
    }
    const path = resolve(config.env.cwd, name);
    const { events, sessions } = await toFile(
      path,
      args.flag("force"),
      (write) => writeLines(client, from, write),
    );
    err(`Exported ${events} events and ${sessions} sessions to ${safeLine(path)}`);
    return 0;
  },
};

/** Writes the export, page by page, up to the event that was the newest when it began. */
async function writeLines(
  client: Client,
  since: string | undefined,
  write: (text: string) => void,
) {
  const first = await client.call<Page>("export_events", { since });
  const { version, log, machine, through } = first;
  const exported_at = new Date().toISOString();
  write(
    jsonLine({ kind: "export", version, log, machine, exported_at, since: since ?? null, through }),
  );
  const events = await writePages(
    first,
    (after) => client.call<Page>("export_events", { since, through, after }),
    write,
  );
  const sessionsAfter = (after: string) =>
    client.call<Page>("export_events", { kind: "session", through, after });
  const sessions = await writePages(await sessionsAfter(""), sessionsAfter, write);
  write(jsonLine({ kind: "end", events, sessions }));
  return { events, sessions };
}

async function writePages(
  first: Page,
  after: (cursor: string) => Promise<Page>,
  write: (text: string) => void,
): Promise<number> {
  let count = 0;
  for (let page = first;; page = await after(page.next)) {
    if (page.lines.length > 0) write(page.lines.map(jsonLine).join(""));
    count += page.lines.length;
    if (page.next === null) return count;
  }
}

/** Writes a file that has its name only when it is whole. */
async function toFile<T>(
  path: string,
  force: boolean,
  work: (write: (text: string) => void) => Promise<T>,
): Promise<T> {
  const refuse = (why: string) =>
    new CliError(`Cannot export to ${JSON.stringify(path)}: ${why}`, EXIT.refused);
  const taken = () => refuse("it is there already; remove it, or use --force");
  if (!force && isThere(path)) throw taken();
  let part: string;
  try {
    part = await Deno.makeTempFile({ dir: dirname(path), prefix: `.${basename(path)}-` });
  } catch (failure) {
    throw refuse((failure as Error).message);
  }
  const file = Deno.openSync(part, { write: true });
  const encoder = new TextEncoder();
  try {
    const done = await work((text) => {
      for (let rest = encoder.encode(text); rest.length > 0;) {
        rest = rest.subarray(file.writeSync(rest));
      }
    });
    file.syncSync();
    if (!force && isThere(path)) throw taken();
    Deno.renameSync(part, path);
    return done;
  } catch (failure) {
    Deno.removeSync(part);
    throw failure;
  } finally {
    file.close();
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
