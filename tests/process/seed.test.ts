import assert from "node:assert/strict";
import { tempHome } from "../helpers/home.ts";
import { installAs, isInstalled, runOther, serve, SUBJECT } from "../helpers/process.ts";

/** The shell session of the original's README, word for word, with its checks in between. */
const SESSION = (cli: string) => `
set -eu -o pipefail

# Register (returns session_id)
SESSION_ID=$(${cli} register --name "my-feature" --client-id "$$" --json | jq -r .session_id)
test "$SESSION_ID" = "$$"

# Publish and notify
${cli} publish --type "done" --payload "Finished" --channel "repo:my-project"
${cli} notify --title "Build" --message "Complete" --sound || test $? -eq 1

# Poll for events (incremental)
${cli} events --session-id "$SESSION_ID" --resume --order asc
echo ---
${cli} events --session-id "$SESSION_ID" --resume --order asc

# Cleanup
${cli} unregister --session-id "$SESSION_ID"
`;

const missing = ["bash", "jq"].filter((program) => !isInstalled(program));
const unless = missing.length === 0 ? "" : ` (skipped: ${missing.join(" and ")} not installed)`;

for (const name of ["event-bus", "event-bus-cli"]) {
  Deno.test({
    name: `${SUBJECT}: the original's shell session runs verbatim as ${name}${unless}`,
    ignore: missing.length > 0,
    async fn() {
      using home = tempHome();
      await using server = await serve({ home });
      const folder = installAs(home, name);
      const { code, stdout, stderr } = await runOther("bash", ["-c", SESSION(name)], {
        home,
        env: { EVENT_BUS_URL: `${server.url}/mcp`, PATH: `${folder}:${Deno.env.get("PATH")}` },
      });
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /"event_type": "done"/);
      const [first = "", second = ""] = stdout.split("---\n");
      assert.match(first, /\[2\] done \(repo:my-project\) \[info\]\n {4}Finished\n {4}from: anon/);
      assert.match(second, /^No events\n\{\n {2}"success": true/);
      assert.match(stderr, /Registered as: [a-z]+-[a-z]+\n/);
      assert.deepEqual(await server.call("list_sessions"), []);
    },
  });
}
