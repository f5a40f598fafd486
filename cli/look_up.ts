/** `events --search` and `events --archive`: what was, looked up; nothing is marked as read. */
import { sinceOf } from "./duration.ts";
import { eventsText, jsonLine, safeLine, type WireEvent } from "./format.ts";
import { type Args, type Cli, EXIT, usageError } from "./verb.ts";

const NARROWING = ["channel", "include", "min-level", "since", "limit"];
const TAKES: Readonly<Record<"search" | "archive", readonly string[]>> = {
  search: [...NARROWING, "sender"],
  archive: [...NARROWING, "exclude", "correlation-id", "until", "cursor"],
};

/** Prints the events that have the words, the best first. */
export async function searchEvents(args: Args, cli: Cli, options: readonly string[]) {
  refuseOthers(args, "search", options);
  const found = await cli.client.call<
    { events: WireEvent[]; has_more: boolean; not_searched?: number }
  >("search_events", {
    query: args.need("search"),
    sender: args.text("sender"),
    limit: args.text("limit"),
    ...narrowingOf(args),
  });
  cli.out(cli.json ? jsonLine(found) : eventsText(found.events));
  if (found.not_searched !== undefined) {
    cli.err(
      `The newest ${found.not_searched} events were not searched: their words are not known yet`,
    );
  }
  if (found.has_more && !cli.json) {
    cli.err("There may be more: use more words, narrow the search, or raise --limit");
  }
  return EXIT.done;
}

interface Page {
  events: WireEvent[];
  next_cursor: string | null;
  damaged: { file: string; at: number }[];
}

const DEFAULT_LIMIT = 50;
const MAX_PAGE = 1000;

/** Prints archived events, oldest first, page by page. */
export async function archivedEvents(args: Args, cli: Cli, options: readonly string[]) {
  refuseOthers(args, "archive", options);
  const { json, client, out, err } = cli;
  const wanted = {
    ...narrowingOf(args),
    exclude_types: args.list("exclude"),
    correlation_id: args.text("correlation-id"),
    until: timeOf(args, "until"),
  };
  const all: Page = { events: [], next_cursor: null, damaged: [] };
  let left = limitOf(args.text("limit"));
  let shown = 0;
  let cursor = args.text("cursor");
  do {
    const limit = Math.min(left, MAX_PAGE);
    const page = await client.call<Page>("get_archived_events", { ...wanted, cursor, limit });
    for (const { file, at } of page.damaged) {
      err(`Skipped a damaged part of the archive: ${safeLine(file)} from byte ${at}`);
    }
    if (json) {
      all.events.push(...page.events);
      all.damaged.push(...page.damaged);
    } else if (page.events.length > 0) out(eventsText(page.events));
    shown += page.events.length;
    left -= page.events.length;
    cursor = page.next_cursor ?? undefined;
  } while (left > 0 && cursor !== undefined);
  if (json) out(jsonLine({ ...all, next_cursor: cursor ?? null }));
  else if (shown === 0) out(eventsText([]));
  if (cursor !== undefined && !json) err(`More may follow: continue with --cursor ${cursor}`);
  return EXIT.done;
}

function narrowingOf(args: Args) {
  return {
    channel: args.text("channel"),
    event_types: args.list("include"),
    min_level: args.text("min-level"),
    since: timeOf(args, "since"),
  };
}

function timeOf(args: Args, option: string): string | undefined {
  const text = args.text(option);
  return text === undefined ? undefined : sinceOf(option, text, Date.now());
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw usageError(
    `Cannot use --limit ${JSON.stringify(text)} with --archive: expected is 1 or more`,
  );
}

/** An option that would mean nothing is a mistake: somebody expects something of it. */
function refuseOthers(args: Args, mode: keyof typeof TAKES, options: readonly string[]): void {
  const other = options.find((name) =>
    name !== mode && !TAKES[mode].includes(name) &&
    (args.flag(name) || args.text(name) !== undefined)
  );
  if (other !== undefined) throw usageError(`--${mode} does not take --${other}`);
}
