import { pretty, safeLine } from "./format.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Publish an event; prints it as JSON, its event_id among the rest.

Usage: event-bus publish --type TYPE --payload TEXT [--channel CHANNEL] [options]

  --type TYPE               what happened, such as task_completed
  --payload TEXT            the message; - reads it from standard input
  --channel CHANNEL         all (default), session:ID (direct message), repo:NAME, machine:NAME, any
  --session-id ID           the sender; else EVENT_BUS_SESSION_ID or CLAUDE_CODE_SESSION_ID
  --title TEXT              a headline
  --tags A,B                labels
  --correlation-id ID       the thread it belongs to
  --signal-level LEVEL      lifecycle, info or actionable; derived from type and channel by default
  --reply-to EVENT_ID       answers that event: goes to its sender, in its thread
  --dedupe-key KEY          publishing again with it within a day changes nothing

Examples:
  event-bus publish --type done --payload "Finished" --channel "repo:my-project"
  git diff --stat | event-bus publish --type wip --payload - --channel session:brave-otter
`,
  options: {
    type: { type: "string" },
    payload: { type: "string" },
    channel: { type: "string" },
    "session-id": { type: "string" },
    title: { type: "string" },
    tags: { type: "string" },
    "correlation-id": { type: "string" },
    "signal-level": { type: "string" },
    "reply-to": { type: "string" },
    "dedupe-key": { type: "string" },
  },
  async run(args, { config, client, out, err, stdin }) {
    const event_type = args.need("type");
    const payload = args.need("payload");
    const published = await client.call<{ warning?: string; session_deleted?: boolean }>(
      "publish_event",
      {
        event_type,
        payload: payload === "-" ? await stdin() : payload,
        channel: args.text("channel"),
        session_id: args.text("session-id") || config.env.sessionId,
        title: args.text("title"),
        tags: args.list("tags"),
        correlation_id: args.text("correlation-id"),
        signal_level: args.text("signal-level"),
        reply_to: args.text("reply-to"),
        dedupe_key: args.text("dedupe-key"),
      },
    );
    out(pretty(published));
    if (published.warning !== undefined) err(`Warning: ${safeLine(published.warning)}`);
    if (published.session_deleted === true) {
      err("Warning: the sending session has ended; register again to continue as it");
    }
    return 0;
  },
};
