import { basename } from "node:path";
import { pretty } from "./format.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Register a session; prints it as JSON, its session_id and display_id among the rest.

Usage: event-bus register [--name NAME] [--client-id ID] [--json]

  --name NAME       what others see; the folder's name by default
  --client-id ID    your own id; registering again with it resumes the same session

Examples:
  SESSION_ID=$(event-bus register --name "my-feature" --client-id "$$" --json | jq -r .session_id)
  event-bus register --client-id "$CLAUDE_CODE_SESSION_ID"
`,
  options: { name: { type: "string" }, "client-id": { type: "string" } },
  async run(args, { config, client, out, err }) {
    const { cwd } = config.env;
    const session = await client.call<{ session_id: string; display_id: string }>(
      "register_session",
      {
        name: args.text("name") ?? (basename(cwd) || "session"),
        machine: config.machine,
        cwd,
        client_id: args.text("client-id"),
      },
    );
    out(pretty(session));
    err("");
    err(`Registered as: ${session.display_id}`);
    if (session.session_id !== session.display_id) err(`Session ID: ${session.session_id}`);
    return 0;
  },
};
