import assert from "node:assert/strict";
import { join } from "node:path";
import { Refusal } from "../../cli/client.ts";
import { planClient, planService } from "../../cli/install.ts";
import { planRestart } from "../../cli/restart.ts";
import { fingerprint, lookAt } from "../../cli/service/files.ts";
import { shellLine } from "../../cli/service/machine.ts";
import { addToReceipt } from "../../cli/service/receipt.ts";
import { CliError } from "../../cli/verb.ts";
import { planUninstall } from "../../cli/uninstall.ts";
import { type FakeMachine, fakeMachine, NO_BUS, told } from "../helpers/mac.ts";
import { everythingIn } from "../helpers/stand_ins.ts";

const SEED = "com.evansenter.claude-event-bus";
const LATER = "com.evansenter.agent-event-bus";
const OURS = "gui/501/local.event-bus";

const read = (path: string) => Deno.readTextFileSync(path);
const namesIn = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();

function plist(variables: Record<string, string>): string {
  const pairs = Object.entries(variables)
    .map(([key, value]) => `<key>${key}</key><string>${value}</string>`);
  return `<?xml version="1.0"?><plist version="1.0"><dict><key>EnvironmentVariables</key><dict>${
    pairs.join("")
  }</dict></dict></plist>`;
}

function original(machine: FakeMachine, label: string, variables: Record<string, string>): void {
  machine.at.write(`Library/LaunchAgents/${label}.plist`, plist(variables));
}

const config = (machine: FakeMachine) => JSON.parse(read(join(machine.at.dataDir, "config.json")));

async function install(machine: FakeMachine) {
  return await told(await planService(machine, machine.source));
}

function fails(exit: number, message: RegExp) {
  return (failure: unknown) => {
    assert.ok(failure instanceof CliError, String(failure));
    assert.match(failure.message, message);
    assert.equal(failure.exit, exit);
    return true;
  };
}

Deno.test("planService on macOS boots out before it bootstraps, and connects Claude Code last", async () => {
  using machine = fakeMachine();
  const { err } = await install(machine);
  assert.equal(err, "");
  assert.deepEqual(machine.ran.filter((line) => !/launchctl print/.test(line)), [
    `launchctl bootout ${OURS}`,
    `launchctl enable ${OURS}`,
    `launchctl bootstrap gui/501 ${machine.agent("local.event-bus")}`,
    "claude mcp get agent-event-bus",
    "claude mcp get event-bus",
    "claude mcp add --transport http --scope user event-bus http://127.0.0.1:8080/mcp",
  ]);
  assert.ok(read(machine.agent("local.event-bus")).includes(machine.home));
});

Deno.test("planService tries again while launchd still ends the former process, and only then", async () => {
  using machine = fakeMachine();
  let attempts = 0;
  machine.answer = (line) =>
    line.includes("bootstrap") && ++attempts < 4
      ? { code: 5, stderr: "Bootstrap failed: 5: Input/output error" }
      : undefined;
  await install(machine);
  assert.equal(attempts, 4);
  assert.deepEqual(machine.slept, [100, 200, 400]);
  machine.answer = (line) =>
    line.includes("bootstrap") ? { code: 125, stderr: "Domain does not support it" } : undefined;
  await assert.rejects(install(machine), fails(1, /Domain does not support it.*event-bus serve/));
});

Deno.test("planService waits for the bus with growing pauses, and gives up after ten seconds", async () => {
  using machine = fakeMachine();
  let looks = 0;
  machine.bus = (...args) =>
    ++looks < 4 ? NO_BUS(...args) : Promise.resolve({ status: "ok", version: "1" });
  await install(machine);
  assert.deepEqual(machine.slept, [50, 100, 200]);

  machine.slept.length = 0;
  machine.bus = NO_BUS;
  Deno.writeTextFileSync(join(machine.at.dataDir, "event-bus.err"), "Error: the port is taken\n");
  await assert.rejects(install(machine), fails(3, /within 10 seconds.*\n.*\n.*the port is taken/));
  const total = machine.slept.reduce((sum, ms) => sum + ms, 0);
  assert.ok(total > 9000 && total <= 10_000, `${total}`);
});

Deno.test("planService says when it is another process that answers", async () => {
  using machine = fakeMachine();
  machine.bus = () => Promise.resolve({ status: "ok", version: "1", uptime_seconds: 3600 });
  assert.match((await install(machine)).err, /Another event-bus has been answering/);
});

Deno.test("planService takes over from the original and keeps what it was told; uninstall gives back", async () => {
  using machine = fakeMachine();
  machine.answer = (line) => line.includes(`print gui/501/${LATER}`) ? { code: 0 } : undefined;
  machine.at.write(".claude/contrib/event-bus/token", "t\n");
  original(machine, SEED, {
    PATH: "/usr/bin",
    PYTHONPATH: "/src",
    HOST: "0.0.0.0",
    PORT: "9090",
    EVENT_BUS_ICON: "/a &amp; b.png",
    EVENT_BUS_TESTING: "1",
  });
  const agents = join(machine.home, "Library/LaunchAgents");
  const before = read(machine.agent(SEED));
  machine.at.write(".local/bin/event-bus-cli", "the original's", 0o755);

  const { out } = await install(machine);
  const stops = machine.ran.filter((line) => line.includes("bootout"));
  assert.deepEqual(
    stops,
    [SEED, LATER, "local.event-bus"].map((label) => `launchctl bootout gui/501/${label}`),
  );
  assert.deepEqual(namesIn(agents), [`${SEED}.plist.before-event-bus`, "local.event-bus.plist"]);
  assert.deepEqual(config(machine), { host: "0.0.0.0", port: 9090, icon: "/a & b.png" });
  assert.match(out, /was told HOST=0\.0\.0\.0 PORT=9090/);
  assert.match(out, /also set EVENT_BUS_TESTING/);
  assert.match(out, /answers at http:\/\/127\.0\.0\.1:9090/);
  const bin = join(machine.home, ".local/bin");
  assert.deepEqual(namesIn(bin), ["event-bus", "event-bus-cli", "event-bus-cli.before-event-bus"]);

  const offered = await told(await planUninstall(machine, false));
  assert.match(offered.out, new RegExp(`mv .*${SEED}.* && launchctl bootstrap gui/501 .*${SEED}`));
  assert.deepEqual(namesIn(agents), [`${SEED}.plist.before-event-bus`]);

  await told(await planUninstall(machine, true));
  assert.deepEqual(namesIn(agents), [`${SEED}.plist`]);
  assert.equal(read(machine.agent(SEED)), before);
  assert.equal(machine.ran.at(-1), `launchctl bootstrap gui/501 ${machine.agent(SEED)}`);
  assert.equal(read(join(bin, "event-bus-cli")), "the original's");
  assert.deepEqual(config(machine).host, "0.0.0.0", "settings are data");
});

Deno.test("planService leaves the original's defaults, and an existing config.json, alone", async () => {
  using machine = fakeMachine();
  original(machine, LATER, {
    HOST: "127.0.0.1",
    AGENT_EVENT_BUS_LOG: `${machine.home}/.claude/contrib/agent-event-bus/agent-event-bus.log`,
    AGENT_EVENT_BUS_ERR: "/x.err",
  });
  await install(machine);
  assert.ok(!namesIn(machine.at.dataDir).includes("config.json"));

  machine.at.write(".claude/contrib/event-bus/config.json", '{"port": 7000}');
  original(machine, SEED, { PORT: "9090" });
  const { out } = await install(machine);
  assert.match(out, /was told PORT=9090; .*config\.json is there already/);
  assert.deepEqual(config(machine), { port: 7000 });
  assert.match(out, /answers at http:\/\/127\.0\.0\.1:7000/);
});

Deno.test("planService refuses to serve beyond loopback without a token before it changes anything", async () => {
  using machine = fakeMachine();
  original(machine, SEED, { HOST: "0.0.0.0" });
  const before = everythingIn(machine.home);
  await assert.rejects(install(machine), fails(1, /0\.0\.0\.0.*openssl rand/s));
  assert.equal(everythingIn(machine.home), before);
  assert.deepEqual(machine.ran.filter((line) => !line.includes(" print ")), []);
});

Deno.test("planService has Claude Code send the token when this machine needs one, too", async () => {
  using machine = fakeMachine();
  machine.at.write(".claude/contrib/event-bus/token", "a-token-of-its-own\n");
  machine.at.write(".claude/contrib/event-bus/config.json", '{"require_token": true}');
  const { out } = await install(machine);
  assert.match(out, /claude mcp add .*--header 'Authorization: Bearer \$\{EVENT_BUS_TOKEN\}'/);
  assert.match(out, /export EVENT_BUS_TOKEN="\$\(cat /);
  assert.ok(!out.includes("a-token-of-its-own"));
});

Deno.test("planService mentions the original's wake bridge and lets it be", async () => {
  using machine = fakeMachine();
  original(machine, `${LATER}-bridge`, {});
  assert.match((await install(machine)).out, /wake bridge, is a client of the bus and stays/);
  assert.ok(!machine.ran.some((line) => /bootout.*bridge/.test(line)));
});

Deno.test("a service file that was changed by hand is set aside; our own older one is replaced", async () => {
  using machine = fakeMachine();
  const agents = join(machine.home, "Library/LaunchAgents");
  const file = machine.agent("local.event-bus");
  await install(machine);
  const ours = read(file);
  Deno.writeTextFileSync(file, ours.replace("</dict>", "<key>Nice</key></dict>"));
  assert.match((await install(machine)).out, /because it was changed by hand/);
  assert.deepEqual(namesIn(agents), [
    "local.event-bus.plist",
    "local.event-bus.plist.edited-by-hand",
  ]);
  assert.equal(read(file), ours);
  const older = "as an older version wrote it";
  Deno.writeTextFileSync(file, older);
  addToReceipt(machine.at.dataDir, { service: { file, fingerprint: fingerprint(older) } });
  await install(machine);
  assert.equal(read(file), ours);
  assert.equal(namesIn(agents).length, 2);
  Deno.writeTextFileSync(file, "changed again");
  await told(await planUninstall(machine, false));
  assert.deepEqual(namesIn(agents), [
    "local.event-bus.plist.edited-by-hand",
    "local.event-bus.plist.edited-by-hand-2",
  ]);
});

Deno.test("the program is replaced when it is another, and a stranger of its name is set aside", async () => {
  using machine = fakeMachine();
  const bin = join(machine.home, ".local/bin");
  machine.at.write(".local/bin/event-bus", "a stranger", 0o755);
  await install(machine);
  assert.equal(read(join(bin, "event-bus.before-event-bus")), "a stranger");
  Deno.writeTextFileSync(machine.source, "the next version");
  await install(machine);
  assert.equal(read(join(bin, "event-bus")), "the next version");
  assert.deepEqual(namesIn(bin), ["event-bus", "event-bus-cli", "event-bus.before-event-bus"]);
});

Deno.test("a program that was at its place before the installation stays after it", async () => {
  using machine = fakeMachine();
  const program = machine.at.write(".local/bin/event-bus", "downloaded there", 0o755);
  await told(await planService(machine, program));
  const { out } = await told(await planUninstall(machine, false));
  assert.match(out, new RegExp(`to remove it: rm ${program}`));
  assert.equal(read(program), "downloaded there");
});

Deno.test("Claude Code's entry by our name with another address is replaced, and offered back", async () => {
  using machine = fakeMachine();
  const entries: Record<string, string> = {
    "event-bus": "http://localhost:8080/mcp",
    "agent-event-bus": "http://localhost:8080/mcp",
  };
  machine.answer = (line) => {
    const [, , verb, ...words] = line.split(" ");
    if (!line.startsWith("claude")) return undefined;
    const name = verb === "add" ? "event-bus" : words[0] as string;
    if (verb === "remove") delete entries[name];
    if (verb === "add") entries[name] = words.at(-1) as string;
    if (verb === "get" && entries[name] !== undefined) {
      return { code: 0, stdout: `${name}:\n  Scope: User config\n  URL: ${entries[name]}` };
    }
    return undefined;
  };
  const { out } = await install(machine);
  assert.match(out, /knew event-bus as http:\/\/localhost:8080\/mcp; that is replaced/);
  assert.match(out, /also has an MCP server agent-event-bus/);
  assert.equal(entries["event-bus"], "http://127.0.0.1:8080/mcp");
  await install(machine);
  const gone = await told(await planUninstall(machine, false));
  assert.match(gone.out, /Before, Claude Code knew .*localhost:8080\/mcp: claude mcp add/);
  assert.deepEqual(Object.keys(entries), ["agent-event-bus"]);
});

Deno.test("without claude the line to type is printed; a failing one is no failed installation", async () => {
  using machine = fakeMachine();
  const without = { ...machine, path: "/nowhere" };
  const { out, err } = await told(await planService(without, machine.source));
  assert.match(out, /claude is not installed here; to connect Claude Code: claude mcp add/);
  assert.match(err, /\.local\/bin is not on PATH/);
  machine.answer = (line) => line.includes("mcp add") ? { code: 1, stderr: "boom" } : undefined;
  assert.match(
    (await install(machine)).err,
    /could not be connected \(boom\); try: claude mcp add/,
  );
});

Deno.test("planService on an address of this machine lets Claude Code send the token by reference", async () => {
  using machine = fakeMachine();
  machine.at.write(".claude/contrib/event-bus/token", "hidden\n");
  machine.at.write(".claude/contrib/event-bus/config.json", '{"host": "100.64.0.1"}');
  let seen: unknown[] = [];
  machine.bus = (...args) => {
    seen = args;
    return Promise.resolve({ status: "ok", version: "1" });
  };
  const { out } = await install(machine);
  assert.deepEqual(seen, ["http://100.64.0.1:8080", "hidden"]);
  const add = machine.ran.at(-1) as string;
  assert.match(
    add,
    /100\.64\.0\.1:8080\/mcp --header Authorization: Bearer \$\{EVENT_BUS_TOKEN\}$/,
  );
  assert.doesNotMatch(out, /hidden/);
  assert.match(out, /On other machines.*install --url/);
});

Deno.test("planService on Linux enables the unit, and restarts one that ran", async () => {
  using machine = fakeMachine("linux");
  machine.answer = (line) =>
    line.endsWith("show-environment") || line.endsWith("is-active --quiet event-bus.service")
      ? { code: 0, stdout: "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/501/bus" }
      : undefined;
  machine.at.write(
    ".config/systemd/user/agent-event-bus.service",
    '[Service]\nEnvironment="PORT=9091"\n',
  );
  machine.at.write(
    ".config/systemd/user/agent-event-bus.service.d/override.conf",
    "[Service]\nEnvironment=PORT=9092\n",
  );
  const { out } = await install(machine);
  assert.deepEqual(
    machine.ran.filter((line) => /^systemctl (?!.*(is-active|show-env))/.test(line)),
    [
      "systemctl --user disable --now agent-event-bus.service",
      "systemctl --user daemon-reload",
      "systemctl --user enable --now event-bus.service",
      "systemctl --user restart event-bus.service",
    ],
  );
  assert.deepEqual(config(machine), { port: 9092 });
  assert.match(out, /loginctl enable-linger/);
  assert.doesNotMatch(out, /DBUS_SESSION_BUS_ADDRESS/);
  machine.ran.length = 0;
  await told(await planUninstall(machine, true));
  assert.deepEqual(machine.ran.filter((line) => /enable|disable/.test(line)), [
    "systemctl --user disable --now event-bus.service",
    "systemctl --user enable --now agent-event-bus.service",
  ]);
});

Deno.test("without a service manager the line says what to do, and uninstall still takes back", async () => {
  using linux = fakeMachine("linux");
  await install(linux);
  linux.answer = (line) =>
    line.includes("show-environment") ? { code: 1, stderr: "Failed to connect to bus" } : undefined;
  await assert.rejects(install(linux), fails(1, /Failed to connect to bus.*event-bus serve/));
  const { err } = await told(await planUninstall(linux, false));
  assert.match(err, /does not answer/);
  assert.deepEqual(namesIn(join(linux.home, ".config/systemd/user")), []);
  using windows = fakeMachine("windows");
  await assert.rejects(install(windows), fails(1, /only macOS and Linux/));
});

Deno.test("planRestart starts the service anew, and refuses when none is installed", async () => {
  using machine = fakeMachine();
  await assert.rejects(planRestart(machine), fails(1, /event-bus install/));
  await install(machine);
  machine.ran.length = 0;
  await told(await planRestart(machine));
  assert.deepEqual(machine.ran.map((line) => line.split(" ")[1]), [
    "bootout",
    "enable",
    "bootstrap",
  ]);
});

Deno.test("planClient changes nothing when the bus cannot be reached", async () => {
  using machine = fakeMachine();
  machine.bus = NO_BUS;
  const before = everythingIn(machine.home);
  const plan = planClient(machine, machine.source, "http://100.64.0.1:8080", null);
  await assert.rejects(plan, fails(3, /Cannot reach/));
  assert.equal(everythingIn(machine.home), before);
});

Deno.test("planClient adds the address to settings that are there, and overwrites none", async () => {
  using machine = fakeMachine();
  machine.at.write(".claude/contrib/event-bus/config.json", '{"machine": "desk"}');
  const client = async (url: string) => told(await planClient(machine, machine.source, url, null));
  await client("http://100.64.0.1:8080");
  assert.deepEqual(config(machine), { machine: "desk", url: "http://100.64.0.1:8080" });
  assert.match((await client("http://100.64.0.2:8080")).err, /names another bus/);
  assert.deepEqual(config(machine).url, "http://100.64.0.1:8080");
  assert.ok(!machine.ran.some((line) => line.startsWith("launchctl")));
});

Deno.test("uninstall takes back the config.json and the folders that install --url made, unless they hold more", async () => {
  const url = "http://100.64.0.1:8080";
  const installed = async (machine: FakeMachine) =>
    await told(await planClient(machine, machine.source, url, null));
  const left = ({ home, at }: FakeMachine) =>
    [join(at.dataDir, "config.json"), join(home, ".local")].filter((path) => lookAt(path) !== null);
  {
    using machine = fakeMachine();
    await installed(machine);
    await installed(machine);
    assert.equal(left(machine).length, 2);
    await told(await planUninstall(machine, false));
    assert.deepEqual(left(machine), []);
  }
  {
    using machine = fakeMachine();
    await installed(machine);
    machine.at.write(".local/share/mine", "");
    machine.at.write(
      ".claude/contrib/event-bus/config.json",
      JSON.stringify({ url, machine: "m" }),
    );
    await told(await planUninstall(machine, false));
    assert.equal(left(machine).length, 2, "somebody else's by now");
    assert.equal(lookAt(join(machine.home, ".local/bin")), null);
  }
  {
    using machine = fakeMachine();
    machine.at.write(".local/bin/mine", "");
    machine.at.write(".claude/contrib/event-bus/config.json", '{"machine": "desk"}');
    await installed(machine);
    Deno.removeSync(join(machine.home, ".local/bin/mine"));
    await told(await planUninstall(machine, false));
    assert.deepEqual(config(machine), { machine: "desk", url }, "it was there before");
    assert.ok(lookAt(join(machine.home, ".local/bin")), "and so was this");
  }
});

Deno.test("planClient has Claude Code send the token to a bus of this machine that wants one", async () => {
  const line = async (token: string | null, wanted: boolean) => {
    using machine = fakeMachine();
    machine.bus = (_url, given) =>
      wanted && given === null
        ? Promise.reject(new Refusal({ error: "No", code: "unauthenticated" }))
        : Promise.resolve({ status: "ok", version: "1" });
    const url = "http://127.0.0.1:9999";
    await told(await planClient(machine, machine.source, url, token));
    return machine.ran.at(-1);
  };
  const add = "claude mcp add --transport http --scope user event-bus http://127.0.0.1:9999/mcp";
  assert.equal(
    await line("a-token", true),
    `${add} --header Authorization: Bearer \${EVENT_BUS_TOKEN}`,
  );
  assert.equal(await line("a-token", false), add);
  assert.equal(await line(null, false), add);
});

Deno.test("shellLine: what a shell would take apart is quoted", () => {
  assert.equal(shellLine("mv", "/a b/o'x", "$HOME"), `mv '/a b/o'\\''x' '$HOME'`);
  assert.equal(shellLine("http://127.0.0.1:8080/mcp"), "http://127.0.0.1:8080/mcp");
});
