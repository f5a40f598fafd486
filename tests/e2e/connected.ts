/** The client takes the plugin and the MCP server for what they should be. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { report } from "./report.ts";
import { WAYS } from "./install.ts";
import { startWorld } from "./world.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

Deno.test("connected: claude takes the plugin, its marketplace and the MCP server", async () => {
  await using world = await startWorld(WAYS.plugin);
  const installed = `${world.home.path}/.claude/skills/event-bus`;
  const places = {
    "plugin/": `${ROOT}plugin`,
    "the repository": ROOT,
    "what is installed": installed,
  };
  for (const [name, place] of Object.entries(places)) {
    const { code, stdout, stderr } = await world.claude("plugin", "validate", "--strict", place);
    assert.equal(code, 0, `${name}: ${stdout}${stderr}`);
    report(`claude plugin validate --strict, ${name}`, "passes");
  }
  const { stdout } = await world.claude("mcp", "list");
  assert.match(stdout, /^event-bus: .*\/mcp .*Connected/m);
  report("claude mcp list", "connected");
  const { stdout: plugins } = await world.claude("plugin", "list");
  assert.match(plugins, /event-bus@skills-dir[\s\S]*?loaded/);
});
