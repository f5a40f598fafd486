import { type Client, Refusal } from "./client.ts";
import { eventsText, jsonLine, type WireEvent } from "./format.ts";
import { usageError, type Verb } from "./verb.ts";

interface Page {
  events: WireEvent[];
  next_cursor: string | null;
  has_more: boolean;
  unread: number;
}

export const verb: Verb = {
  help: `Read events.

Usage: event-bus events [--resume] [options]

  --session-id ID        who reads; else EVENT_BUS_SESSION_ID or CLAUDE_CODE_SESSION_ID
  --resume               what this session has not read yet; marked as read once it is printed
  --peek                 with --resume: leave it unread
  --cursor ID            what came after this event
  --order asc|desc       oldest or newest first (default desc)
  --limit N              at most N events, 0 to 1000 (default 50)
  --channel CHANNEL      only this channel
  --include A,B          only these event types
  --exclude A,B          not these event types
  --correlation-id ID    only this thread
  --min-level LEVEL      lifecycle, info or actionable, and above
  --timeout MS           how long to wait for an answer (default 10000)
  --json                 one line: {"events": [...], "next_cursor": ..., "has_more": ..., "unread": ...}

A resumed read that is narrowed (--channel, --include, --correlation-id) marks nothing as read.

Examples:
  event-bus events --session-id "$SESSION_ID" --resume --order asc
  event-bus events --channel repo:my-project --limit 5
  event-bus events --resume --exclude session_registered,session_unregistered --json
`,
  options: {
    "session-id": { type: "string" },
    resume: { type: "boolean" },
    peek: { type: "boolean" },
    cursor: { type: "string" },
    order: { type: "string" },
    limit: { type: "string" },
    channel: { type: "string" },
    include: { type: "string" },
    exclude: { type: "string" },
    "correlation-id": { type: "string" },
    "min-level": { type: "string" },
  },
  async run(args, { json, config, client, out, err }) {
    const session_id = args.text("session-id") || config.env.sessionId;
    const resume = args.flag("resume");
    if (resume && !session_id) throw usageError("--resume requires --session-id");
    const narrowing = {
      channel: args.text("channel"),
      event_types: args.list("include"),
      correlation_id: args.text("correlation-id"),
    };
    const hiding = { exclude_types: args.list("exclude"), min_level: args.text("min-level") };
    const cursor = args.text("cursor");
    const page = await client.call<Page>("get_events", {
      session_id,
      cursor,
      order: args.text("order"),
      limit: args.text("limit"),
      resume,
      // Marked as read only below, after the output was written.
      peek: true,
      ...narrowing,
      ...hiding,
    });
    out(json ? jsonLine(page) : eventsText(page.events));
    if (page.has_more && !json) err(moreHint(resume, args.text("order")));

    const moves = resume && !cursor && !args.flag("peek") && !isGiven(narrowing);
    // A page that shows and hides nothing leaves nothing to mark.
    const passed = page.events.length > 0 || page.has_more || isGiven(hiding);
    if (moves && session_id && page.next_cursor !== null && passed) {
      await markRead(client, session_id, page.next_cursor);
    }
    return 0;
  },
};

async function markRead(client: Client, session_id: string, cursor: string): Promise<void> {
  try {
    await client.call("ack_events", { session_id, cursor });
  } catch (refusal) {
    // Somebody else has read further meanwhile: then this is read, too.
    if (!(refusal instanceof Refusal && refusal.body.code === "conflict")) throw refusal;
  }
}

const isGiven = (filters: Record<string, unknown>): boolean =>
  Object.values(filters).some((value) => value !== undefined);

function moreHint(resume: boolean, order: string | undefined): string {
  if (resume) return "More events are unread: run the same command again";
  return order === "asc"
    ? "More events follow: continue with --cursor and the last id"
    : "Older events are not shown: raise --limit, or read with --order asc";
}
