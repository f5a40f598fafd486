/** What install puts into a used Claude Code, and that everything else stays as it was. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { planClient, planService } from "../../cli/install.ts";
import { hooksFor } from "../../cli/service/hooks.ts";
import { pluginFiles } from "../../cli/service/plugin.ts";
import { planUninstall } from "../../cli/uninstall.ts";
import { CliError } from "../../cli/verb.ts";
import { furnish, SETTINGS } from "../helpers/claude_home.ts";
import { type FakeMachine, fakeMachine, told } from "../helpers/mac.ts";
import { everythingIn } from "../helpers/stand_ins.ts";

const read = (path: string) => Deno.readTextFileSync(path);
const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

interface Used extends FakeMachine {
  readonly settings: string;
  readonly plugin: string;
  /** What would run in a session: programs and the bus. */
  readonly target: { readonly url: string; readonly program: string };
}

/** A machine with other people's things in Claude Code. */
function usedMachine(settings = SETTINGS, env: Record<string, string> = {}): Used {
  const machine = fakeMachine("darwin", env);
  furnish(machine.at, settings);
  return Object.assign(machine, {
    settings: join(machine.home, ".claude/settings.json"),
    plugin: join(machine.home, ".claude/skills/event-bus"),
    target: { url: "http://127.0.0.1:8080", program: join(machine.home, ".local/bin/event-bus") },
  });
}

/** Everything but what install puts where no Claude Code looks. */
function claudes({ home }: FakeMachine): string[] {
  const elsewhere = [".claude/contrib", ".local", "Library"].map((name) => join(home, name));
  return everythingIn(home).split("\n")
    .filter((line) => !elsewhere.some((place) => line.startsWith(place)));
}

const install = async (machine: FakeMachine, inSettings = false, dryRun = false) =>
  await told(await planService(machine, machine.source, { inSettings }), dryRun);
const uninstall = async (machine: FakeMachine) => await told(await planUninstall(machine, false));

const hooksIn = (file: string) => JSON.parse(read(file)).hooks;

function refusedWith(message: RegExp) {
  return (failure: unknown) => {
    assert.ok(failure instanceof CliError, String(failure));
    assert.match(failure.message, message);
    assert.equal(failure.exit, 1);
    return true;
  };
}

Deno.test("install puts the plugin in as one folder and touches nothing else; uninstall takes it back", async () => {
  using machine = usedMachine();
  const before = claudes(machine);
  const { out, err } = await install(machine);
  assert.match(out, /^write the plugin .*\/\.claude\/skills\/event-bus$/m);
  assert.equal(err, "");
  const [rest, ours] = [false, true].map((isOurs) =>
    claudes(machine).filter((line) => line.startsWith(machine.plugin) === isOurs)
  );
  assert.deepEqual(rest, before);
  const wanted = Object.entries(pluginFiles(machine.target));
  for (const [name, content] of wanted) {
    assert.equal(read(join(machine.plugin, name)), content);
    assert.equal(modeOf(join(machine.plugin, name)), 0o644);
  }
  assert.equal(ours?.filter((line) => !line.endsWith(" folder")).length, wanted.length);
  const hooks = read(join(machine.plugin, "hooks/hooks.json"));
  assert.ok(hooks.includes(JSON.stringify(machine.target.program)), "PATH may lack it");

  assert.match((await install(machine)).out, /The plugin .* is up to date/);
  await uninstall(machine);
  assert.deepEqual(claudes(machine), before);
});

Deno.test("install where no skills folder was leaves none after uninstall", async () => {
  using machine = fakeMachine();
  await install(machine);
  await uninstall(machine);
  assert.ok(!claudes(machine).some((line) => line.includes("skills")));
});

Deno.test("install upgrades an older plugin of ours as a whole, and shows a dry run of it", async () => {
  using machine = usedMachine();
  const before = claudes(machine);
  machine.at.write(".claude/contrib/event-bus/config.json", '{"port": 9090}');
  await install(machine);
  const stale = join(machine.plugin, "hooks/hooks.json");
  machine.at.write(".claude/contrib/event-bus/config.json", '{"port": 8080}');
  const unchanged = everythingIn(machine.home);
  const { out } = await install(machine, false, true);
  assert.equal(everythingIn(machine.home), unchanged);
  assert.match(out, /^would write the plugin/m);
  assert.match(out, /^ {4}--- hooks\/hooks\.json\n {4}\+\+\+ hooks\/hooks\.json$/m);
  assert.match(out, /^ {4}- .*127\.0\.0\.1:9090\/hooks\/claude-code",\n {4}\+ .*:8080/m);
  assert.doesNotMatch(out, /SKILL\.md/, "files that stay are not shown");

  await install(machine);
  assert.equal(read(stale), pluginFiles(machine.target)["hooks/hooks.json"]);
  // What a version left that had more files than this one.
  const receipt = join(machine.at.dataDir, "install.json");
  Deno.writeTextFileSync(join(machine.plugin, ".mcp.json"), "");
  const noted = JSON.parse(read(receipt));
  noted.plugins[machine.plugin].files[".mcp.json"] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  Deno.writeTextFileSync(receipt, JSON.stringify(noted));
  assert.match((await install(machine, false, true)).out, /--- \.mcp\.json \(goes\)/);
  await install(machine);
  assert.ok(!claudes(machine).some((line) => line.startsWith(join(machine.plugin, ".mcp.json"))));
  await uninstall(machine);
  assert.deepEqual(claudes(machine), before);
});

Deno.test("a plugin folder that is not ours, or was changed by hand, is set aside where nothing loads it", async () => {
  using machine = usedMachine();
  machine.at.write(".claude/skills/event-bus/SKILL.md", "somebody's skill");
  const { out } = await install(machine);
  assert.match(
    out,
    /set .* aside as .*\/\.claude\/event-bus-plugin\.before-event-bus, because it is not/,
  );
  const place = join(machine.home, ".claude/event-bus-plugin");
  assert.equal(read(`${place}.before-event-bus/SKILL.md`), "somebody's skill");

  const edited = join(machine.plugin, "skills/event-bus/SKILL.md");
  Deno.writeTextFileSync(edited, "better words");
  assert.match((await install(machine)).out, /because it was changed by hand/);
  assert.equal(read(`${place}.edited-by-hand/skills/event-bus/SKILL.md`), "better words");
  assert.notEqual(read(edited), "better words");
  Deno.writeTextFileSync(join(machine.plugin, "mine.md"), "a file more");
  await uninstall(machine);
  assert.equal(read(`${place}.edited-by-hand-2/mine.md`), "a file more");
  assert.ok(!claudes(machine).some((line) => line.startsWith(machine.plugin)));
});

Deno.test("a plugin folder that is a link to somewhere is set aside as the link", async () => {
  using machine = usedMachine();
  const real = machine.at.write("dotfiles/plugin/SKILL.md", "linked");
  Deno.symlinkSync(join(machine.home, "dotfiles/plugin"), machine.plugin);
  await install(machine);
  assert.equal(read(real), "linked");
  assert.ok(Deno.lstatSync(machine.plugin).isDirectory);
  const aside = join(machine.home, ".claude/event-bus-plugin.before-event-bus");
  assert.equal(Deno.readLinkSync(aside), join(machine.home, "dotfiles/plugin"));
});

Deno.test("install --hooks adds to settings.json with a backup; uninstall gives the same bytes back", async () => {
  using machine = usedMachine();
  const before = claudes(machine);
  const dry = await install(machine, true, true);
  assert.deepEqual(claudes(machine), before);
  assert.match(dry.out, /^would copy .*settings\.json to .*settings\.json\.before-event-bus$/m);
  assert.match(dry.out, /^ {10}"hooks": \{$/m, "lines around a change are shown");
  assert.match(dry.out, /^ {4}\+ .*hooks\/claude-code/m);
  assert.doesNotMatch(dry.out, /^ {4}- .*guard\.sh/m);

  await install(machine, true);
  assert.equal(read(`${machine.settings}.before-event-bus`), SETTINGS);
  assert.equal(modeOf(machine.settings), 0o644);
  const { hooks, ...rest } = JSON.parse(read(machine.settings));
  const { hooks: theirs, ...others } = JSON.parse(SETTINGS);
  assert.deepEqual(rest, others);
  const ours = hooksFor(machine.target);
  assert.deepEqual(hooks, {
    ...theirs,
    ...ours,
    Stop: [...theirs.Stop, ...ours.Stop ?? []],
  });
  assert.ok(read(machine.settings).includes('"MAX": "12345678901234567890"'));
  assert.ok(!claudes(machine).some((line) => line.startsWith(machine.plugin)));

  const once = claudes(machine);
  assert.match((await install(machine, true)).out, /The hooks in .*settings\.json are up to date/);
  assert.deepEqual(claudes(machine), once);
  await uninstall(machine);
  assert.deepEqual(claudes(machine), before);
});

Deno.test("install, install --hooks and install again: never both, and nothing else changes", async () => {
  using machine = usedMachine();
  const before = claudes(machine);
  await install(machine);
  const withPlugin = claudes(machine);
  const { out } = await install(machine, true);
  assert.match(out, /^remove the plugin .*\n(.*\n)*write the hooks into/m);
  assert.ok(!claudes(machine).some((line) => line.startsWith(machine.plugin)));
  assert.match((await install(machine)).out, /^take our hooks out of .*\n(.*\n)*write the plugin/m);
  assert.deepEqual(claudes(machine), withPlugin);
  await uninstall(machine);
  assert.deepEqual(claudes(machine), before);
});

Deno.test("uninstall after somebody went on editing settings.json takes out only our hooks, and keeps the backup", async () => {
  using machine = usedMachine();
  await install(machine, true);
  const edited = read(machine.settings).replace('"say done"', '"say finished"');
  Deno.writeTextFileSync(machine.settings, edited);
  const { out } = await uninstall(machine);
  assert.match(out, /settings from before the hooks stay in .*settings\.json\.before-event-bus/);
  assert.equal(read(machine.settings), SETTINGS.replace('"say done"', '"say finished"'));
});

Deno.test("install --hooks without settings.json makes one, and uninstall removes it unless it holds more", async () => {
  using machine = fakeMachine();
  const before = claudes(machine).filter((line) => !/\.claude \S+ folder$/.test(line));
  const file = join(machine.home, ".claude/settings.json");
  await install(machine, true);
  assert.equal(modeOf(file), 0o600);
  assert.match(read(file), /^\{\n {2}"hooks": \{\n {4}"SessionStart"/);
  await uninstall(machine);
  assert.deepEqual(claudes(machine).filter((line) => !/\.claude \S+ folder$/.test(line)), before);

  await install(machine, true);
  const more = JSON.stringify({ ...JSON.parse(read(file)), model: "opus" });
  Deno.writeTextFileSync(file, more);
  await uninstall(machine);
  assert.equal(read(file), '{"model":"opus"}');
});

Deno.test("install --hooks keeps a link to the settings, and their mode", async () => {
  using machine = usedMachine();
  Deno.removeSync(machine.settings);
  const real = machine.at.write("dotfiles/claude.json", SETTINGS, 0o640);
  Deno.symlinkSync("../dotfiles/claude.json", machine.settings);
  const before = claudes(machine);
  await install(machine, true);
  assert.equal(Deno.readLinkSync(machine.settings), "../dotfiles/claude.json");
  assert.ok(hooksIn(real).SessionEnd);
  assert.equal(modeOf(real), 0o640);
  await uninstall(machine);
  assert.deepEqual(claudes(machine), before);
});

const UNFIT: [what: string, make: (machine: Used) => void, message: RegExp][] = [
  ["has comments", ({ settings }) => {
    Deno.writeTextFileSync(settings, '{\n  // mine\n  "model": "opus"\n}\n');
  }, /Cannot change the hooks in .*settings\.json: it is not valid JSON .*no comments/],
  ["is empty", ({ settings }) => Deno.writeTextFileSync(settings, ""), /not valid JSON/],
  ["is a list", ({ settings }) => Deno.writeTextFileSync(settings, "[]"), /no JSON object/],
  ["has no object of hooks", ({ settings }) => {
    Deno.writeTextFileSync(settings, '{"hooks": []}');
  }, /"hooks" is no object/],
  ["has an event without a list", ({ settings }) => {
    Deno.writeTextFileSync(settings, '{"hooks": {"Stop": {}}}');
  }, /has no list for Stop/],
  ["is read-only", ({ settings }) => Deno.chmodSync(settings, 0o444), /it is read-only/],
  ["links to nothing", ({ settings }) => {
    Deno.removeSync(settings);
    Deno.symlinkSync("nowhere.json", settings);
  }, /a link to a file that is not there/],
  ["belongs to a session with the plugin enabled", ({ settings }) => {
    Deno.writeTextFileSync(settings, '{"enabledPlugins": {"event-bus@market": true}}');
  }, /event-bus@market is enabled.*claude plugin disable event-bus@market/],
];

for (const [what, make, message] of UNFIT) {
  Deno.test(`install --hooks refuses and changes nothing when settings.json ${what}`, async () => {
    using machine = usedMachine();
    make(machine);
    const before = everythingIn(machine.home);
    await assert.rejects(install(machine, true), refusedWith(message));
    assert.equal(everythingIn(machine.home), before);
    assert.deepEqual(machine.ran.filter((line) => !line.includes(" print ")), []);
  });
}

for (const [what, make] of UNFIT.slice(0, -1)) {
  Deno.test(`install puts the plugin in and leaves settings.json alone when it ${what}`, async () => {
    using machine = usedMachine();
    make(machine);
    const before = claudes(machine);
    await install(machine);
    assert.deepEqual(claudes(machine).filter((line) => !line.startsWith(machine.plugin)), before);
  });
}

Deno.test("uninstall and install refuse before anything changes when the settings with our hooks cannot be read", async () => {
  using machine = usedMachine();
  await install(machine, true);
  Deno.writeTextFileSync(machine.settings, "{ // broken");
  const before = everythingIn(machine.home);
  await assert.rejects(install(machine), refusedWith(/not valid JSON/));
  await assert.rejects(uninstall(machine), refusedWith(/not valid JSON.*Nothing was changed/));
  assert.equal(everythingIn(machine.home), before);
});

Deno.test("install takes hooks out that no receipt knows of, because they would run twice", async () => {
  using machine = usedMachine();
  await install(machine, true);
  Deno.removeSync(join(machine.at.dataDir, "install.json"));
  assert.match((await install(machine)).out, /take our hooks out of/);
  const { Notification: _empty, ...theirs } = JSON.parse(SETTINGS).hooks;
  assert.deepEqual(hooksIn(machine.settings), theirs);
});

Deno.test("install leaves it to a plugin that is enabled from a marketplace, and says so", async () => {
  using machine = usedMachine();
  await install(machine);
  const enabled = SETTINGS.replace('"event-bus@old": false', '"event-bus@market": true');
  Deno.writeTextFileSync(machine.settings, enabled);
  const { out } = await install(machine);
  assert.match(out, /The plugin event-bus@market is enabled in Claude Code/);
  assert.ok(!claudes(machine).some((line) => line.startsWith(machine.plugin)));
  machine.at.write(".claude/contrib/event-bus/config.json", '{"port": 9090}');
  assert.match((await install(machine)).err, /lead to http:\/\/127\.0\.0\.1:8080, not to .*:9090/);
});

Deno.test("install --command-hooks makes every hook a command, by plugin or in the settings; a plain one takes that back", async () => {
  using machine = usedMachine();
  const before = claudes(machine);
  const commands = async (inSettings: boolean) =>
    await told(await planService(machine, machine.source, { inSettings, onlyCommands: true }));
  const file = join(machine.plugin, "hooks/hooks.json");
  await install(machine);
  const plain = claudes(machine);

  await commands(false);
  assert.equal(
    read(file),
    pluginFiles({ ...machine.target, onlyCommands: true })["hooks/hooks.json"],
  );
  assert.doesNotMatch(read(file), /"type": "http"/);
  assert.match((await commands(false)).out, /The plugin .* is up to date/);
  await commands(true);
  const wanted = hooksFor({ ...machine.target, onlyCommands: true });
  assert.deepEqual(hooksIn(machine.settings).UserPromptSubmit, wanted.UserPromptSubmit);
  assert.match((await commands(true)).out, /The hooks in .* are up to date/);

  assert.match((await install(machine)).out, /become http again; to keep them: --command-hooks/);
  assert.deepEqual(claudes(machine), plain);
  assert.doesNotMatch((await install(machine)).out, /http again/);
  await commands(true);
  await uninstall(machine);
  assert.deepEqual(claudes(machine), before);
});

Deno.test("uninstall leaves what no receipt knows of, and says so", async () => {
  using machine = usedMachine(
    SETTINGS.replace('"event-bus@old": false', '"event-bus@market": true').replace(
      '"Notification": []',
      `"SessionEnd": ${
        JSON.stringify(hooksFor({ url: "http://x", program: "event-bus" }).SessionEnd)
      }`,
    ),
  );
  machine.at.write(".claude/skills/event-bus/SKILL.md", "somebody's skill");
  const before = claudes(machine);
  const { out, err } = await uninstall(machine);
  assert.deepEqual(claudes(machine), before);
  assert.match(out, /skills\/event-bus was not put there by install .*: rm -r /);
  assert.match(err, /hooks in .*settings\.json were not put there by install and stay/);
  assert.match(err, /claude plugin uninstall event-bus@market/);
});

Deno.test("install says when its plugin is disabled in Claude Code", async () => {
  using machine = usedMachine(SETTINGS.replace("event-bus@old", "event-bus@skills-dir"));
  assert.match((await install(machine)).err, /claude plugin enable event-bus@skills-dir/);
});

Deno.test("install goes where CLAUDE_CONFIG_DIR says, and uninstall finds it without the variable", async () => {
  using machine = usedMachine();
  const place = join(machine.home, "elsewhere");
  Object.assign(machine, { claudeDir: place });
  const before = claudes(machine);
  await install(machine, true);
  await install(machine);
  assert.ok(read(join(place, "skills/event-bus/hooks/hooks.json")));
  Object.assign(machine, { claudeDir: join(machine.home, ".claude") });
  await uninstall(machine);
  assert.deepEqual(claudes(machine).filter((line) => !/elsewhere \S+ folder$/.test(line)), before);
});

Deno.test("install --url leads the hooks to that bus with the token by its variable only", async () => {
  using machine = usedMachine();
  const before = claudes(machine);
  const url = "http://100.64.0.1:8080";
  const target = { ...machine.target, url };
  const client = async (inSettings: boolean) =>
    await told(await planClient(machine, machine.source, url, "hidden", { inSettings }));
  const { out } = await client(false);
  assert.match(out, /export EVENT_BUS_TOKEN=/);
  const file = join(machine.plugin, "hooks/hooks.json");
  assert.equal(read(file), pluginFiles(target)["hooks/hooks.json"]);
  await client(true);
  assert.deepEqual(hooksIn(machine.settings).SessionEnd, hooksFor(target).SessionEnd);
  assert.ok(!Deno.readTextFileSync(machine.settings).includes("hidden"));
  assert.ok(!everythingIn(machine.home).includes(new TextEncoder().encode("hidden").toHex()));
  await uninstall(machine);
  assert.deepEqual(claudes(machine), before);
});
