import assert from "node:assert/strict";
import { join } from "node:path";
import { tempHome } from "../helpers/home.ts";
import { installAs, isInstalled, runOther, serve, SUBJECT } from "../helpers/process.ts";

/** The shell session of the original's README, word for word. */
const SESSION = `
# Register (returns session_id)
SESSION_ID=$(event-bus-cli register --name "my-feature" --client-id "$$" --json | jq -r .session_id)

# Publish and notify
event-bus-cli publish --type "done" --payload "Finished" --channel "repo:my-project"
event-bus-cli notify --title "Build" --message "Complete" --sound

# Poll for events (incremental)
event-bus-cli events --session-id "$SESSION_ID" --resume --order asc

# Cleanup
event-bus-cli unregister --session-id "$SESSION_ID"
`;

const missing = ["bash", "jq"].filter((program) => !isInstalled(program));
const unless = missing.length === 0 ? "" : ` (skipped: ${missing.join(" and ")} not installed)`;

for (const name of ["event-bus", "event-bus-cli"]) {
  Deno.test({
    name: `${SUBJECT}: the original's shell session runs verbatim as ${name}${unless}`,
    ignore: missing.length > 0,
    async fn() {
      using home = tempHome();
      const PATH = Deno.env.get("PATH") ?? "";
      // Stand-ins for a desktop, which notes what it is to show.
      for (const notifier of ["notify-send", "terminal-notifier"]) {
        home.write(`desktop/${notifier}`, `#!/bin/sh\necho "$@" > '${home.path}/shown'\n`, 0o755);
      }
      const desktop = { PATH: `${join(home.path, "desktop")}:${PATH}`, DISPLAY: ":0" };
      await using server = await serve({ home, env: desktop });
      const session = `set -eu -o pipefail\n${SESSION.replaceAll("event-bus-cli", name)}`;
      const { code, stdout, stderr } = await runOther("bash", ["-c", session], {
        home,
        env: {
          EVENT_BUS_URL: `${server.url}/mcp`,
          PATH: `${installAs(home, name)}:${PATH}`,
        },
      });
      assert.equal(code, 0, stdout + stderr);
      assert.match(stderr, /^\nRegistered as: [a-z]+-[a-z]+\nSession ID: [0-9]+\n$/);
      assert.match(
        stdout,
        new RegExp(
          /^\{\n {2}"event_id": 2,\n {2}"event_type": "done",\n(.*\n)*\}\n/.source +
            /Notification sent\n/.source +
            /\[2\] done \(repo:my-project\) \[info\]\n {4}Finished\n {4}from: anonymous at .*\n\n/
              .source +
            /\{\n {2}"success": true,\n(.*\n)*\}\n$/.source,
        ),
      );
      assert.match(Deno.readTextFileSync(join(home.path, "shown")), /Build.*Complete/);
      assert.deepEqual(await server.call("list_sessions"), []);
    },
  });
}
