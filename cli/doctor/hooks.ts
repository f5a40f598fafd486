/** Looks at how sessions get on the bus: by the plugin, or by hooks in somebody's settings. */
import { join } from "node:path";
import { busOf, DEFAULT_TARGET, type Handler, hooksFor, isOurs } from "../service/hooks.ts";
import { shellLine } from "../service/machine.ts";
import { PLUGIN, pluginFiles, pluginFolder } from "../service/plugin.ts";
import { programPath } from "../service/program.ts";
import { readReceipt } from "../service/receipt.ts";
import { isSameBus } from "./address.ts";
import { isObject, type Json, namesIn, objectIn, readJson } from "./claude.ts";
import { broken, type Finding, ok, warning } from "./finding.ts";
import type { Patient } from "./patient.ts";
import { isProgram } from "./program.ts";

const CHECK = "hooks";
/** What the plugin is called when it lies among the user's skills. */
const FROM_FOLDER = `${PLUGIN}@skills-dir`;

/** The hooks of ours that one place brings, by event. */
export interface Source {
  readonly kind: "folder" | "marketplace" | "settings";
  readonly where: string;
  readonly hooks: readonly (readonly [event: string, handler: Handler])[];
}

/** Every place that brings hooks of ours, whether or not they would run. */
export function sourcesOf(patient: Patient): Source[] {
  const { claude } = patient;
  const folder = pluginFolder(claude.folder);
  const sources: Source[] = [];
  if (namesIn(folder).includes(".claude-plugin")) {
    const hooks = ourHooks(readJson(join(folder, "hooks", "hooks.json")).value);
    sources.push({ kind: "folder", where: folder, hooks });
  }
  const market = enabled(patient).find(([id]) => isFromMarket(id));
  // Where its files are is Claude Code's own affair; they are ours as we delivered them.
  if (market !== undefined) sources.push({ kind: "marketplace", where: market[0], hooks: [] });
  for (const { path, value } of claude.settings) {
    const hooks = ourHooks(value);
    if (hooks.length > 0) sources.push({ kind: "settings", where: path, hooks });
  }
  return sources;
}

/** The command that puts our hooks in again as they should be. */
export function installLine(patient: Patient, inSettings = false): string {
  const { bus } = patient;
  return [
    "event-bus install",
    ...(bus.isOwn ? [] : [`--url ${shellLine(bus.base)}`]),
    ...(inSettings ? ["--hooks"] : []),
    ...(wantsCommands(patient) ? ["--command-hooks"] : []),
  ].join(" ");
}

/** What the last installation was told. */
const wantsCommands = ({ config }: Patient) => readReceipt(config.dataDir).onlyCommands === true;

/** Whether our hooks are there, once, enabled, as this version has them, and lead to the bus. */
export function examineHooks(patient: Patient): Finding[] {
  const sources = sourcesOf(patient);
  const disabled = disabledIn(patient, sources);
  if (sources.length === 0) {
    return disabled.length > 0
      ? disabled
      : [broken(CHECK, "there is neither the plugin nor a hook of ours", installLine(patient))];
  }
  return [
    ...twice(patient, sources),
    ...disabled,
    ...sources.flatMap((source) => [
      ...current(patient, source),
      ...leadsElsewhere(patient, source),
      ...cannotRun(patient, source),
    ]),
  ];
}

/** Each hook of two places runs twice; of two plugins by our name only one is loaded. */
function twice(patient: Patient, sources: readonly Source[]): Finding[] {
  const places = sources.map(({ where }) => where).join(" and ");
  const settings = sources.filter(({ kind }) => kind === "settings");
  const market = sources.find(({ kind }) => kind === "marketplace");
  const folder = sources.find(({ kind }) => kind === "folder");
  if (sources.length > 1 && settings.length > 0) {
    const strange = settings.find(({ where }) =>
      where !== join(patient.claude.folder, "settings.json")
    );
    const fix = strange === undefined
      ? installLine(patient)
      : `take the hooks of event-bus out of ${strange.where}`;
    return [broken(CHECK, `each runs twice: they are in ${places}`, fix)];
  }
  if (market !== undefined && folder !== undefined) {
    return [
      warning(
        CHECK,
        `the plugin is installed twice; ${market.where} is loaded, ${folder.where} is not`,
        shellLine("claude", "plugin", "uninstall", market.where),
      ),
    ];
  }
  return [];
}

function disabledIn(patient: Patient, sources: readonly Source[]): Finding[] {
  return enabled(patient, false).flatMap(([id, path]) => {
    const matters = id === FROM_FOLDER
      ? sources.some(({ kind }) => kind === "folder")
      : isFromMarket(id) && sources.length === 0;
    if (!matters) return [];
    const fix = shellLine("claude", "plugin", "enable", id);
    return [broken(CHECK, `the plugin ${id} is disabled in ${path}`, fix)];
  });
}

/** Whether a place holds what this version would put there. */
function current(patient: Patient, source: Source): Finding[] {
  const { kind, where, hooks } = source;
  if (kind === "marketplace") return [ok(CHECK, `the plugin ${where} brings them`)];
  const old = outdated(patient, source);
  if (old !== null) {
    return [
      warning(CHECK, `${where} is not as this version has it: ${old}`, fixOf(patient, source)),
    ];
  }
  const events = new Set(hooks.map(([event]) => event)).size;
  return [ok(CHECK, `${where} brings them, for ${events} events`)];
}

const fixOf = (patient: Patient, { kind }: Source) => installLine(patient, kind === "settings");

/** What differs, in a few words; null when nothing does. Where the hooks lead is another question. */
function outdated(patient: Patient, { kind, where, hooks }: Source): string | null {
  const target = {
    url: busesIn(hooks)[0] ?? patient.bus.base,
    program: programPath(patient.machine.home),
    onlyCommands: wantsCommands(patient),
  };
  if (kind === "settings") {
    const wanted = hooksFor(target);
    const there = new Set(hooks.map(([event, handler]) => JSON.stringify([event, handler])));
    const should = ourHooks({ hooks: wanted }).map((one) => JSON.stringify(one));
    return should.length === there.size && should.every((one) => there.has(one))
      ? null
      : "its hooks are others";
  }
  for (const [name, content] of Object.entries(pluginFiles(target))) {
    try {
      if (Deno.readTextFileSync(join(where, name)) !== content) return `${name} is another`;
    } catch (failure) {
      return failure instanceof Deno.errors.NotFound
        ? `${name} is missing`
        : `${name} cannot be read: ${(failure as Error).message}`;
    }
  }
  return null;
}

/** The buses, without a path, to which hooks go by themselves. */
export function addressesIn(hooks: Source["hooks"]): string[] {
  return busesIn(hooks.filter(([, { type }]) => type === "http"));
}

/** The buses, without a path, to which hooks and commands lead. */
function busesIn(hooks: Source["hooks"]): string[] {
  return hooks.flatMap(([, handler]) => busOf(handler) ?? []);
}

function leadsElsewhere(patient: Patient, source: Source): Finding[] {
  const { base } = patient.bus;
  const isFixed = source.kind === "marketplace";
  const buses = isFixed ? [DEFAULT_TARGET.url] : busesIn(source.hooks);
  const other = buses.find((url) => !isSameBus(url, base));
  if (other === undefined) return [];
  const found = `${source.where} leads to ${other}, but the bus is at ${base}`;
  const disable = isFixed ? `${shellLine("claude", "plugin", "disable", source.where)} && ` : "";
  return [broken("hook address", found, disable + fixOf(patient, source))];
}

/** A command that is not there shows an error in every session, at every start. */
function cannotRun(patient: Patient, source: Source): Finding[] {
  const commands = source.hooks.flatMap(([, { type, command }]) =>
    type === "command" && typeof command === "string" ? [command] : []
  );
  const missing = commands.map(programIn).find((program) => !isFound(program, patient));
  if (missing === undefined) return [];
  const found = `${source.where} runs ${missing}, which is not there`;
  return [broken("hook command", found, fixOf(patient, source))];
}

/** The program of a shell's command line. */
function programIn(command: string): string {
  return command.match(/^"([^"]+)"|^'([^']+)'/)?.slice(1).find(Boolean) ??
    command.replace(/ hook( --wake)?( --url \S+)?$/, "");
}

function isFound(program: string, { machine: { path } }: Patient): boolean {
  if (program.includes("/")) return isProgram(program);
  return path.split(":").some((folder) => folder !== "" && isProgram(join(folder, program)));
}

const isFromMarket = (id: string): boolean => id.startsWith(`${PLUGIN}@`) && id !== FROM_FOLDER;

/** The plugins of our name that settings enable, or disable, and where. */
function enabled({ claude: { settings } }: Patient, is = true): [id: string, path: string][] {
  return settings.flatMap(({ path, value }) =>
    Object.entries(objectIn(value, "enabledPlugins"))
      .filter(([id, enabled]) => id.startsWith(`${PLUGIN}@`) && enabled === is)
      .map(([id]): [string, string] => [id, path])
  );
}

/** The hooks of ours in a file of settings or of a plugin. */
function ourHooks(file: Json | null): [string, Handler][] {
  return Object.entries(objectIn(file, "hooks")).flatMap(([event, groups]) =>
    (Array.isArray(groups) ? groups : [])
      .flatMap((group) => isObject(group) && Array.isArray(group.hooks) ? group.hooks : [])
      .filter(isOurs)
      .map((handler): [string, Handler] => [event, handler])
  );
}
