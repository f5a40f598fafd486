/** Taking over from the original's own services, and giving back. */
import { join } from "node:path";
import type { Flags } from "../../src/config.ts";
import { asideOf, BEFORE, contentOf, freeName, lookAt } from "./files.ts";
import type { Machine } from "./machine.ts";
import type { Manager, Service } from "./manager.ts";
import type { Plan } from "./plan.ts";

/** A service of the original that is here, running or not. */
export interface Original extends Service {
  /** The text of its file; null when it runs without one. */
  readonly content: string | null;
}

/** The original's services on this machine. */
export async function findOriginals(manager: Manager): Promise<Original[]> {
  const found: Original[] = [];
  for (const service of manager.originals) {
    const content = readUnit(service.file);
    if (content !== null || await manager.isRunning(service)) found.push({ ...service, content });
  }
  return found;
}

/** A unit with the drop-ins that change it; launchd has none. */
function readUnit(file: string): string | null {
  const content = contentOf(file);
  if (content === null || !lookAt(`${file}.d`)?.isDirectory) return content;
  const names = [...Deno.readDirSync(`${file}.d`)].map(({ name }) => name);
  const dropIns = names.filter((name) => name.endsWith(".conf")).sort();
  return [content, ...dropIns.map((name) => contentOf(join(`${file}.d`, name)))].join("\n");
}

/** Plans to stop the original's services and to set their files aside, where nothing starts them. */
export function planTakeOver(plan: Plan, manager: Manager, originals: readonly Original[]): void {
  for (const original of originals) {
    plan.step(
      `stop the original's service ${original.label}: ${manager.stopLine(original)}`,
      () => manager.stop(original),
    );
    if (original.content === null) continue;
    const aside = freeName(original.file, BEFORE);
    plan.step(`set ${original.file} aside as ${aside}`, () => {
      Deno.renameSync(original.file, aside);
    });
  }
  if (originals.length > 0) {
    plan.note("The original comes back with: event-bus uninstall --restore-original");
  }
  for (const client of manager.clients) {
    if (lookAt(client.file) === null) continue;
    plan.note(
      `${client.label}, the original's wake bridge, is a client of the bus and stays; ` +
        `to stop it: ${manager.stopLine(client)}`,
    );
  }
}

/** The original's services that were set aside, with where their files are now. */
export function asideOriginals(manager: Manager): (Service & { aside: string })[] {
  return manager.originals.flatMap((service) => {
    const aside = asideOf(service.file, BEFORE);
    return aside === null ? [] : [{ ...service, aside }];
  });
}

/** Settings of the original's service that are more than its installer's defaults. */
export interface Carried {
  readonly settings: Flags;
  /** The variables behind them, as they were: `HOST=0.0.0.0`. */
  readonly found: readonly string[];
  /** Names of variables that have no counterpart here. */
  readonly left: readonly string[];
}

/** The original's variables and our settings; the later names begin with AGENT_. */
const SETTING_OF: Readonly<Record<string, keyof Flags>> = {
  HOST: "host",
  PORT: "port",
  EVENT_BUS_DB: "db",
  EVENT_BUS_LOG: "log",
  EVENT_BUS_ICON: "icon",
};
/** Set by its installer for Python and launchd, or only read by the installer itself. */
const ITS_OWN = /^(PATH|HOME|PYTHON.*|(AGENT_)?EVENT_BUS_ERR)$/;

/** What the original was told by its service files. Problems with reading them go into the plan. */
export function settingsOf(
  plan: Plan,
  manager: Manager,
  originals: readonly Original[],
  machine: Machine,
): Carried {
  const settings: { -readonly [K in keyof Flags]: string } = {};
  const found: string[] = [];
  const left: string[] = [];
  for (const { file, content } of originals) {
    if (content === null) continue;
    const variables = manager.variables(file, content);
    if (variables === null) {
      plan.warn(`The settings in ${file} cannot be read: it is not in XML; see plutil -p ${file}`);
      continue;
    }
    for (const [name, value] of Object.entries(variables)) {
      const setting = SETTING_OF[name.replace(/^AGENT_/, "")];
      if (ITS_OWN.test(name) || value === "") continue;
      if (setting === undefined || !isUsable(setting, value)) left.push(name);
      else if (!isDefault(setting, value, machine)) {
        settings[setting] = value;
        found.push(`${name}=${value}`);
      }
    }
  }
  return { settings, found, left };
}

/** The original would not have started with another port, nor would we. */
function isUsable(setting: keyof Flags, value: string): boolean {
  return setting !== "port" || /^[0-9]{1,5}$/.test(value);
}

/** Whether a value says no more than the original's installer always did. */
function isDefault(setting: keyof Flags, value: string, { home }: Machine): boolean {
  const path = value.replace(/^(~|\$HOME|%h)(?=\/)/, home);
  const folders = ["event-bus", "agent-event-bus"].map((name) =>
    join(home, ".claude", "contrib", name)
  );
  if (setting === "host") return value === "127.0.0.1";
  if (setting === "port") return value === "8080";
  if (setting === "log") return folders.some((folder) => path.startsWith(`${folder}/`));
  if (setting === "db") return folders.some((folder) => path === join(folder, "data.db"));
  return false;
}
