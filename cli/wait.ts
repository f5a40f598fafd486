import { durationOf } from "./duration.ts";
import { follow } from "./follow.ts";
import { eventsText, jsonLine } from "./format.ts";
import { markRead, mayMark } from "./marker.ts";
import { CliError, EXIT, type Verb } from "./verb.ts";

const DEFAULT_TIMEOUT = "10m";

export const verb: Verb = {
  help: `Wait until an event is there, and print it. A restart of the bus in between misses nothing.

Usage: event-bus wait [--type A,B] [--channel CHANNEL] [--timeout 10m] [options]

  --type A,B            one of these event types
  --channel CHANNEL     only on this channel
  --correlation-id ID   only in this thread
  --exclude A,B         not these event types
  --min-level LEVEL     lifecycle, info or actionable, and above
  --timeout TIME        how long: 30s, 10m (default), 1h; a plain number is seconds
  --cursor ID           also what came after this event; else only what comes from now on
  --session-id ID       what this session has not read yet, without its own events
  --consumer NAME       go on where the last wait of this name ended
  --include-own         also the session's own events
  --json                the event as one line of JSON

Exits 0 when the event came, 4 when it never did, 3 when the bus could not be reached.

Examples:
  event-bus wait --type ci_completed --channel repo:my-project --timeout 10m
  event-bus wait --channel "session:$SESSION_ID" --timeout 1h --json | jq -r .payload
`,
  options: {
    type: { type: "string" },
    channel: { type: "string" },
    "correlation-id": { type: "string" },
    exclude: { type: "string" },
    "min-level": { type: "string" },
    timeout: { type: "string" },
    cursor: { type: "string" },
    "session-id": { type: "string" },
    consumer: { type: "string" },
    "include-own": { type: "boolean" },
  },
  async run(args, { json, config, client, out, err }) {
    const consumer = args.text("consumer");
    // Whose session this shell belongs to is no wish for what it has not read.
    const session_id = args.text("session-id") ||
      (consumer === undefined ? undefined : config.env.sessionId);
    const narrowing = {
      event_types: args.list("type"),
      channel: args.text("channel"),
      correlation_id: args.text("correlation-id"),
    };
    const marks = consumer !== undefined && mayMark(consumer, narrowing);
    const time = args.text("timeout") ?? DEFAULT_TIMEOUT;
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), durationOf("timeout", time));
    // Until the bus has said something, nobody knows whether the event is there.
    let lost: Error | null = new CliError("it did not answer", EXIT.unreachable);
    const steps = follow(client, {
      ...narrowing,
      exclude_types: args.list("exclude"),
      min_level: args.text("min-level"),
      cursor: args.text("cursor"),
      session_id,
      consumer,
      include_own: args.flag("include-own") || undefined,
    }, {
      signal: over.signal,
      away(failure) {
        lost = failure;
        err("The bus is away; waiting for it");
      },
    });
    try {
      for await (const { id, event } of steps) {
        lost = null;
        if (event === null) continue;
        out(json ? jsonLine(event) : eventsText([event]));
        if (marks) await markRead(client, { session_id, consumer }, id, "wait");
        return EXIT.done;
      }
    } finally {
      clearTimeout(timer);
    }
    if (lost !== null) throw unreachable(lost);
    throw new CliError(
      `Waited in vain: no such event came within ${/^\d+$/.test(time) ? `${time}s` : time}`,
      EXIT.waited,
    );
  },
};

/** Nobody knows whether the event came meanwhile. */
function unreachable({ message }: Error): CliError {
  return new CliError(`Cannot tell whether the event came: ${message}`, EXIT.unreachable);
}
