import { pretty } from "./format.ts";
import { usageError, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Mark everything up to a cursor as read by a session, or by a consumer of another name.

Usage: event-bus ack --cursor ID [--session-id ID] [--consumer NAME] [--allow-rewind] [--json]

  --cursor ID         the last event that was dealt with
  --session-id ID     who read it; else EVENT_BUS_SESSION_ID or CLAUDE_CODE_SESSION_ID
  --consumer NAME     which of its consumers (default main); without a session, your own of this name
  --allow-rewind      let the position move back, to read again

Example:
  event-bus ack --session-id "$SESSION_ID" --cursor 42
`,
  options: {
    cursor: { type: "string" },
    "session-id": { type: "string" },
    consumer: { type: "string" },
    "allow-rewind": { type: "boolean" },
  },
  async run(args, { json, config, client, out }) {
    const cursor = args.need("cursor");
    const session_id = args.text("session-id") || config.env.sessionId;
    const consumer = args.text("consumer");
    if (!session_id && !consumer) throw usageError("ack requires --session-id or --consumer");
    const acked = await client.call<{ cursor: string; previous_cursor: string | null }>(
      "ack_events",
      { session_id, consumer, cursor, allow_rewind: args.flag("allow-rewind") },
    );
    const moved = `Cursor acked: ${acked.previous_cursor ?? "start"} → ${acked.cursor}\n`;
    out(json ? pretty(acked) : moved);
    return 0;
  },
};
