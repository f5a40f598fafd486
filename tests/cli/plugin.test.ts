/** The plugin in the repository: what a marketplace hands out is what install puts in. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { DEFAULT_TARGET } from "../../cli/service/hooks.ts";
import { pluginFiles } from "../../cli/service/plugin.ts";
import { VERSION } from "../../src/build.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => Deno.readTextFileSync(ROOT + path);

function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(ROOT + folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

Deno.test("plugin: the repository holds exactly the files that install writes for the default bus", () => {
  const wanted = pluginFiles(DEFAULT_TARGET);
  assert.deepEqual(
    filesIn("plugin").filter((path) => !path.endsWith(".test.ts")).sort(),
    Object.keys(wanted).map((name) => `plugin/${name}`).sort(),
  );
  for (const [name, content] of Object.entries(wanted)) {
    assert.equal(read(`plugin/${name}`), content, name);
  }
});

Deno.test("plugin: for another bus only the addresses and the program differ", () => {
  const url = "http://100.64.0.1:9090";
  const other = pluginFiles({ url, program: "/h/event-bus" });
  for (const [name, content] of Object.entries(pluginFiles(DEFAULT_TARGET))) {
    assert.doesNotMatch(other[name] ?? "", /127\.0\.0\.1/, name);
    const back = other[name]?.replaceAll(url, DEFAULT_TARGET.url)
      .replaceAll("/h/event-bus", "event-bus");
    const same = (text = "") => text.replace(/"timeout": (0\.3|1)\b/g, '"timeout"');
    assert.equal(same(back), same(content), name);
  }
  assert.ok(other["hooks/waking.ts"]?.includes(`const BUS = ${JSON.stringify(url)};`));
});

Deno.test("plugin: its version is the program's, or a marketplace would never update it", () => {
  assert.equal(JSON.parse(read("plugin/.claude-plugin/plugin.json")).version, VERSION);
});

Deno.test("plugin: the marketplace has the one plugin, by its name and in its folder", () => {
  const { name } = JSON.parse(read("plugin/.claude-plugin/plugin.json"));
  const { plugins } = JSON.parse(read(".claude-plugin/marketplace.json"));
  // deno-lint-ignore no-explicit-any -- read as it is
  assert.deepEqual(plugins.map((one: any) => [one.name, one.source]), [[name, "./plugin"]]);
});

Deno.test("plugin: the skill stays short, and its description, which every session pays for, shorter", () => {
  const skill = read("plugin/skills/event-bus/SKILL.md");
  const [, head = "", body = ""] = skill.split(/^---$/m);
  assert.match(head, /^name: event-bus$/m);
  const description = head.match(/^description: "([^"]*)"$/m)?.[1] ?? "";
  assert.ok(description.length > 0 && description.length < 120, `${description.length}`);
  assert.ok(body.trim().split("\n").length < 40);
  assert.match(body, /event-bus:\/\/guide/);
});

Deno.test("plugin: no file of it holds a token", () => {
  for (const content of Object.values(pluginFiles(DEFAULT_TARGET))) {
    assert.doesNotMatch(content, /Bearer (?!\$\{EVENT_BUS_TOKEN\})[\w-]+/);
  }
});
