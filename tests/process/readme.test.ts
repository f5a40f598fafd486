/** The README's commands, executed: each of its shell blocks has a place in the table below. */
import { deepStrictEqual as equal, match, ok } from "node:assert";
import { fileURLToPath } from "node:url";
import { VERBS } from "../../cli/verbs.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { installAs, isInstalled, runOther, serve, serveByTask } from "../helpers/process.ts";
import manifest from "../../deno.json" with { type: "json" };

const README = Deno.readTextFileSync(fileURLToPath(new URL("../../README.md", import.meta.url)));
const BLOCKS = [...README.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, code]) => code as string);

/** How a block is exercised, by a piece of text that only it has. */
const EXERCISE: readonly [has: string, how: "run" | "task" | "setup" | "machines"][] = [
  ["task serve\n", "task"],
  ["task test\n", "task"],
  ["./event-bus install", "setup"],
  ["event-bus http://127.0.0.1:8080/mcp\n", "setup"],
  ["event-bus register --name feature", "run"],
  ['--payload "The API is ready"', "run"],
  ["event-bus events --session-id bob", "run"],
  ["curl -d", "run"],
  ["SESSION_ID=$(", "run"],
  ["event-bus wait", "run"],
  ["--consumer ci", "run"],
  ["event-bus delivery", "run"],
  ["event-bus webhook add", "run"],
  ["event-bus doctor", "setup"],
  ["openssl rand", "machines"],
  ["export EVENT_BUS_URL=", "machines"],
  ["--header 'Authorization", "setup"],
  ["task dev\n", "task"],
];

const MISSING = ["bash", "curl", "jq", "openssl"].filter((program) => !isInstalled(program));
const SKIPPED = MISSING.length === 0 ? "" : ` (skipped: no ${MISSING.join(", ")})`;

const blocksTo = (how: string): string[] =>
  BLOCKS.filter((block) => EXERCISE.some(([has, way]) => way === how && block.includes(has)));

function blockWith(text: string): string {
  const block = BLOCKS.find((code) => code.includes(text));
  ok(block !== undefined, `no block has ${text}`);
  return block;
}

function shell(home: Home, script: string, env: Record<string, string> = {}) {
  const PATH = `${installAs(home, "event-bus")}:${Deno.env.get("PATH")}`;
  return runOther("bash", ["-e", "-u", "-o", "pipefail", "-c", script], {
    home,
    env: { PATH, ...env },
  });
}

Deno.test("README: every shell block is exercised here, in one way", () => {
  ok(BLOCKS.length > 0);
  for (const block of BLOCKS) {
    const ways = EXERCISE.filter(([has]) => block.includes(has));
    equal(ways.length, 1, block);
  }
  equal(EXERCISE.length, BLOCKS.length);
});

Deno.test("README: its tasks exist, on the Deno that this runs on", () => {
  const lines = blocksTo("task").flatMap((block) => block.trim().split("\n"));
  equal(lines.length, 6);
  for (const line of lines) {
    const [, version, task] = line.match(/^npx --yes deno@(\S+) task (\S+)$/) ?? [];
    equal(version, Deno.version.deno, line);
    ok(Object.hasOwn(manifest.tasks, task ?? ""), line);
  }
});

Deno.test("README: its first command starts the bus, and stops it when told to", async () => {
  using home = tempHome();
  await using server = await serveByTask({ home });
  equal((await server.call("publish_event", { event_type: "t", payload: "" })).event_id, 1);
  equal(await server.stop(), 0);
});

Deno.test("README: every command and option that it names exists", async () => {
  const code = [
    ...BLOCKS,
    ...[...README.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text as string),
  ];
  const calls = code.flatMap((text) => [
    ...text.matchAll(/(?:^|[ (/])event-bus(?:-cli)? ([a-z]+)(?![a-z:])([^|\n)]*)/gm),
  ]);
  ok(calls.length > 10);
  for (const [call, verb = "", rest = ""] of calls) {
    ok(Object.hasOwn(VERBS, verb), call);
    const help = (await VERBS[verb]?.load())?.verb.help ?? "";
    for (const [option] of rest.matchAll(/--[a-z-]+/g)) {
      ok(option === "--json" || help.includes(option), `${call}: ${option}`);
    }
  }
});

Deno.test("README: what it says to tell Claude Code is what serve says", async () => {
  using home = tempHome();
  await using server = await serve({ home, env: { EVENT_BUS_TOKEN: "secret" } });
  await server.stop();
  const said = await server.output;
  const [local, remote] = blocksTo("setup").filter((block) => block.includes("claude mcp add"));
  ok(said.includes((local ?? "").trim().replace("http://127.0.0.1:8080", server.url)), said);
  const header = remote?.match(/--header .*/)?.[0] ?? "none";
  ok(said.includes(header), said);
  ok(!said.includes("secret"));
});

Deno.test({
  name: `README: the tour, curl and the shell session do what they say${SKIPPED}`,
  ignore: MISSING.length > 0,
  async fn() {
    using home = tempHome();
    await using server = await serve({ home });
    const env = { EVENT_BUS_URL: `${server.url}/mcp` };
    const outputs: Record<string, string> = {};
    for (const block of blocksTo("run")) {
      // There is no desktop here; the command says so and fails, which is its promise.
      const script = block
        .replaceAll("localhost:8080", new URL(server.url).host)
        .replace(/^(event-bus notify .*)$/m, "! $1");
      const { code, stdout, stderr } = await shell(home, script, env);
      equal(code, 0, `${block}\n${stdout}${stderr}`);
      outputs[EXERCISE.find(([has]) => block.includes(has))?.[0] ?? ""] = stdout;
    }
    const expected: [has: string, output: RegExp][] = [
      [
        "event-bus events --session-id bob",
        /task_completed \(all\)[\s\S]*help_needed \(session:bob\)[\s\S]*No events\n$/,
      ],
      ["curl -d", /"channel":"repo:my-project"/],
      [
        "SESSION_ID=$(",
        /\[\d+\] done \(repo:my-project\)[\s\S]*Finished[\s\S]*"success": true/,
      ],
      ["event-bus wait", /ci_completed \(repo:my-project\)[\s\S]*green/],
      ["--consumer ci", /No events/],
      ["event-bus delivery", /^\[1\] session_registered \(all\)/],
      ["event-bus webhook add", /http:\/\/127\.0\.0\.1:9000\/hook/],
    ];
    for (const [has, output] of expected) match(outputs[has] ?? "not run", output);
  },
});

const ADDRESS = isInstalled("hostname")
  ? new TextDecoder().decode(
    new Deno.Command("hostname", { args: ["-I"], stderr: "null" }).outputSync().stdout,
  ).split(/\s/).find((address) => /^[0-9.]+$/.test(address))
  : undefined;
const ALONE = ADDRESS === undefined
  ? " (skipped: this machine has no address beyond loopback)"
  : "";

Deno.test({
  name: `README: more than one machine, as it says${SKIPPED}${ALONE}`,
  ignore: MISSING.length > 0 || ADDRESS === undefined,
  async fn() {
    using home = tempHome();
    using away = tempHome();
    Deno.mkdirSync(home.dataDir, { recursive: true, mode: 0o700 });
    const setUp = blockWith("openssl rand").replace("event-bus restart\n", "");
    const { code, stderr } = await shell(home, setUp);
    equal(code, 0, stderr);
    await using server = await serve({ home });

    const token = Deno.readTextFileSync(`${home.dataDir}/token`).trim();
    const { port } = new URL(server.url);
    const client = blockWith("export EVENT_BUS_URL=")
      .replace("100.64.0.1:8080", `${ADDRESS}:${port}`);
    const known = await shell(away, client.replace("the token from the server machine", token));
    equal([known.code, known.stderr], [0, ""]);
    match(known.stdout, /status: ok/);
    const unknown = await shell(away, client);
    equal(unknown.code, 1);
    match(unknown.stderr, /Cannot serve without a token/);
  },
});
