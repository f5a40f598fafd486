/**
 * How sessions of Claude Code get on the bus: by the plugin or by hooks in the user's settings, and
 * never by both, because each hook would run twice then.
 */
import { CliError, EXIT } from "../verb.ts";
import { lookAt } from "./files.ts";
import { DEFAULT_TARGET } from "./hooks.ts";
import { type Machine, shellLine } from "./machine.ts";
import type { Plan } from "./plan.ts";
import { planPluginIn, planPluginOut, PLUGIN, pluginFolder } from "./plugin.ts";
import { programPath } from "./program.ts";
import { readReceipt, type Receipt } from "./receipt.ts";
import {
  holdsHooks,
  planHooksIn,
  planHooksOut,
  settingsIn,
  settingsPath,
} from "./settings_file.ts";

/** A plugin in a folder of the user's skills is listed by this name. */
const FROM_FOLDER = `${PLUGIN}@skills-dir`;

/** How hooks are put in. */
export interface HookChoice {
  /** Into the user's settings, not as a plugin. */
  readonly inSettings?: boolean;
  /** Every one as a command. */
  readonly onlyCommands?: boolean;
}

/** Plans to put sessions on the bus at `url`. Throws what makes it impossible. */
export function planAttach(
  plan: Plan,
  machine: Machine,
  { url, inSettings = false, onlyCommands = false, dataDir }: HookChoice & {
    url: string;
    dataDir: string;
  },
): void {
  const { claudeDir } = machine;
  const receipt = readReceipt(dataDir);
  const target = { url, program: programPath(machine.home), ...(onlyCommands && { onlyCommands }) };
  const folder = pluginFolder(claudeDir);
  const file = settingsPath(claudeDir);
  const fromMarket = enabledFromMarket(claudeDir);
  if (receipt.onlyCommands && !onlyCommands) {
    plan.note("The hooks were commands and become http again; to keep them: --command-hooks");
  }
  if (inSettings) {
    if (fromMarket !== undefined) throw enabledTwice(fromMarket, file);
    planPluginOut(plan, { folder, receipt, dataDir });
    planHooksIn(plan, { file, target, dataDir });
    return;
  }
  if (receipt.settings?.[file] !== undefined || holdsHooks(claudeDir)) {
    planHooksOut(plan, { file, receipt, dataDir });
  }
  if (fromMarket !== undefined) {
    planPluginOut(plan, { folder, receipt, dataDir });
    plan.note(`The plugin ${fromMarket} is enabled in Claude Code and puts sessions on the bus`);
    const again = `disable it and install again: ${
      shellLine("claude", "plugin", "disable", fromMarket)
    }`;
    if (url !== DEFAULT_TARGET.url) {
      plan.warn(`Its hooks lead to ${DEFAULT_TARGET.url}, not to ${url}; for this bus ${again}`);
    } else if (onlyCommands) {
      plan.warn(`Its hooks are http; to have commands, ${again}`);
    }
    return;
  }
  planPluginIn(plan, { claudeDir, target, dataDir });
  if (enabledPlugins(claudeDir)[FROM_FOLDER] === false) {
    plan.warn(
      `The plugin is disabled in ${file}; to enable it: ` +
        shellLine("claude", "plugin", "enable", FROM_FOLDER),
    );
  }
}

/** Plans to take back, wherever it was put, what `planAttach` put in, and tells of what was not. */
export function planDetach(
  plan: Plan,
  { claudeDir }: Machine,
  receipt: Receipt,
  dataDir: string,
): void {
  for (const folder of Object.keys(receipt.plugins ?? {})) {
    planPluginOut(plan, { folder, receipt, dataDir });
  }
  for (const file of Object.keys(receipt.settings ?? {})) {
    planHooksOut(plan, { file, receipt, dataDir });
  }
  const folder = pluginFolder(claudeDir);
  if (receipt.plugins?.[folder] === undefined && lookAt(folder) !== null) {
    plan.note(
      `${folder} was not put there by install and stays; to remove it: ${
        shellLine("rm", "-r", folder)
      }`,
    );
  }
  const file = settingsPath(claudeDir);
  if (receipt.settings?.[file] === undefined && holdsHooks(claudeDir)) {
    plan.warn(`The hooks in ${file} were not put there by install and stay`);
  }
  const fromMarket = enabledFromMarket(claudeDir);
  if (fromMarket !== undefined) {
    plan.warn(
      `The plugin ${fromMarket} stays; to remove it: ` +
        shellLine("claude", "plugin", "uninstall", fromMarket),
    );
  }
}

/** The name of the plugin that Claude Code has from a marketplace; it wins over a folder. */
function enabledFromMarket(claudeDir: string): string | undefined {
  return Object.entries(enabledPlugins(claudeDir)).find(([id, isEnabled]) =>
    id.startsWith(`${PLUGIN}@`) && id !== FROM_FOLDER && isEnabled === true
  )?.[0];
}

function enabledPlugins(claudeDir: string): Record<string, unknown> {
  return (settingsIn(claudeDir)?.enabledPlugins ?? {}) as Record<string, unknown>;
}

function enabledTwice(id: string, file: string): CliError {
  return new CliError(
    `Cannot write the hooks into ${file}: the plugin ${id} is enabled and each hook would run ` +
      `twice; disable it first: ${
        shellLine("claude", "plugin", "disable", id)
      }. Nothing was changed`,
    EXIT.refused,
  );
}
