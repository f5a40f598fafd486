import assert from "node:assert/strict";
import { join } from "node:path";
import { Refusal } from "../../cli/client.ts";
import { type Finding, findingsText, verdictOf } from "../../cli/doctor/finding.ts";
import { hooksFor } from "../../cli/service/hooks.ts";
import { pluginFiles } from "../../cli/service/plugin.ts";
import { CliError, EXIT } from "../../cli/verb.ts";
import { cli } from "../helpers/cli.ts";
import { tempHome } from "../helpers/home.ts";
import { BUS, healthy, NOW, type Sick, wellDiagnosis } from "../helpers/patient.ts";
import { testServer } from "../helpers/server.ts";

const REMOTE = "http://100.64.0.1:8080";
const SETTINGS = ".claude/settings.json";
const MANAGED = "managed/managed-settings.json";

/** What is wrong; which finding says so, in which words; and what fixes it. */
type Case = readonly [
  wrong: string,
  spoil: (sick: Sick) => void,
  check: string,
  verdict: Finding["verdict"],
  found: RegExp,
  fix: RegExp,
];

const refusal = () => {
  throw new Refusal({ error: "Cannot serve without a token", code: "unauthenticated" });
};
const noBus = () => {
  throw new CliError("Cannot reach the bus\nStart it", EXIT.unreachable);
};
/** A value of settings, by its path. */
const set = (file: string, key: string, value: unknown) => (sick: Sick) =>
  sick.change(file, (settings) => void (settings[key] = value));
const database = (part: object) => (sick: Sick) => {
  const well = wellDiagnosis();
  sick.diagnosis = () => ({ ...well, database: { ...well.database, ...part } });
};
const session = (part: object) => (sick: Sick) => {
  const well = wellDiagnosis();
  sick.diagnosis = () => ({ ...well, sessions: well.sessions.map((one) => ({ ...one, ...part })) });
};
const deaf = (why: string) => session({ deaf: true, why, paths: [] });
const hooksIn = (file: string, url = BUS) => (sick: Sick) =>
  set(file, "hooks", hooksFor({ url, program: sick.installed }))(sick);
const noPlugin = (sick: Sick) => sick.remove(".claude/skills");
const service = (line: RegExp, answer: object) => (sick: Sick) => {
  const { answer: usual } = sick.machine;
  sick.machine.answer = (asked) => line.test(asked) ? answer : usual(asked);
};
const all = (...spoils: ((sick: Sick) => void)[]) => (sick: Sick) =>
  spoils.forEach((spoil) => spoil(sick));
const mcp = (change: (servers: Record<string, unknown>) => void) => (sick: Sick) =>
  sick.change(".claude.json", ({ mcpServers }) => change(mcpServers as Record<string, unknown>));
/** The bus on another machine, with everything that leads to it. */
const remote = (sick: Sick) => {
  sick.url = REMOTE;
  mcp((servers) => servers["event-bus"] = { url: `${REMOTE}/mcp` })(sick);
  const files = pluginFiles({ url: REMOTE, program: sick.installed });
  for (const [name, content] of Object.entries(files)) {
    sick.at.write(join(".claude/skills/event-bus", name), content);
  }
  sick.env.EVENT_BUS_TOKEN = "secret-of-this-bus";
};
const claudeSession = (part: object) => (sick: Sick) => {
  sick.running.set(42, "1000");
  const facts = { pid: 42, sessionId: "s2", cwd: "/w/x", procStart: "1000", name: "x-1", ...part };
  sick.at.write(".claude/sessions/42.json", JSON.stringify(facts));
};

const CASES: readonly Case[] = [
  ["a test build", (s) => void (s.build = "test"), "program", "warning", /test build/, /--binary/],
  [
    "nothing installed",
    (s) => s.remove(".local/bin/event-bus"),
    "installed program",
    "warning",
    /is not there/,
    /^event-bus install$/,
  ],
  [
    "an installed program that cannot be run",
    (s) => Deno.chmodSync(s.installed, 0o644),
    "installed program",
    "broken",
    /cannot be run/,
    /^event-bus install$/,
  ],
  [
    "another build installed",
    (s) => void s.at.write(".local/bin/event-bus", "an older one", 0o755),
    "installed program",
    "warning",
    /is another build/,
    /download\/event-bus install$/,
  ],
  [
    "not on PATH",
    (s) => void (s.path = "/nonexistent"),
    "PATH",
    "warning",
    /no event-bus on it, nor \S+\.local\/bin/,
    /^export PATH=/,
  ],
  [
    "on PATH, but not installed",
    (s) => s.remove(".local/bin/event-bus"),
    "PATH",
    "warning",
    /no event-bus on it$/,
    /^event-bus install$/,
  ],
  [
    "another program by its name on PATH",
    (s) => void s.at.write("bin/event-bus", "another", 0o755),
    "PATH",
    "warning",
    /not the installed/,
    /^export PATH=/,
  ],
  [
    "no bus",
    (s) => void (s.health = noBus),
    "server",
    "broken",
    /^Cannot reach the bus$/,
    /^event-bus restart \|\| event-bus install$/,
  ],
  [
    "no bus on another machine",
    all(remote, (s) => void (s.health = noBus)),
    "server",
    "broken",
    /^Cannot reach/,
    /^on the machine of http:\/\/100\.64\.0\.1:8080: event-bus restart$/,
  ],
  [
    "a bus that wants another token",
    (s) => void (s.health = refusal),
    "server",
    "broken",
    /without a token/,
    /token into \S+ \(chmod 600\)/,
  ],
  [
    "a bus whose database is gone",
    (s) => void (s.health = () => ({ status: "unavailable", database: "disk\u001b full" })),
    "server",
    "broken",
    /not well: disk\\u001b full/,
    /^event-bus logs$/,
  ],
  [
    "a bus of another version",
    (s) => void (s.health = () => ({ status: "ok", version: "1.0.0" })),
    "server",
    "warning",
    /event-bus 1\.0\.0 answers.*this program is 1\.2\.3/,
    /^event-bus restart$/,
  ],
  [
    "a bus that knows no diagnosis",
    (s) =>
      void (s.diagnosis = () => {
        throw new Refusal({ error: "No operation", code: "not_found" });
      }),
    "server",
    "warning",
    /tells nothing of itself: it is too old/,
    /^event-bus restart$/,
  ],
  [
    "a bus that fails when it is asked for a diagnosis",
    (s) => void (s.diagnosis = noBus),
    "server",
    "warning",
    /tells nothing of itself: Cannot reach the bus$/,
    /^event-bus restart$/,
  ],
  [
    "no service, and no bus",
    all((s) => s.remove("Library"), (s) => void (s.health = noBus)),
    "service",
    "broken",
    /none is installed/,
    /^event-bus install$/,
  ],
  [
    "a bus that runs by hand",
    (s) => s.remove("Library"),
    "service",
    "warning",
    /not as a service/,
    /^event-bus install$/,
  ],
  [
    "a service that does not run",
    all(service(/launchctl print gui/, { code: 113 }), (s) => void (s.health = noBus)),
    "service",
    "broken",
    /does not run$/,
    /^event-bus restart$/,
  ],
  [
    "a service that does not run beside a bus that does",
    service(/launchctl print gui/, { code: 113 }),
    "service",
    "warning",
    /was started otherwise/,
    /^event-bus restart$/,
  ],
  [
    "a service that was disabled",
    service(/print-disabled/, { code: 0, stdout: '\t\t"local.event-bus" => disabled' }),
    "service",
    "warning",
    /not at the next login/,
    /^launchctl bootstrap/,
  ],
  [
    "a system without services",
    (s) => Object.assign(s.machine, { os: "plan9" }),
    "service",
    "warning",
    /only macOS and Linux/,
    /^event-bus serve$/,
  ],
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
    "a database in memory",
    database({ path: ":memory:", checked_at: null }),
    "database",
    "warning",
    /in memory/,
    /^event-bus restart$/,
  ],
  [
    "a database that nobody checked",
    database({ checked_at: null }),
    "database",
    "warning",
    /never checked/,
    /^event-bus restart$/,
  ],
  [
    "little room",
    database({ free_bytes: 0.9e9, total_bytes: 5e9 }),
    "disk",
    "warning",
    /^900 MB of 5\.0 GB are free at \/data$/,
    /df -h \/data$/,
  ],
  [
    "a small part of a large disk",
    database({ free_bytes: 90e9, total_bytes: 1000e9 }),
    "disk",
    "warning",
    /^90 GB of 1000 GB/,
    /df -h/,
  ],
  [
    "no room",
    database({ free_bytes: 1e6 }),
    "disk",
    "broken",
    /^1\.0 MB of/,
    /^make room/,
  ],
  [
    "a clock that is ahead",
    all(remote, (s) => {
      const now = new Date(NOW + 2500).toISOString();
      s.diagnosis = () => ({ ...wellDiagnosis(), now });
    }),
    "clock",
    "warning",
    /2\.5 s ahead of this machine/,
    /^set the clocks/,
  ],
  [
    "a session without hooks",
    deaf("no hooks seen"),
    "session brave-otter",
    "warning",
    /bus\/main on home, idle, 0 unread; nothing reaches it.*none of its hooks was seen; paths: none/,
    /^event-bus install, then \/reload-plugins/,
  ],
  [
    "a session without a listener",
    deaf("no listener"),
    "session brave-otter",
    "warning",
    /nothing listens for it/,
    /^prompt it once/,
  ],
  [
    "a session of Claude Code that is not on the bus",
    claudeSession({}),
    "sessions of Claude Code",
    "warning",
    /the session x-1 \(process 42\) in \/w\/x is not on the bus/,
    /^type \/reload-plugins/,
  ],
  [
    "a session's file that is not JSON",
    (s) => void s.at.write(".claude/sessions/43.json", "{"),
    "sessions of Claude Code",
    "warning",
    /43\.json cannot be read/,
    /^rm \S+43\.json$/,
  ],
  [
    "a session's folder where a file should be",
    (s) => void s.at.write(`${SETTINGS}/x`, ""),
    "settings",
    "broken",
    /settings\.json cannot be read/,
    /^correct or remove/,
  ],
];

const said = (findings: Finding[]) =>
  findings.filter(({ verdict }) => verdict !== "ok")
    .map(({ check, verdict, found, fix }) => `${check} ${verdict}: ${found} -> ${fix}`).join("\n");

for (const os of ["darwin", "linux"]) {
  Deno.test(`examine: where all is as it should be on ${os}, nothing is found`, async () => {
    using sick = healthy(os);
    const findings = await sick.examine();
    assert.equal(said(findings), "");
    const checks = findings.map(({ check }) => check);
    assert.deepEqual(checks, [
      ...["program", "installed program", "PATH", "server", "service", "MCP server", "hooks"],
      ...["hooks allowed", "folder trusted", "token", "proxy", "database", "disk", "clock"],
      "session brave-otter",
    ]);
    assert.match(
      findings.at(-1)?.found ?? "",
      /reached by: wake listening, prompt hook 2 min ago$/,
    );
  });
}

for (const [wrong, spoil, check, verdict, found, fix] of CASES) {
  Deno.test(`examine: ${wrong} is found, with what fixes it`, async () => {
    using sick = healthy();
    spoil(sick);
    const findings = await sick.examine();
    const hit = findings.find((one) => one.check === check && found.test(one.found));
    assert.ok(hit, `${check} ${found} is not in:\n${said(findings)}`);
    assert.equal(hit.verdict, verdict);
    assert.match(hit.fix ?? "", fix);
  });
}

/** What looks odd and is all right. */
const FINE: readonly [what: string, change: (sick: Sick) => void][] = [
  ["the bus on another machine", remote],
  ["the token in Claude Code's settings", (s) => {
    remote(s);
    delete s.env.EVENT_BUS_TOKEN;
    s.at.write(".claude/contrib/event-bus/token", "secret-of-this-bus");
    set(SETTINGS, "env", { EVENT_BUS_TOKEN: "x" })(s);
  }],
  ["hooks in the settings instead of the plugin", all(noPlugin, hooksIn(SETTINGS))],
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
  ["a session of Claude Code that the bus knows", claudeSession({ sessionId: "s1" })],
  ["one that was killed", claudeSession({ procStart: "999" })],
  ["a key beside it", (s) => void s.at.write(".claude/sessions/42.x.key", "{")],
  ["no disk to be seen", database({ free_bytes: null, total_bytes: null })],
];

for (const [what, change] of FINE) {
  Deno.test(`examine: ${what} is no fault`, async () => {
    using sick = healthy();
    change(sick);
    assert.equal(said(await sick.examine()), "");
  });
}

Deno.test("examine: on Linux, too, a service that will not start again is found", async () => {
  using sick = healthy("linux");
  service(/is-enabled --quiet event-bus\.service/, { code: 1 })(sick);
  const hit = (await sick.examine()).find(({ check }) => check === "service");
  assert.equal(hit?.verdict, "warning");
  assert.equal(hit?.fix, "systemctl --user enable --now event-bus.service");
});

Deno.test("examine: a look that fails is a finding, and the others go on", async () => {
  using sick = healthy();
  Object.assign(sick.machine, {
    run: () => Promise.reject(new Error("no more processes")),
  });
  const findings = await sick.examine();
  const hit = findings.find(({ check }) => check === "service");
  assert.deepEqual([hit?.verdict, hit?.found], [
    "warning",
    "it could not be looked at: no more processes",
  ]);
  assert.ok(findings.some(({ check }) => check === "session brave-otter"));
});

Deno.test("findingsText: a mark and a line each, the fix below, and no text can forge another", () => {
  const findings: Finding[] = [
    { check: "a", verdict: "ok", found: "fine\n✗ b: forged", fix: null },
    { check: "b", verdict: "warning", found: "so so", fix: "do x" },
    { check: "c", verdict: "broken", found: "no\u001b[2J", fix: "do y" },
  ];
  assert.equal(
    findingsText(findings),
    "✓ a: fine\\n✗ b: forged\n! b: so so\n    fix: do x\n✗ c: no\\u001b[2J\n    fix: do y\n\n" +
      "1 broken, 1 to look at\n",
  );
  assert.equal(verdictOf(findings), "broken");
  assert.equal(verdictOf(findings.slice(0, 2)), "warning");
  assert.equal(findingsText(findings.slice(0, 1)).split("\n").at(-2), "All is well");
});

Deno.test("cli doctor: a bus that answers, and one that does not; exit 1 when something is broken", async () => {
  await using server = testServer();
  const { home } = server;
  const env = { EVENT_BUS_URL: server.url };
  await server.call("register_session", { name: "n", client_id: "c", machine: "far" });
  // deno-lint-ignore no-explicit-any -- looked at field by field
  const doctor = async (env: Record<string, string>): Promise<any> => {
    const { code, out, err } = await cli(["doctor", "--json"], { home, env });
    assert.equal(err, "");
    const { verdict, findings } = JSON.parse(out);
    assert.equal(code, verdict === "broken" ? 1 : 0);
    for (const one of findings) {
      assert.deepEqual(Object.keys(one), ["check", "verdict", "found", "fix"]);
      assert.equal(one.fix === null, one.verdict === "ok", JSON.stringify(one));
    }
    return Object.fromEntries(findings.map((one: Finding) => [one.check, one]));
  };
  const up = await doctor(env);
  assert.equal(up.server.verdict, "ok");
  assert.match(up.server.found, new RegExp(`answers at ${server.url}$`));
  assert.match(up.database.found, /data\.db is sound, as of \d+ s ago: 1 events/);
  assert.equal(up.hooks.verdict, "broken", "an empty home has neither plugin nor hooks");
  const deaf = Object.values(up).find((one) => (one as Finding).check.startsWith("session "));
  assert.match((deaf as Finding).found, /^n on far, working, 0 unread; nothing reaches it/);
  const text = await cli(["doctor"], { home, env });
  assert.equal(text.code, 1);
  assert.match(text.out, /^✓ program: event-bus [^\n]*\n/);
  assert.match(text.out, /\n✗ hooks: [^\n]*\n {4}fix: event-bus install[^\n]*\n/);

  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const gone = `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  listener.close();
  const down = await doctor({ EVENT_BUS_URL: gone });
  assert.equal(down.server.verdict, "broken");
  assert.equal(down.database, undefined, "nobody tells");
});

Deno.test("cli doctor: settings that cannot be used are the finding, and nothing crashes", async () => {
  using home = tempHome();
  home.write(".claude/contrib/event-bus/config.json", '{"colour": 1}');
  const { code, out } = await cli(["doctor", "--json"], { home });
  assert.equal(code, 1);
  const { findings } = JSON.parse(out);
  assert.equal(findings.length, 1);
  assert.match(findings[0].found, /there is no setting "colour"/);
});
