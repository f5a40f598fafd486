import { durationOf } from "./duration.ts";
import { eventsText, jsonLine, safeLine, type WireEvent } from "./format.ts";
import { markRead, mayMark, type Narrowing, type Who } from "./marker.ts";
import { type Args, type Cli, EXIT, usageError, type Verb } from "./verb.ts";

interface Page {
  events: WireEvent[];
  next_cursor: string | null;
  has_more: boolean;
  unread: number;
  archived_through?: string;
}

/** What a command line asks to see, and as whom. */
export interface Reading {
  readonly who: Who;
  readonly resume: boolean;
  readonly narrowing: Narrowing;
  readonly hiding: { exclude_types: readonly string[] | undefined; min_level: string | undefined };
  readonly include_own: true | undefined;
  readonly cursor: string | undefined;
  readonly limit: string | undefined;
  /** Whether what was printed may be marked as read. */
  readonly marks: boolean;
}

export const verb: Verb = {
  help: `Read events.

Usage: event-bus events [--resume] [--follow | --wait TIME] [options]
       event-bus events --search WORDS | --archive [options]

  --session-id ID        who reads; else EVENT_BUS_SESSION_ID or CLAUDE_CODE_SESSION_ID
  --resume               what this reader has not read yet; marked as read once it is printed
  --peek                 with --resume: leave it unread
  --follow               print events as they come, until interrupted; reconnects by itself
  --wait TIME            when there is nothing, wait for it: 30s, 5m, at most 300s; exit 4 in vain
  --consumer NAME        a position of its own, beside the session's; needs no session
  --cursor ID            what came after this event
  --order asc|desc       oldest or newest first (default desc)
  --limit N              at most N events, 0 to 1000 (default 50; no limit with --follow)
  --channel CHANNEL      only this channel
  --include A,B          only these event types
  --exclude A,B          not these event types
  --correlation-id ID    only this thread
  --min-level LEVEL      lifecycle, info or actionable, and above
  --include-own          with --resume: also the session's own events
  --timeout MS           how long to wait for an answer (default 10000)
  --json                 one line: {"events": [...], "next_cursor": ..., "has_more": ..., "unread": ...};
                         with --follow one line for each event

  --search WORDS         the events that have all these words, the best first: "exact phrase", begin*
  --archive              events that were pruned, oldest first
  --sender ID            with --search: only this session's
  --since TIME           with --search or --archive: of that time or later: 7d, 2026-01-31
  --until TIME           with --archive: before that time

A resumed read that is narrowed (--channel, --include, --correlation-id) marks nothing as read,
except on a consumer of its own: there it is a subscription. Without --resume, --follow shows what
comes from now on, or after --cursor, and marks nothing.

Examples:
  event-bus events --session-id "$SESSION_ID" --resume --order asc
  event-bus events --channel repo:my-project --limit 5
  event-bus events --resume --exclude session_registered,session_unregistered --json
  event-bus events --include ci_failed --resume --consumer ci --follow
  event-bus events --search 'parser "timed out"' --since 7d
  event-bus events --archive --since 2026-01-01 --until 2026-02-01
`,
  options: {
    "session-id": { type: "string" },
    resume: { type: "boolean" },
    peek: { type: "boolean" },
    follow: { type: "boolean" },
    wait: { type: "string" },
    consumer: { type: "string" },
    cursor: { type: "string" },
    order: { type: "string" },
    limit: { type: "string" },
    channel: { type: "string" },
    include: { type: "string" },
    exclude: { type: "string" },
    "correlation-id": { type: "string" },
    "min-level": { type: "string" },
    "include-own": { type: "boolean" },
    search: { type: "string" },
    archive: { type: "boolean" },
    sender: { type: "string" },
    since: { type: "string" },
    until: { type: "string" },
  },
  async run(args, cli) {
    const isSearch = args.text("search") !== undefined;
    if (isSearch || args.flag("archive")) {
      const { archivedEvents, searchEvents } = await import("./look_up.ts");
      const options = Object.keys(verb.options);
      return await (isSearch ? searchEvents : archivedEvents)(args, cli, options);
    }
    const useless = ["sender", "since", "until"].find((name) => args.text(name) !== undefined);
    if (useless !== undefined) {
      throw usageError(`--${useless} is for --search and --archive; see event-bus help events`);
    }
    const reading = readingOf(args, cli);
    if (!args.flag("follow")) return await onePage(args, cli, reading);
    if (args.text("wait") !== undefined || args.text("order") === "desc") {
      throw usageError(
        "--follow takes neither --wait nor --order desc: events come as they happen",
      );
    }
    const { followEvents } = await import("./follow_events.ts");
    return await followEvents(cli, reading);
  },
};

function readingOf(args: Args, { config }: Cli): Reading {
  const who = {
    session_id: args.text("session-id") || config.env.sessionId,
    consumer: args.text("consumer"),
  };
  const resume = args.flag("resume");
  if (resume && !who.session_id && who.consumer === undefined) {
    throw usageError("--resume requires --session-id, or a --consumer of your own");
  }
  const narrowing = {
    channel: args.text("channel"),
    event_types: args.list("include"),
    correlation_id: args.text("correlation-id"),
  };
  return {
    who,
    resume,
    narrowing,
    hiding: { exclude_types: args.list("exclude"), min_level: args.text("min-level") },
    include_own: args.flag("include-own") || undefined,
    cursor: args.text("cursor"),
    limit: args.text("limit"),
    marks: resume && !args.flag("peek") && mayMark(who.consumer, narrowing),
  };
}

async function onePage(args: Args, { json, client, out, err }: Cli, reading: Reading) {
  const { who, resume, narrowing, hiding, include_own, cursor, limit, marks } = reading;
  const waitMs = args.text("wait") === undefined ? 0 : durationOf("wait", args.need("wait"));
  const page = await client.call<Page>("get_events", {
    ...who,
    cursor,
    order: args.text("order"),
    limit,
    resume,
    // Marked as read only below, after the output was written.
    peek: true,
    ...narrowing,
    ...hiding,
    include_own,
    wait_seconds: waitMs === 0 ? undefined : Math.ceil(waitMs / 1000),
  }, { waitMs });
  out(json ? jsonLine(page) : eventsText(page.events));
  if (page.archived_through !== undefined && !json) err(archivedHint(page.archived_through));
  if (page.has_more && !json) err(moreHint(page, reading, args.text("order")));

  // A page that shows nothing and passed nothing leaves nothing to mark.
  const passed = page.events.length > 0 || page.has_more ||
    isGiven({ ...hiding, ...narrowing, archived: page.archived_through });
  if (marks && !cursor && page.next_cursor !== null && passed) {
    await markRead(client, who, page.next_cursor);
  }
  return waitMs > 0 && page.events.length === 0 && !page.has_more ? EXIT.waited : EXIT.done;
}

const isGiven = (filters: Record<string, unknown>): boolean =>
  Object.values(filters).some((value) => value !== undefined);

/** What a reader is told that comes after what it asked for was pruned. */
export const archivedHint = (through: string): string =>
  `Events through ${
    safeLine(through)
  } have left the log: read them with event-bus events --archive`;

/** One look goes through a bounded part of the log, so a page may be empty and not the last. */
function moreHint(page: Page, { resume, marks }: Reading, order: string | undefined): string {
  if (resume && marks) return "More events are unread: run the same command again";
  if (resume) return "More events are unread, and none were marked as read: raise --limit";
  if (order === "asc") return `More events follow: continue with --cursor ${page.next_cursor}`;
  return page.events.length === 0
    ? "None in the newest part of the log: look through all of it with --order asc --cursor 0"
    : "Older events are not shown: raise --limit, or read with --order asc";
}
