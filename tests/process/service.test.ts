/** The service verbs of the whole program, against stand-ins that really run what they are told to. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { furnish, SETTINGS } from "../helpers/claude_home.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { type Finished, installAs, run, serve, SUBJECT } from "../helpers/process.ts";
import { everythingIn, type StandIns, standIns } from "../helpers/stand_ins.ts";

const IS_MAC = Deno.build.os === "darwin";
const UID = Deno.uid();

interface Machine extends AsyncDisposable {
  readonly home: Home;
  readonly told: StandIns["told"];
  readonly programs: StandIns;
  readonly serviceFile: string;
  run(...args: string[]): Promise<Finished>;
  install(...args: string[]): Promise<Finished>;
}

/** A home with the stand-ins first on PATH. */
function machine(env: Record<string, string> = {}): Machine {
  const home = tempHome();
  const programs = standIns(home);
  const bin = join(home.path, ".local", "bin");
  const path = `${programs.folder}:${bin}:${Deno.env.get("PATH")}`;
  const runHere = (...args: string[]) => run(args, { home, env: { PATH: path, ...env } });
  // The program from source is a script; a binary installs itself.
  const script = SUBJECT === "source" ? join(installAs(home, "event-bus"), "event-bus") : null;
  const source = script === null ? [] : ["--binary", script];
  return {
    home,
    programs,
    told: programs.told,
    serviceFile: IS_MAC
      ? join(home.path, "Library/LaunchAgents/local.event-bus.plist")
      : join(home.path, ".config/systemd/user/event-bus.service"),
    run: runHere,
    install: (...args) => runHere("install", ...source, ...args),
    async [Symbol.asyncDispose]() {
      await programs[Symbol.asyncDispose]();
      home[Symbol.dispose]();
    },
  };
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

function withPort({ home }: Machine): { port: number; url: string } {
  const port = freePort();
  home.write(".claude/contrib/event-bus/config.json", JSON.stringify({ port }));
  return { port, url: `http://127.0.0.1:${port}` };
}

const read = (path: string) => Deno.readTextFileSync(path);
const exists = (path: string) => {
  try {
    return Deno.lstatSync(path) !== null;
  } catch {
    return false;
  }
};
const modeOf = (path: string) => (Deno.lstatSync(path).mode ?? 0) & 0o777;

function done(finished: Finished): Finished {
  assert.equal(finished.code, 0, finished.stdout + finished.stderr);
  return finished;
}

const START = IS_MAC
  ? (file: string) => [
    `launchctl bootout gui/${UID}/local.event-bus`,
    `launchctl enable gui/${UID}/local.event-bus`,
    `launchctl bootstrap gui/${UID} ${file}`,
  ]
  : () => ["systemctl --user daemon-reload", "systemctl --user enable --now event-bus.service"];

Deno.test(`install (${SUBJECT}) runs a bus that answers, twice is safe, and uninstall takes it back`, async () => {
  await using here = machine();
  const { url } = withPort(here);
  const { home, programs, serviceFile } = here;
  const bin = join(home.path, ".local/bin");
  const untouched = everythingIn(home.path);

  const first = done(await here.install());
  assert.match(first.stdout, new RegExp(`^event-bus \\S+ answers at ${url}$`, "m"));
  assert.equal(first.stderr, "");
  assert.equal(Deno.readLinkSync(join(bin, "event-bus-cli")), "event-bus");
  assert.deepEqual([modeOf(join(bin, "event-bus")), modeOf(serviceFile)], [0o755, 0o644]);
  assert.ok(read(serviceFile).includes(join(bin, "event-bus")));
  const add = `claude mcp add --transport http --scope user event-bus ${url}/mcp`;
  assert.deepEqual(here.told(), [...START(serviceFile), add]);
  assert.deepEqual(programs.entries(), [`event-bus ${url}/mcp`]);
  const published = await here.run("publish", "--type", "done", "--payload", "x", "--json");
  assert.equal(JSON.parse(done(published).stdout).event_id, 1);
  for (const name of ["install.json", "config.json", "event-bus.err", "data.db"]) {
    assert.equal(modeOf(join(home.dataDir, name)), 0o600, name);
  }

  const second = done(await here.install());
  assert.match(second.stdout, /event-bus is this version already/);
  assert.match(second.stdout, /Claude Code is connected to this address already/);
  assert.deepEqual(programs.entries(), [`event-bus ${url}/mcp`]);
  const restarted = done(await here.run("restart", "--json"));
  assert.equal(JSON.parse(restarted.stdout).warnings.length, 0);
  const events = JSON.parse(done(await here.run("events", "--json")).stdout).events;
  assert.equal(events.length, 1, "what was published is still there");

  const gone = done(await here.run("uninstall"));
  assert.match(gone.stdout, new RegExp(`The data stays in ${home.dataDir}`));
  assert.deepEqual(programs.entries(), []);
  assert.equal((await here.run("status")).code, 3);
  for (
    const name of [
      "event-bus.err",
      "event-bus.log",
      "audit.log",
      "data.db",
      "data.db-lock",
      "data.db-wal",
      "data.db-shm",
    ]
  ) {
    if (exists(join(home.dataDir, name))) Deno.removeSync(join(home.dataDir, name));
  }
  const left = everythingIn(home.path).split("\n").filter((line) => !untouched.includes(line));
  assert.deepEqual(left.filter((line) => !line.endsWith(" folder")), [], "only folders are left");
  assert.match(done(await here.run("uninstall")).stdout, /^Nothing is installed here$/m);
});

Deno.test(`install (${SUBJECT}) puts sessions on the bus by plugin or by hooks, and back, among other people's things`, async () => {
  await using here = machine();
  const { url } = withPort(here);
  const { home } = here;
  furnish(home);
  const settings = join(home.path, ".claude/settings.json");
  const plugin = join(home.path, ".claude/skills/event-bus");
  const program = join(home.path, ".local/bin/event-bus");
  const claudes = () =>
    everythingIn(home.path).split("\n").filter((line) =>
      [".claude.json", ".claude/", "project"].some((name) =>
        line.startsWith(join(home.path, name))
      ) &&
      !line.startsWith(join(home.path, ".claude/contrib"))
    );
  const before = claudes();

  done(await here.install());
  assert.deepEqual(claudes().filter((line) => !line.startsWith(plugin)), before);
  const { hooks, modules } = JSON.parse(read(join(plugin, "hooks/hooks.json")));
  assert.equal(hooks.UserPromptSubmit[0].hooks[0].url, `${url}/hooks/claude-code`);
  assert.equal(hooks.SessionStart[0].hooks[0].command, program);
  assert.ok(read(join(plugin, "hooks", modules[0])).includes(JSON.stringify(url)));
  const withPlugin = claudes();
  assert.match(done(await here.install()).stdout, /The plugin .* is up to date/);
  assert.deepEqual(claudes(), withPlugin);

  const dry = done(await here.install("--hooks", "--dry-run"));
  assert.match(dry.stdout, /^would remove the plugin/m);
  assert.match(dry.stdout, /^ {4}\+ .*hooks\/claude-code/m);
  assert.deepEqual(claudes(), withPlugin);
  done(await here.install("--hooks"));
  assert.ok(!exists(plugin));
  assert.deepEqual(JSON.parse(read(settings)).hooks.SessionEnd, hooks.SessionEnd);
  assert.equal(read(`${settings}.before-event-bus`), SETTINGS);
  const withHooks = claudes();
  assert.match(done(await here.install("--hooks")).stdout, /hooks in .* are up to date/);
  assert.deepEqual(claudes(), withHooks);
  done(await here.install());
  assert.deepEqual(claudes(), withPlugin);

  done(await here.install("--hooks"));
  Deno.writeTextFileSync(settings, read(settings).replace("{", "{ // by hand"));
  const unchanged = everythingIn(home.path);
  const refused = await here.run("uninstall");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /not valid JSON.*Nothing was changed/);
  assert.equal(everythingIn(home.path), unchanged);
  Deno.writeTextFileSync(settings, read(settings).replace("{ // by hand", "{"));
  done(await here.run("uninstall"));
  assert.deepEqual(claudes(), before);
});

Deno.test(`install --dry-run (${SUBJECT}) tells all, changes nothing, and does not start claude`, async () => {
  await using here = machine();
  const { url } = withPort(here);
  const before = everythingIn(here.home.path);
  const { stdout } = done(await here.install("--dry-run"));
  assert.equal(everythingIn(here.home.path), before);
  assert.deepEqual(here.told(), []);
  assert.doesNotMatch(here.programs.asked().join("\n"), /^claude/m);
  for (
    const line of [
      /^would copy .* to .*\.local\/bin\/event-bus$/m,
      /^would link .*event-bus-cli to event-bus$/m,
      new RegExp(`^would write ${here.serviceFile}$`, "m"),
      /^ {4}\+ .*\.local\/bin\/event-bus/m,
      new RegExp(`^would wait until it answers at ${url}$`, "m"),
      new RegExp(`^would connect Claude Code: claude mcp add .* event-bus ${url}/mcp$`, "m"),
    ]
  ) assert.match(stdout, line);
});

Deno.test(`install --url (${SUBJECT}) makes a client with the token by reference, and no service`, async () => {
  await using bus = machine();
  const token = "secret-of-the-bus";
  await using server = await serve({ home: bus.home, env: { EVENT_BUS_TOKEN: token } }, [
    "--host",
    "0.0.0.0",
  ]);
  const { port } = new URL(server.url);
  const address = `http://0.0.0.0:${port}`;

  await using refused = machine({ EVENT_BUS_TOKEN: "wrong" });
  const before = everythingIn(refused.home.path);
  const told = await refused.install("--url", address);
  assert.equal(told.code, 1);
  assert.match(told.stderr, /token/);
  assert.equal(everythingIn(refused.home.path), before);

  await using here = machine({ EVENT_BUS_TOKEN: token });
  const { stdout } = done(await here.install("--url", `${address}/mcp`));
  assert.match(stdout, /export EVENT_BUS_TOKEN=<the token>\n/, "there is no file to name");
  assert.deepEqual(here.told(), [
    `claude mcp add --transport http --scope user event-bus ${address}/mcp ` +
    "--header Authorization: Bearer ${EVENT_BUS_TOKEN}",
  ]);
  assert.deepEqual(JSON.parse(read(join(here.home.dataDir, "config.json"))), { url: address });
  assert.equal(exists(here.serviceFile), false);
  assert.doesNotMatch(everythingIn(here.home.path), new RegExp(token));
  done(await here.run("status"));
  const logs = await here.run("logs");
  assert.equal(logs.code, 1);
  assert.match(logs.stderr, /its log is on that machine/);

  done(await here.install("--url", server.url));
  const config = JSON.parse(read(join(here.home.dataDir, "config.json")));
  assert.deepEqual(config, { url: address }, "a setting that is there is not overwritten");
  done(await here.run("uninstall"));
  assert.deepEqual(here.programs.entries(), []);
  assert.equal(exists(join(here.home.path, ".local/bin/event-bus")), false);
});

Deno.test(`restart and logs (${SUBJECT}) without an installation say what to do`, async () => {
  await using here = machine();
  const restart = await here.run("restart");
  assert.equal(restart.code, 1);
  assert.match(restart.stderr, /install it with: event-bus install/);
  const logs = await here.run("logs");
  assert.equal(logs.code, 1);
  assert.match(logs.stderr, /Cannot show the log: there is none at .*event-bus\.log/);
  assert.equal((await here.run("logs", "--lines", "-1")).code, 2);
});

Deno.test({
  name: "install from source says that there is no binary" +
    (SUBJECT === "binary" ? " (skipped: the binary is tested)" : ""),
  ignore: SUBJECT === "binary",
  async fn() {
    await using here = machine();
    const { code, stderr } = await here.run("install");
    assert.equal(code, 1);
    assert.match(stderr, /deno task compile/);
  },
});
