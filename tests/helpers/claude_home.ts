/** A home folder in which Claude Code is used already, with other people's things in it. */
import type { Home } from "./home.ts";

/** As somebody's editor left it: tabs, short lists on one line, no newline at its end. */
export const SETTINGS = `{
\t"$schema": "https://json.schemastore.org/claude-code-settings.json",
\t"permissions": { "allow": ["Bash(git status)", "mcp__other__*"], "deny": [] },
\t"hooks": {
\t\t"Stop": [{ "hooks": [{ "type": "command", "command": "say done" }] }],
\t\t"PreToolUse": [
\t\t\t{ "matcher": "Bash", "hooks": [{ "type": "command", "command": "~/guard.sh", "timeout": 5 }] }
\t\t],
\t\t"Notification": []
\t},
\t"enabledPlugins": { "formatter@team": true, "event-bus@old": false },
\t"env": { "1": "one", "MAX": "12345678901234567890" },
\t"statusLine": { "type": "command", "command": "~/.claude/line.sh" },
\t"cleanupPeriodDays": 1e2
}`;

/** Puts settings, hooks, MCP servers, skills and plugins of others into a home. */
export function furnish(home: Home, settings = SETTINGS): void {
  home.write(".claude/settings.json", settings, 0o644);
  home.write(".claude/settings.local.json", '{"hooks":{"Stop":[]}}', 0o600);
  home.write(".claude/CLAUDE.md", "Be brief.\n", 0o644);
  home.write(".claude/line.sh", "#!/bin/sh\necho hi\n", 0o755);
  home.write(".claude/skills/other/SKILL.md", "---\nname: other\n---\n", 0o644);
  home.write(".claude/plugins/installed_plugins.json", '{"version":2,"plugins":{}}', 0o600);
  home.write(
    ".claude.json",
    JSON.stringify({
      numStartups: 7,
      mcpServers: { other: { type: "http", url: "http://x/mcp" } },
    }),
    0o600,
  );
  home.write("project/.mcp.json", '{"mcpServers":{"db":{"command":"db-mcp"}}}', 0o644);
  home.write("project/.claude/settings.json", '{"hooks":{"Stop":[{"hooks":[]}]}}', 0o644);
}
