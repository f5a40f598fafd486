import {
  all,
  hooksIn,
  MANAGED,
  mcp,
  noPlugin,
  REMOTE,
  remote,
  set,
  SETTINGS,
  strict,
  testFaults,
  testFine,
} from "../helpers/faults.ts";
import { hooksFor } from "../../cli/service/hooks.ts";
import { BUS } from "../helpers/patient.ts";

testFaults([
  [
    "Claude Code's file is not JSON",
    (s) => void s.at.write(".claude.json", "{"),
    "MCP server",
    "broken",
    /\.claude\.json cannot be read/,
    /^correct \S+\.claude\.json/,
  ],
  [
    "Claude Code does not know the bus",
    mcp((servers) => delete servers["event-bus"]),
    "MCP server",
    "broken",
    /does not name event-bus/,
    /^claude mcp add .* event-bus http:\/\/127\.0\.0\.1:8080\/mcp$/,
  ],
  [
    "no Claude Code",
    (s) => {
      s.remove(".claude.json");
      s.remove("bin/claude");
    },
    "MCP server",
    "warning",
    /not installed here/,
    /^claude mcp add/,
  ],
  [
    "Claude Code knows another bus",
    mcp((servers) => servers["event-bus"] = { url: "http://127.0.0.1:9999/mcp" }),
    "MCP server",
    "broken",
    /goes to http:\/\/127\.0\.0\.1:9999\/mcp, but the bus is at/,
    /^claude mcp remove event-bus --scope user; claude mcp add/,
  ],
  [
    "Claude Code's entry is a command",
    mcp((servers) => servers["event-bus"] = { command: "x" }),
    "MCP server",
    "broken",
    /goes to no address/,
    /^claude mcp remove/,
  ],
  [
    "the address without its path",
    mcp((servers) => servers["event-bus"] = { url: BUS }),
    "MCP server",
    "broken",
    /does not end with \/mcp/,
    /^claude mcp remove/,
  ],
  [
    "the bus under a second name and spelling",
    mcp((servers) => servers.bus = { url: "http://localhost:8080/mcp/" }),
    "MCP server twice",
    "warning",
    /also names the bus, as bus at http:\/\/localhost/,
    /^claude mcp remove bus --scope user$/,
  ],
  [
    "the bus in a project's own entries",
    (s) =>
      s.change(".claude.json", (file) => {
        (file.projects as Record<string, unknown>)["/w/a b"] = {
          mcpServers: { "event-bus": { url: `${BUS}/mcp` } },
        };
      }),
    "MCP server twice",
    "warning",
    /the folder \/w\/a b also names/,
    /^cd '\/w\/a b' && claude mcp remove event-bus --scope local$/,
  ],
  [
    "the bus in this folder's shared entries",
    set("work/.mcp.json", "mcpServers", { eb: { url: "http://[::1]:8080/mcp" } }),
    "MCP server twice",
    "warning",
    /work\/\.mcp\.json also names/,
    /--scope project$/,
  ],
  [
    "no plugin and no hooks",
    noPlugin,
    "hooks",
    "broken",
    /neither the plugin nor a hook/,
    /^event-bus install$/,
  ],
  [
    "no plugin for a bus elsewhere",
    all(remote, noPlugin),
    "hooks",
    "broken",
    /neither/,
    /^event-bus install --url http:\/\/100\.64\.0\.1:8080$/,
  ],
  [
    "no plugin for a bus at the end of a tunnel",
    all((s) => remote(s, "http://127.0.0.1:9999"), noPlugin),
    "hooks",
    "broken",
    /neither/,
    /^event-bus install --url http:\/\/127\.0\.0\.1:9999$/,
  ],
  [
    "a plugin of another version",
    (s) => void s.at.write(".claude/skills/event-bus/.claude-plugin/plugin.json", "{}"),
    "hooks",
    "warning",
    /plugin\.json is another/,
    /^event-bus install$/,
  ],
  [
    "a plugin with a file too few",
    (s) => s.remove(".claude/skills/event-bus/skills"),
    "hooks",
    "warning",
    /SKILL\.md is missing/,
    /^event-bus install$/,
  ],
  [
    "hooks of another version in the settings",
    all(
      noPlugin,
      set(SETTINGS, "hooks", {
        Stop: [{ hooks: [{ type: "command", command: "/bin/event-bus", args: ["hook"] }] }],
      }),
    ),
    "hooks",
    "warning",
    /settings\.json is not as this version has it: its hooks are others/,
    /^event-bus install --hooks$/,
  ],
  [
    "plugin and hooks at once",
    hooksIn(SETTINGS),
    "hooks",
    "broken",
    /each runs twice: they are in \S+skills\/event-bus and \S+settings\.json/,
    /^event-bus install$/,
  ],
  [
    "hooks in the folder's settings beside the plugin",
    hooksIn("work/.claude/settings.json"),
    "hooks",
    "broken",
    /each runs twice/,
    /^take the hooks of event-bus out of \S+work\/\.claude\/settings\.json$/,
  ],
  [
    "the plugin from a marketplace, too",
    set(SETTINGS, "enabledPlugins", { "event-bus@market": true }),
    "hooks",
    "warning",
    /event-bus@market is loaded, .* is not/,
    /^claude plugin uninstall event-bus@market$/,
  ],
  [
    "the plugin disabled",
    set(SETTINGS, "enabledPlugins", { "event-bus@skills-dir": false }),
    "hooks",
    "broken",
    /event-bus@skills-dir is disabled/,
    /^claude plugin enable event-bus@skills-dir$/,
  ],
  [
    "the plugin of a marketplace disabled",
    all(noPlugin, set(SETTINGS, "enabledPlugins", { "event-bus@market": false })),
    "hooks",
    "broken",
    /event-bus@market is disabled/,
    /^claude plugin enable event-bus@market$/,
  ],
  [
    "hooks that lead to another bus",
    all(noPlugin, hooksIn(SETTINGS, "http://127.0.0.1:9999")),
    "hook address",
    "broken",
    /leads to http:\/\/127\.0\.0\.1:9999, but/,
    /^event-bus install --hooks$/,
  ],
  [
    "commands that lead to another bus than the http hooks",
    all(noPlugin, hooksIn(SETTINGS), (s) =>
      s.change(SETTINGS, (settings) => {
        const hooks = settings.hooks as ReturnType<typeof hooksFor>;
        Object.assign(settings, {
          hooks: {
            ...hooks,
            SessionEnd: hooksFor({ url: "http://100.64.0.2:1", program: s.installed }).SessionEnd,
          },
        });
      })),
    "hook address",
    "broken",
    /leads to http:\/\/100\.64\.0\.2:1, but/,
    /^event-bus install --hooks$/,
  ],
  [
    "the plugin of a marketplace, which knows only the default bus",
    all(
      remote,
      noPlugin,
      set(SETTINGS, "enabledPlugins", { "event-bus@market": true }),
    ),
    "hook address",
    "broken",
    /event-bus@market leads to http:\/\/127\.0\.0\.1:8080, but the bus is at http:\/\/100\.64\.0\.1:8080$/,
    /^claude plugin disable event-bus@market && event-bus install --url http:\/\/100\.64\.0\.1:8080$/,
  ],
  [
    "hooks whose program is gone",
    (s) => s.remove(".local/bin/event-bus"),
    "hook command",
    "broken",
    /runs \S+event-bus, which is not there/,
    /^event-bus install$/,
  ],
  [
    "hooks as a shell's line whose program is not on PATH",
    all(
      noPlugin,
      set(SETTINGS, "hooks", {
        Stop: [{ hooks: [{ type: "command", command: "event-bus hook --wake" }] }],
      }),
      (s) => void (s.path = "/nonexistent"),
    ),
    "hook command",
    "broken",
    /runs event-bus, which/,
    /^event-bus install --hooks$/,
  ],
  [
    "settings that are not JSON",
    (s) => void s.at.write(SETTINGS, "// mine\n{}"),
    "settings",
    "broken",
    /settings\.json cannot be read/,
    /^correct or remove \S+settings\.json$/,
  ],
  [
    "settings that are no object",
    (s) => void s.at.write(SETTINGS, "[]"),
    "settings",
    "broken",
    /holds no JSON object/,
    /^correct or remove/,
  ],
  [
    "all hooks off",
    set("work/.claude/settings.local.json", "disableAllHooks", true),
    "hooks allowed",
    "broken",
    /disableAllHooks: no hook and no status line/,
    /^take disableAllHooks out of \S+settings\.local\.json$/,
  ],
  [
    "only an organisation's hooks",
    set(MANAGED, "allowManagedHooksOnly", true),
    "hooks allowed",
    "broken",
    /only the organisation's hooks run/,
    /^ask your organisation to take allowManagedHooksOnly out/,
  ],
  [
    "only an organisation's mods, in a drop-in",
    set("managed/managed-settings.d/10-mods.json", "allowManagedModsOnly", true),
    "hooks allowed",
    "warning",
    /10-mods\.json says allowManagedModsOnly/,
    /^ask your organisation/,
  ],
  [
    "only an organisation's marketplaces",
    all(
      noPlugin,
      set(SETTINGS, "enabledPlugins", { "event-bus@market": true }),
      set(MANAGED, "strictKnownMarketplaces", []),
    ),
    "hooks allowed",
    "warning",
    /only plugins of the listed marketplaces/,
    /^ask your organisation/,
  ],
  [
    "http hooks may go elsewhere only",
    set(SETTINGS, "allowedHttpHookUrls", ["https://x.example/*", "http://127.0.0.1:8080"]),
    "hooks allowed",
    "broken",
    /lists allowedHttpHookUrls, and not http:\/\/127\.0\.0\.1:8080\/hooks\/claude-code$/,
    /^add "http:\/\/127\.0\.0\.1:8080\/hooks\/claude-code" to allowedHttpHookUrls/,
  ],
  [
    "http hooks may not send the token",
    all(remote, set(MANAGED, "httpHookAllowedEnvVars", ["OTHER"])),
    "hooks allowed",
    "broken",
    /and not EVENT_BUS_TOKEN/,
    /^ask your organisation to add EVENT_BUS_TOKEN/,
  ],
  [
    "a folder that is not trusted",
    (s) => s.change(".claude.json", (file) => void (file.projects = { [s.cwd]: {} })),
    "folder trusted",
    "warning",
    /does not trust/,
    /^cd \S+work && claude/,
  ],
  [
    "a token that others can read",
    (s) => void s.at.write(".claude/contrib/event-bus/token", "secret-of-this-bus", 0o644),
    "token",
    "broken",
    /others can read it/,
    /^chmod 600 \S+token$/,
  ],
  [
    "no token for a bus elsewhere",
    all(remote, (s) => void delete s.env.EVENT_BUS_TOKEN),
    "token",
    "broken",
    /needs one, and there is none/,
    /umask 077/,
  ],
  [
    "no token for a bus of this machine that wants one",
    strict,
    "token",
    "broken",
    /the bus at http:\/\/127\.0\.0\.1:8080 needs one, and there is none/,
    /umask 077/,
  ],
  [
    "an entry that is missing for such a bus",
    all(strict, mcp((servers) => delete servers["event-bus"])),
    "MCP server",
    "broken",
    /does not name event-bus/,
    /--header 'Authorization: Bearer \$\{EVENT_BUS_TOKEN\}'$/,
  ],
  [
    "a list that keeps the token from such a bus",
    all(strict, set(MANAGED, "httpHookAllowedEnvVars", ["OTHER"])),
    "hooks allowed",
    "broken",
    /and not EVENT_BUS_TOKEN/,
    /^ask your organisation to add EVENT_BUS_TOKEN/,
  ],
  [
    "a token that hooks do not get",
    all(remote, (s) => {
      delete s.env.EVENT_BUS_TOKEN;
      s.at.write(".claude/contrib/event-bus/token", "secret-of-this-bus");
    }),
    "token",
    "broken",
    /EVENT_BUS_TOKEN is not set/,
    /export EVENT_BUS_TOKEN="\$\(cat \S+token\)"$/,
  ],
  [
    "a proxy before the bus",
    (s) => Object.assign(s.env, { HTTP_PROXY: "http://u:p@proxy:3128", NO_PROXY: "x.example" }),
    "proxy",
    "broken",
    /go through proxy:3128, as NO_PROXY/,
    /^export NO_PROXY=x\.example,127\.0\.0\.1,localhost,::1$/,
  ],
  [
    "a proxy in Claude Code's settings, before a bus elsewhere",
    all(remote, set(SETTINGS, "env", { http_proxy: "http://proxy:3128" })),
    "proxy",
    "warning",
    /go through proxy:3128/,
    /^export NO_PROXY=100\.64\.0\.1$/,
  ],
  [
    "a session's folder where a file should be",
    (s) => void s.at.write(`${SETTINGS}/x`, ""),
    "settings",
    "broken",
    /settings\.json cannot be read/,
    /^correct or remove/,
  ],
]);

testFine([
  ["the bus on another machine", remote],
  ["the token in Claude Code's settings", (s) => {
    remote(s);
    delete s.env.EVENT_BUS_TOKEN;
    s.at.write(".claude/contrib/event-bus/token", "secret-of-this-bus");
    set(SETTINGS, "env", { EVENT_BUS_TOKEN: "x" })(s);
  }],
  ["hooks in the settings instead of the plugin", all(noPlugin, hooksIn(SETTINGS))],
  ["a bus at the end of a tunnel, without a service", (s) => {
    remote(s, "http://127.0.0.1:9999");
    s.remove("Library");
  }],
  ["a bus below a path", (s) => remote(s, `${REMOTE}/event-bus`)],
  [
    "the plugin from a marketplace instead",
    all(noPlugin, set(SETTINGS, "enabledPlugins", { "event-bus@market": true })),
  ],
  ["MCP by another spelling", mcp((s) => s["event-bus"] = { url: "http://localhost:8080/mcp" })],
  [
    "MCP by another name",
    mcp((s) => {
      delete s["event-bus"];
      s.bus = { url: `${BUS}/mcp` };
    }),
  ],
  [
    "other people's hooks and servers",
    all(
      mcp((s) => s.other = { command: "other" }),
      set(SETTINGS, "hooks", { Stop: [{ hooks: [{ type: "command", command: "say done" }] }] }),
    ),
  ],
  [
    "nonsense where hooks and servers should be",
    all(
      set(SETTINGS, "hooks", { Stop: [7, null, { hooks: "x" }, { hooks: [null, 7] }], x: 3 }),
      set("work/.mcp.json", "mcpServers", [1]),
      set("work/.claude/settings.json", "enabledPlugins", "all"),
    ),
  ],
  ["only an organisation's hooks, said by a user", set(SETTINGS, "allowManagedHooksOnly", true)],
  [
    "http hooks that may go to the bus",
    set(SETTINGS, "allowedHttpHookUrls", ["http://127.0.0.1*"]),
  ],
  [
    "a trusted folder around this one",
    (s) =>
      s.change(
        ".claude.json",
        (file) => void (file.projects = { [s.at.path]: { hasTrustDialogAccepted: true } }),
      ),
  ],
  [
    "a proxy that is not for the bus",
    (s) => void Object.assign(s.env, { HTTP_PROXY: "http://p:1", no_proxy: "a, 127.0.0.1:8080" }),
  ],
  ["a proxy for https alone", (s) => void Object.assign(s.env, { HTTPS_PROXY: "http://p:1" })],
]);
