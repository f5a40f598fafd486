import { pretty } from "./format.ts";
import { usageError, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Mark everything up to a cursor as read by a session.

Usage: event-bus ack --cursor ID [--session-id ID] [--allow-rewind] [--json]

  --cursor ID         the last event that was dealt with
  --session-id ID     who read it; else EVENT_BUS_SESSION_ID or CLAUDE_CODE_SESSION_ID
  --allow-rewind      let the position move back, to read again

Example:
  event-bus ack --session-id "$SESSION_ID" --cursor 42
`,
  options: {
    cursor: { type: "string" },
    "session-id": { type: "string" },
    "allow-rewind": { type: "boolean" },
  },
  async run(args, { json, config, client, out }) {
    const cursor = args.need("cursor");
    const session_id = args.text("session-id") || config.env.sessionId;
    if (!session_id) throw usageError("ack requires --session-id");
    const acked = await client.call<{ cursor: string; previous_cursor: string | null }>(
      "ack_events",
      { session_id, cursor, allow_rewind: args.flag("allow-rewind") },
    );
    const moved = `Cursor acked: ${acked.previous_cursor ?? "start"} → ${acked.cursor}\n`;
    out(json ? pretty(acked) : moved);
    return 0;
  },
};
