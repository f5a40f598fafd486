import { openSpool } from "../src/spool.ts";
import { pretty, safeLine } from "./format.ts";
import { deliverSpool } from "./spooling.ts";
import { CliError, EXIT, type Verb } from "./verb.ts";

interface Answer {
  warning?: string;
  session_deleted?: boolean;
}

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
  --spool                   when the bus cannot be reached, keep it and exit 0: the next publish that
                            reaches the bus, or the server's next start, delivers it, once

Without --spool a bus that is away is exit 3, and nothing is kept.

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
    spool: { type: "boolean" },
  },
  async run(args, cli) {
    const { config, client, out, err, stdin } = cli;
    const event_type = args.need("type");
    const payload = args.need("payload");
    const publication = {
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
    };
    const spool = openSpool(config.dataDir);
    // An answer that got lost must not make two of it: it says from the first attempt on who it is.
    const known = args.flag("spool")
      ? {
        ...publication,
        dedupe_key: publication.dedupe_key ?? crypto.randomUUID(),
        sent_at: new Date().toISOString(),
      }
      : null;
    let published: Answer;
    try {
      await deliverSpool(spool, cli);
      published = await client.call<Answer>("publish_event", known ?? publication);
    } catch (failure) {
      if (known === null || !isAway(failure)) throw failure;
      spool.add({ url: client.base, args: known });
      err(`${safeLine(failure.message)}; the event waits in ${spool.folder}`);
      out(pretty({ spooled: true, dedupe_key: known.dedupe_key, sent_at: known.sent_at }));
      return EXIT.done;
    }
    out(pretty(published));
    if (published.warning !== undefined) err(`Warning: ${safeLine(published.warning)}`);
    if (published.session_deleted === true) {
      err("Warning: the sending session has ended; register again to continue as it");
    }
    return EXIT.done;
  },
};

/** Whether the bus could not be reached; a refusal is an answer. */
function isAway(failure: unknown): failure is CliError {
  return failure instanceof CliError && failure.exit === EXIT.unreachable;
}
