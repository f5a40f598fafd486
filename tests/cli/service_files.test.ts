import assert from "node:assert/strict";
import { join } from "node:path";
import { difference } from "../../cli/service/diff.ts";
import { renderPlist, variablesOfPlist } from "../../cli/service/launchd.ts";
import { renderUnit, variablesOfUnit } from "../../cli/service/systemd.ts";
import { CliError } from "../../cli/verb.ts";
import { isInstalled, runOther } from "../helpers/process.ts";
import { type Home, tempHome } from "../helpers/home.ts";

/** Names of home folders as they may be. */
const ODD_HOMES = [
  "plain",
  "with  spaces",
  "a & b <c>",
  "Zoë 日本 😀",
  "100%s $HOME ${PATH} @ERRORS@",
  "]]> -- ;",
];

const pathsIn = (folder: string) => ({
  program: join(folder, ".local/bin/event-bus"),
  errors: join(folder, "data/event-bus.err"),
});

const READ_PLIST = "import json, plistlib, sys; " +
  "json.dump(plistlib.loads(sys.stdin.buffer.read()), sys.stdout)";

const hasPython = isInstalled("python3");

async function readPlist(home: Home, plist: string) {
  const { stdout, stderr, code } = await runOther("python3", ["-c", READ_PLIST], {
    home,
    stdin: plist,
  });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test({
  name: "renderPlist: plistlib reads what was meant, whatever the home folder is called" +
    (hasPython ? "" : " (skipped: python3 is not installed)"),
  ignore: !hasPython,
  async fn() {
    using home = tempHome();
    for (const name of [...ODD_HOMES, "o'brien", 'back\\slash "quoted"']) {
      const paths = pathsIn(join(home.path, name));
      assert.deepEqual(await readPlist(home, renderPlist(paths)), {
        Label: "local.event-bus",
        ProgramArguments: [paths.program, "serve"],
        RunAtLoad: true,
        KeepAlive: true,
        ThrottleInterval: 5,
        ProcessType: "Background",
        Umask: 0o77,
        EnvironmentVariables: {
          PATH: "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        },
        StandardOutPath: paths.errors,
        StandardErrorPath: paths.errors,
      });
    }
  },
});

const hasSystemd = isInstalled("systemd-analyze");

Deno.test({
  name: "renderUnit: systemd-analyze verify passes it, whatever the home folder is called" +
    (hasSystemd ? "" : " (skipped: systemd-analyze is not installed)"),
  ignore: !hasSystemd,
  async fn() {
    using home = tempHome();
    Deno.mkdirSync(join(home.path, "run"), { mode: 0o700 });
    const verify = (unit: string) =>
      runOther("systemd-analyze", ["--user", "verify", unit], {
        home,
        env: { XDG_RUNTIME_DIR: join(home.path, "run") },
      });
    for (const [i, name] of ODD_HOMES.entries()) {
      const paths = pathsIn(join(home.path, name));
      // Only a program that is there passes: so this also shows that the path is read as meant.
      const unit = home.write(`${i}/event-bus.service`, renderUnit(paths), 0o644);
      const absent = await verify(unit);
      assert.notEqual(absent.code, 0, name);
      home.write(join(name, ".local/bin/event-bus"), "#!/bin/sh\n", 0o755);
      const present = await verify(unit);
      assert.deepEqual({ ...present, name }, { code: 0, stdout: "", stderr: "", name });
    }
  },
});

Deno.test("renderUnit: prints go to the named file, with % doubled", () => {
  const unit = renderUnit({ program: "/h/100%/event-bus", errors: "/h/100%/a b.err" });
  assert.match(unit, /^ExecStart="\/h\/100%%\/event-bus" serve$/m);
  assert.match(unit, /^StandardError=append:\/h\/100%%\/a b\.err$/m);
  assert.match(unit, /^UMask=0077$/m);
});

Deno.test("renderUnit: what systemd cannot run, or would read as a second line, is refused", () => {
  const refused = (failure: unknown) => failure instanceof CliError && failure.exit === 1;
  assert.throws(() => renderUnit({ program: "/h\nExecStartPre=x", errors: "/e" }), refused);
  assert.throws(() => renderUnit({ program: "/h", errors: "/e\n[X]" }), refused);
  for (const home of ["o'brien", 'a "b"', "back\\slash"]) {
    assert.throws(() => renderUnit(pathsIn(`/home/${home}`)), refused, home);
  }
});

Deno.test("service files carry no settings and leave no word unfilled", () => {
  const paths = pathsIn("/home/ann");
  for (const text of [renderPlist(paths), renderUnit(paths)]) {
    assert.doesNotMatch(text, /@[A-Z]+@/);
    assert.doesNotMatch(text, /EVENT_BUS_|HOST|TOKEN/);
  }
});

Deno.test("variablesOfPlist reads what is set, not what is commented out", () => {
  const plist = `<plist version="1.0"><dict>
    <key>Label</key><string>com.evansenter.claude-event-bus</string>
    <key>EnvironmentVariables</key>
    <dict>
      <key>PORT</key> <string>9090</string>
      <!-- <key>HOST</key><string>1.2.3.4</string> -->
      <key>EVENT_BUS_ICON</key>
      <string>/a &amp; b/&#x69;con&#46;png</string>
    </dict>
    <key>KeepAlive</key><true/>
  </dict></plist>`;
  assert.deepEqual(variablesOfPlist(plist), { PORT: "9090", EVENT_BUS_ICON: "/a & b/icon.png" });
  assert.deepEqual(variablesOfPlist("<plist><dict></dict></plist>"), {});
  assert.equal(variablesOfPlist("bplist00\u0001"), null);
});

Deno.test("variablesOfUnit reads quoted, bare and several assignments", () => {
  const unit = [
    "[Service]",
    'Environment="AGENT_EVENT_BUS_LOG=/a b/100%%.log" PORT=9090',
    "# Environment=HOST=1.2.3.4",
    "Environment='X=1 2'",
    "EnvironmentFile=/etc/x",
  ].join("\n");
  assert.deepEqual(variablesOfUnit(unit), {
    AGENT_EVENT_BUS_LOG: "/a b/100%.log",
    PORT: "9090",
    X: "1 2",
  });
});

Deno.test("difference shows the lines that go and those that come, in order", () => {
  assert.deepEqual(difference("", "a\nb\n"), ["+ a", "+ b"]);
  assert.deepEqual(difference("a\nb\nc\n", "a\nB\nc\nd\n"), ["- b", "+ B", "+ d"]);
  assert.deepEqual(difference("a\n", "a\n"), []);
  assert.deepEqual(difference("a\nb\n", "b\na\n"), ["- a", "+ a"]);
  const long = "1\n2\n3\n4\n5\n6\n7\n";
  const changed = long.replace("2", "two").replace("6", "six");
  assert.deepEqual(difference(long, changed, 1), [
    ...["  1", "- 2", "+ two", "  3"],
    "...",
    ...["  5", "- 6", "+ six", "  7"],
  ]);
});
