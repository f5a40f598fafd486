import assert from "node:assert/strict";
import { planService } from "../../cli/install.ts";
import { type Finding, findingsText, verdictOf } from "../../cli/doctor/finding.ts";
import { cli } from "../helpers/cli.ts";
import { faultsOf, hooksIn, noPlugin, service, SETTINGS } from "../helpers/faults.ts";
import { tempHome } from "../helpers/home.ts";
import { told } from "../helpers/mac.ts";
import { healthy } from "../helpers/patient.ts";
import { testServer } from "../helpers/server.ts";

for (const os of ["darwin", "linux"]) {
  Deno.test(`examine: where all is as it should be on ${os}, nothing is found`, async () => {
    using sick = healthy(os);
    const findings = await sick.examine();
    assert.equal(faultsOf(findings), "");
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

Deno.test("examine: on Linux, too, a service that will not start again is found", async () => {
  using sick = healthy("linux");
  service(/is-enabled --quiet event-bus\.service/, { code: 1 })(sick);
  const hit = (await sick.examine()).find(({ check }) => check === "service");
  assert.equal(hit?.verdict, "warning");
  assert.equal(hit?.fix, "systemctl --user enable --now event-bus.service");
});

Deno.test("examine: after an installation, by plugin or by hooks, its part is well", async () => {
  for (const inSettings of [false, true]) {
    for (const onlyCommands of [false, true]) {
      using sick = healthy();
      noPlugin(sick);
      const hooks = { inSettings, onlyCommands };
      await told(await planService(sick.machine, sick.machine.source, hooks));
      assert.equal(faultsOf(await sick.examine()), "", JSON.stringify(hooks));
    }
  }
});

Deno.test("examine: what was installed with --command-hooks is put right with --command-hooks", async () => {
  using sick = healthy();
  noPlugin(sick);
  const hooks = { inSettings: true, onlyCommands: true };
  await told(await planService(sick.machine, sick.machine.source, hooks));
  hooksIn(SETTINGS)(sick);
  const hit = (await sick.examine()).find(({ check }) => check === "hooks");
  assert.match(hit?.found ?? "", /not as this version has it/);
  assert.equal(hit?.fix, "event-bus install --hooks --command-hooks");
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
