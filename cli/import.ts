import { resolve } from "node:path";
import { PATIENCE_MS } from "./backup.ts";
import { type Client, Refusal } from "./client.ts";
import { pretty } from "./format.ts";
import { CliError, EXIT, usageError, type Verb } from "./verb.ts";

interface Imported {
  imported: number;
  known: number;
  sessions_imported: number;
  sessions_known: number;
}

interface Header {
  version: number;
  log: string;
}

/** Half of what a request may have: the lines are not all there is in it. */
const MAX_PAGE_BYTES = 512 * 1024;
const MAX_PAGE_LINES = 500;
/** Longer ones no request could carry. */
const MAX_LINE_LENGTH = 1024 * 1024;

export const verb: Verb = {
  help: `Add the events and sessions of another log to the bus, also while it is in use.

Usage: event-bus import FILE [--json]

FILE is what event-bus export wrote (- for standard input), or a database of the original or of
another bus; a database is read by the bus, on its own machine. It is only read. Importing twice
adds nothing twice.

Imported events keep their time, sender and channel. On an empty bus they keep their ids as well,
and it goes on as that log. On any other they are history with new ids: they can be read and
searched, but nobody is notified, woken or handed them as unread. Sessions come as ended; whoever
registers with the same client id on the same machine is that session again.

Examples:
  event-bus import bus.jsonl
  event-bus import ~/.claude/event-bus.db
`,
  options: {},
  positionals: ["file"],
  async run({ positionals: [file] }, { json, config, client, out }) {
    if (!file) throw usageError("import requires a file, or -; see event-bus help import");
    const path = resolve(config.env.cwd, file);
    const done = file !== "-" && isDatabase(path)
      ? await client.call<Imported>("import_database", { path }, { waitMs: PATIENCE_MS })
      : await importLines(client, file === "-" ? Deno.stdin.readable : open(path).readable);
    out(json ? pretty(done) : said(done));
    return 0;
  },
};

function said({ imported, known, sessions_imported, sessions_known }: Imported): string {
  return `Imported ${imported} events and ${sessions_imported} sessions; ` +
    `${known} events and ${sessions_known} sessions were here already\n`;
}

function open(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true });
  } catch (failure) {
    throw new CliError(`Cannot import ${JSON.stringify(path)}: ${(failure as Error).message}`, 1);
  }
}

function isDatabase(path: string): boolean {
  const file = open(path);
  try {
    const magic = new Uint8Array(16);
    file.readSync(magic);
    return new TextDecoder().decode(magic) === "SQLite format 3\0";
  } catch (failure) {
    throw new CliError(`Cannot import ${JSON.stringify(path)}: ${(failure as Error).message}`, 1);
  } finally {
    file.close();
  }
}

/** Sends the lines in pages; whole pages only, so that what is kept can be told. */
async function importLines(client: Client, input: ReadableStream<Uint8Array>): Promise<Imported> {
  const sum: Imported = { imported: 0, known: 0, sessions_imported: 0, sessions_known: 0 };
  const counted = { events: 0, sessions: 0 };
  let header: Header | null = null;
  let ended = false;
  let page: unknown[] = [];
  let bytes = 0;
  let number = 0;

  const send = async () => {
    if (header === null || page.length === 0) return;
    const first_line = number - page.length + 1;
    const done = await client.call<Imported>("import_events", {
      ...header,
      first_line,
      lines: page,
    });
    for (const key of Object.keys(sum) as (keyof Imported)[]) sum[key] += done[key];
    page = [];
    bytes = 0;
  };
  try {
    for await (const text of linesOf(input)) {
      const line = parsed(text, number + 1);
      if (header === null) {
        header = headerOf(line);
        number = 1;
        continue;
      }
      if (ended) throw damaged(number + 1, "the export ended before it");
      if (line.kind === "end") {
        await send();
        number++;
        checkEnd(line, counted, number);
        ended = true;
        continue;
      }
      const weight = text.length * (/^[\0-\x7f]*$/.test(text) ? 1 : 3);
      if (page.length === MAX_PAGE_LINES || (page.length > 0 && bytes + weight > MAX_PAGE_BYTES)) {
        await send();
      }
      number++;
      page.push(line);
      bytes += weight;
      counted[line.kind === "session" ? "sessions" : "events"]++;
    }
    if (header === null) throw new CliError("Cannot import: there is nothing in it", EXIT.refused);
    await send();
    if (!ended) throw damaged(number + 1, "the export is cut short; its last line says the end");
    return sum;
  } catch (failure) {
    throw withKept(failure, sum);
  }
}

/** What was there before the damage stays: whoever corrects the file imports it again. */
function withKept(failure: unknown, { imported, sessions_imported }: Imported): unknown {
  const isDamage = failure instanceof CliError ||
    (failure instanceof Refusal && failure.body.line !== undefined);
  if (!isDamage) return failure;
  const exit = failure instanceof CliError ? failure.exit : EXIT.refused;
  const kept = imported + sessions_imported === 0
    ? "nothing was imported"
    : `${imported} events and ${sessions_imported} sessions before it were imported, and importing ` +
      "again adds only the rest";
  return new CliError(`${failure.message}; ${kept}`, exit);
}

const damaged = (line: number, why: string): CliError =>
  new CliError(`Cannot import line ${line}: ${why}`, EXIT.refused);

function parsed(text: string, number: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (failure) {
    throw damaged(number, `it is not JSON: ${(failure as Error).message.slice(0, 200)}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw damaged(number, "a JSON object is expected");
}

function headerOf({ kind, version, log }: Record<string, unknown>): Header {
  if (kind === "export" && typeof version === "number" && typeof log === "string") {
    return { version, log };
  }
  throw damaged(1, "it is neither the beginning of an export nor a database");
}

function checkEnd(
  end: Record<string, unknown>,
  counted: { events: number; sessions: number },
  number: number,
): void {
  if (end.events === counted.events && end.sessions === counted.sessions) return;
  throw damaged(
    number,
    `it tells of ${end.events} events and ${end.sessions} sessions, and there were ` +
      `${counted.events} and ${counted.sessions}`,
  );
}

/** The lines of a stream, without what ends them; bytes that are not UTF-8 are refused. */
async function* linesOf(input: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  let number = 1;
  const decode = (bytes?: Uint8Array) => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch {
      throw damaged(number, "in it or soon after it there are bytes that are not UTF-8 text");
    }
  };
  for await (const chunk of input) {
    const lines = (rest + decode(chunk)).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE_LENGTH) throw damaged(number + lines.length, "it is too long");
    for (const line of lines) {
      yield line;
      number++;
    }
  }
  rest += decode();
  if (rest !== "") yield rest;
}
