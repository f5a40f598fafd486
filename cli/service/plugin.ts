/**
 * The plugin for Claude Code, carried inside this program. As a folder among the user's skills it is
 * loaded by every new session, without a dialog and without a change to anybody's settings.
 */
import { dirname, join } from "node:path";
import manifest from "../../plugin/.claude-plugin/plugin.json" with { type: "text" };
import waking from "../../plugin/hooks/waking.ts" with { type: "text" };
import skill from "../../plugin/skills/event-bus/SKILL.md" with { type: "text" };
import { difference } from "./diff.ts";
import { BEFORE, EDITED, fingerprint, freeName, lookAt, writeFolder } from "./files.ts";
import { hooksFor, type HookTarget } from "./hooks.ts";
import type { Plan } from "./plan.ts";
import { addToReceipt, readReceipt, type Receipt } from "./receipt.ts";

/** The plugin's name, wherever it comes from. */
export const PLUGIN = "event-bus";

/** The line of the mod that says where the bus is. */
const BUS = /^const BUS = .*;$/m;

/** Where the plugin is put in a configuration folder of Claude Code. */
export function pluginFolder(claudeDir: string): string {
  return join(claudeDir, "skills", PLUGIN);
}

/** The plugin's files by their paths, for a bus and a program. */
export function pluginFiles(target: HookTarget): Record<string, string> {
  const hooks = { modules: ["./waking.ts"], hooks: hooksFor(target) };
  return {
    "hooks/hooks.json": `${JSON.stringify(hooks, null, 2)}\n`,
    "hooks/waking.ts": waking.replace(BUS, () => `const BUS = ${JSON.stringify(target.url)};`),
    "skills/event-bus/SKILL.md": skill,
    ".claude-plugin/plugin.json": manifest,
  };
}

/** Plans to have the plugin at its place, as a whole; what somebody changed there is set aside. */
export function planPluginIn(
  plan: Plan,
  { claudeDir, target, dataDir }: { claudeDir: string; target: HookTarget; dataDir: string },
): void {
  const folder = pluginFolder(claudeDir);
  const wanted = pluginFiles(target);
  const noted = readReceipt(dataDir).plugins?.[folder];
  const there = filesIn(folder);
  const isForeign = there !== null && !isOurs(there, noted?.files ?? {}, wanted);
  if (noted !== undefined && there !== null && isSame(there, wanted)) {
    plan.note(`The plugin ${folder} is up to date`);
    return;
  }
  if (isForeign) planAside(plan, folder, noted !== undefined);
  plan.step(`write the plugin ${folder}`, () => {
    const skills = dirname(folder);
    const made = noted?.made || lookAt(skills) === null;
    const files = Object.fromEntries(
      Object.entries(wanted).map(([name, content]) => [name, fingerprint(content)]),
    );
    addToReceipt(dataDir, { onlyCommands: target.onlyCommands });
    note(dataDir, folder, { files, ...(made && { made }) });
    writeFolder(folder, wanted);
  }, changes(isForeign || there === null ? {} : there, wanted));
  plan.note(
    "New sessions are on the bus by themselves; those that run now after /reload-plugins " +
      "and a prompt",
  );
}

/** Plans to take back a plugin folder that we put in; one that somebody changed is set aside. */
export function planPluginOut(
  plan: Plan,
  { folder, receipt, dataDir }: { folder: string; receipt: Receipt; dataDir: string },
): void {
  const noted = receipt.plugins?.[folder];
  if (noted === undefined) return;
  const there = filesIn(folder);
  if (there === null) plan.step(`forget the plugin ${folder}, which is gone`, forget);
  else if (isOurs(there, noted.files, {})) {
    plan.step(`remove the plugin ${folder}`, () => {
      Deno.removeSync(folder, { recursive: true });
      forget();
    });
  } else {
    planAside(plan, folder, true);
    plan.step(`forget the plugin ${folder}`, forget);
  }

  function forget(): void {
    const skills = dirname(folder);
    if (noted?.made && lookAt(skills)?.isDirectory && [...Deno.readDirSync(skills)].length === 0) {
      Deno.removeSync(skills);
    }
    note(dataDir, folder, undefined);
  }
}

type Files = Readonly<Record<string, string>>;

/** The files of a folder by their paths; null without one. What is no plain file has no content of ours. */
function filesIn(folder: string): Files | null {
  const info = lookAt(folder);
  if (info === null) return null;
  if (!info.isDirectory) return { "": "" };
  const files: Record<string, string> = {};
  const walk = (path: string) => {
    for (const { name, isDirectory, isFile } of Deno.readDirSync(join(folder, path))) {
      const inner = path === "" ? name : `${path}/${name}`;
      // The Finder leaves these wherever it was; they say nothing.
      if (name === ".DS_Store") continue;
      if (isDirectory) walk(inner);
      else files[inner] = isFile ? Deno.readTextFileSync(join(folder, inner)) : "";
    }
  };
  walk("");
  return files;
}

/** Whether nobody but us wrote what is there: an earlier version, or the same as now. */
function isOurs(there: Files, fingerprints: Files, wanted: Files): boolean {
  return Object.entries(there).every(([name, content]) =>
    fingerprint(content) === fingerprints[name] || content === wanted[name]
  );
}

function isSame(there: Files, wanted: Files): boolean {
  return Object.keys(there).length === Object.keys(wanted).length && isOurs(there, {}, wanted);
}

/** Not beside it: Claude Code would load that folder as well. */
function planAside(plan: Plan, folder: string, wasOurs: boolean): void {
  const place = join(dirname(dirname(folder)), `${PLUGIN}-plugin`);
  const aside = freeName(place, wasOurs ? EDITED : BEFORE);
  const reason = wasOurs ? "it was changed by hand" : "it is not ours";
  plan.step(`set ${folder} aside as ${aside}, because ${reason}`, () => {
    Deno.renameSync(folder, aside);
  });
}

function changes(before: Files, after: Files): string[] {
  const gone = Object.keys(before).filter((name) => after[name] === undefined);
  return [
    ...gone.map((name) => `--- ${name} (goes)`),
    ...Object.entries(after).flatMap(([name, content]) => {
      const old = before[name];
      if (old === undefined) return [`+++ ${name} (new)`];
      return old === content ? [] : [`--- ${name}`, `+++ ${name}`, ...difference(old, content, 3)];
    }),
  ];
}

function note(dataDir: string, folder: string, entry: NonNullable<Receipt["plugins"]>[string]) {
  addToReceipt(dataDir, { plugins: { ...readReceipt(dataDir).plugins, [folder]: entry } });
}
