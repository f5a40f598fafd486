import { pretty } from "./format.ts";
import { usageError, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `End a session.

Usage: event-bus unregister (--session-id ID | --client-id ID) [--json]

  --session-id ID   the session to end
  --client-id ID    the session that registered on this machine with this client id

Examples:
  event-bus unregister --session-id "$SESSION_ID"
  event-bus unregister --client-id "$$"
`,
  options: { "session-id": { type: "string" }, "client-id": { type: "string" } },
  async run(args, { config, client, out }) {
    const session_id = args.text("session-id");
    const client_id = args.text("client-id");
    if (!session_id && !client_id) throw usageError("Must provide --session-id or --client-id");
    const who = session_id ? { session_id } : { client_id, machine: config.machine };
    out(pretty(await client.call("unregister_session", who)));
    return 0;
  },
};
