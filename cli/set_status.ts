import { pretty, safeLine } from "./format.ts";
import { usageError, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Say in one line what a session is doing; event-bus sessions shows it to the others.

Usage: event-bus set-status [TEXT] [--state STATE] [--session-id ID] [--json]

  TEXT               what it is doing; "" takes it back
  --state STATE      working, waiting (for its human) or idle
  --session-id ID    whose status; else EVENT_BUS_SESSION_ID or CLAUDE_CODE_SESSION_ID

Examples:
  event-bus set-status "waiting for CI of #42" --state idle
  event-bus set-status ""
`,
  options: { state: { type: "string" }, "session-id": { type: "string" } },
  positionals: ["text"],
  async run(args, { json, config, client, out }) {
    const session_id = args.text("session-id") || config.env.sessionId;
    if (!session_id) throw usageError("set-status requires --session-id");
    const [status] = args.positionals;
    const state = args.text("state");
    if (status === undefined && state === undefined) {
      throw usageError("set-status requires a text or --state; see event-bus help set-status");
    }
    const said = await client.call<{ status: string | null; state: string | null }>("set_status", {
      session_id,
      status,
      state,
    });
    if (json) out(pretty(said));
    else if (status === undefined) out(`State: ${said.state}\n`);
    else out(`Status: ${safeLine(said.status ?? "none")}\n`);
    return 0;
  },
};
