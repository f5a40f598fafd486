import assert from "node:assert/strict";
import type { Finding } from "../../cli/doctor/finding.ts";
import { tempHome } from "../helpers/home.ts";
import { run, serve, SUBJECT } from "../helpers/process.ts";

Deno.test(`${SUBJECT} doctor: sees with the permissions that it has, and exits 1 where something is broken`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const env = { EVENT_BUS_URL: server.url };
  const { code, stdout, stderr } = await run(["doctor", "--json"], { home, env });
  assert.equal(stderr, "");
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  const of = (check: string) => findings.find((one) => one.check === check);
  assert.equal(of("server")?.verdict, "ok");
  assert.match(of("disk")?.found ?? "", / are free at /, "the server may look at its disk");
  assert.equal(of("hooks")?.verdict, "broken", "an empty home has none");
  assert.equal(code, 1);
  const unlooked = findings.filter(({ found }) => found.includes("could not be looked at"));
  assert.deepEqual(unlooked, []);
});

Deno.test(`${SUBJECT} statusline: one line and exit 0, with a bus and without one`, async () => {
  using home = tempHome();
  const stdin = JSON.stringify({ session_id: "c1", cwd: home.path });
  const line = async (url: string) => {
    const env = { EVENT_BUS_URL: url };
    const { code, stdout, stderr } = await run(["statusline"], { home, env, stdin });
    assert.deepEqual([code, stderr], [0, ""]);
    return stdout;
  };
  await using server = await serve({ home });
  assert.equal(await line(server.url), "event-bus: this session is not registered\n");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const gone = `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  listener.close();
  assert.equal(await line(gone), "⚠ event-bus: unreachable, see event-bus doctor\n");
});
