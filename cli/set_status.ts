import { pretty, safeLine } from "./format.ts";
import { usageError, type Verb } from "./verb.ts";

interface Said {
  status: string | null;
  state: string | null;
  wake_on: string[];
}

export const verb: Verb = {
  help: `Say in one line what a session is doing; event-bus sessions shows it to the others.

Usage: event-bus set-status [TEXT] [--state STATE] [--wake-on A,B] [--session-id ID] [--json]

  TEXT               what it is doing; "" takes it back
  --state STATE      working, waiting (for its human) or idle
  --wake-on A,B      channels that wake it when it is idle, as direct messages do; "" for none
  --session-id ID    whose status; else EVENT_BUS_SESSION_ID or CLAUDE_CODE_SESSION_ID

Examples:
  event-bus set-status "waiting for CI of #42" --state idle
  event-bus set-status ""
  event-bus set-status --wake-on repo:my-project
`,
  options: {
    state: { type: "string" },
    "wake-on": { type: "string" },
    "session-id": { type: "string" },
  },
  positionals: ["text"],
  async run(args, { json, config, client, out }) {
    const session_id = args.text("session-id") || config.env.sessionId;
    if (!session_id) throw usageError("set-status requires --session-id");
    const [status] = args.positionals;
    const state = args.text("state");
    const wake_on = args.text("wake-on") === undefined ? undefined : args.list("wake-on") ?? [];
    if (status === undefined && state === undefined && wake_on === undefined) {
      throw usageError(
        "set-status requires a text, --state or --wake-on; see event-bus help set-status",
      );
    }
    const said = await client.call<Said>("set_status", { session_id, status, state, wake_on });
    if (json) out(pretty(said));
    else {
      if (status !== undefined) out(`Status: ${safeLine(said.status ?? "none")}\n`);
      if (state !== undefined) out(`State: ${said.state}\n`);
      if (wake_on !== undefined) out(`Woken by: ${safeLine(said.wake_on.join(", ") || "none")}\n`);
    }
    return 0;
  },
};
