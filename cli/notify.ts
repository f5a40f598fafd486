import { pretty, safeLine } from "./format.ts";
import { EXIT, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Show the human a notification on the desktop of the bus's machine.

Usage: event-bus notify --title TITLE --message TEXT [--sound] [--json]

Example:
  event-bus notify --title "Build" --message "Complete" --sound
`,
  options: {
    title: { type: "string" },
    message: { type: "string" },
    sound: { type: "boolean" },
  },
  async run(args, { json, client, out, err }) {
    const shown = await client.call<{ success: boolean; reason?: string }>("notify", {
      title: args.need("title"),
      message: args.need("message"),
      sound: args.flag("sound"),
    });
    if (json) out(pretty(shown));
    else if (shown.success) out("Notification sent\n");
    if (shown.success) return EXIT.done;
    err(`Notification failed: ${safeLine(shown.reason ?? "unknown reason")}`);
    return EXIT.refused;
  },
};
