import { pretty, sessionsText, type WireSession } from "./format.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  help: `List the active sessions, most recently active first.

Usage: event-bus sessions [--json]

Examples:
  event-bus sessions
  event-bus sessions --json | jq -r '.[].display_id'
`,
  options: {},
  async run(_args, { json, client, out }) {
    const sessions = await client.call<WireSession[]>("list_sessions", {});
    out(json ? pretty(sessions) : sessionsText(sessions));
    return 0;
  },
};
