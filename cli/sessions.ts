import { diagnosisOf } from "./diagnosis.ts";
import { pretty, sessionsText, type WireSession } from "./format.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  help: `List the active sessions, most recently active first.

Usage: event-bus sessions [--json]

Who is here, what each does, how many messages its next prompts will show it, how a message would
reach it this minute, and by which paths it was reached before and when. With --json, unread is what
its next events --resume would return, with comings and goings and messages between others.

Examples:
  event-bus sessions
  event-bus sessions --json | jq -r '.[].display_id'
`,
  options: {},
  async run(_args, { json, client, out }) {
    const sessions = await client.call<WireSession[]>("list_sessions", {});
    if (json) out(pretty(sessions));
    else out(sessionsText(sessions, sessions.length === 0 ? undefined : await diagnosisOf(client)));
    return 0;
  },
};
