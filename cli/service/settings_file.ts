/** The user's settings.json: our hooks are put in and taken out whole or not at all. */
import { join } from "node:path";
import { CliError, EXIT } from "../verb.ts";
import { difference } from "./diff.ts";
import {
  BEFORE,
  contentOf,
  copyWhole,
  freeName,
  lookAt,
  makeFolder,
  removeFile,
  writeWhole,
} from "./files.ts";
import { hooksFor, type HookTarget } from "./hooks.ts";
import { JsonText } from "./json_text.ts";
import type { Plan, Tell } from "./plan.ts";
import { addToReceipt, readReceipt, type Receipt } from "./receipt.ts";
import {
  emptyContainers,
  isEmpty,
  isObject,
  oursIn,
  withHooks,
  withoutHooks,
} from "./settings_hooks.ts";

/** The user's settings in a configuration folder of Claude Code. */
export function settingsPath(claudeDir: string): string {
  return join(claudeDir, "settings.json");
}

/** What the user's settings say; null without any, or when they cannot be read as JSON. */
export function settingsIn(claudeDir: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(contentOf(settingsPath(claudeDir)) ?? "null");
    return isObject(value) ? value : null;
  } catch (failure) {
    if (failure instanceof SyntaxError) return null;
    throw failure;
  }
}

/** Whether the user's settings hold hooks of ours, noted anywhere or not. */
export function holdsHooks(claudeDir: string): boolean {
  const hooks = settingsIn(claudeDir)?.hooks;
  return isObject(hooks) && Object.values(hooks).some((groups) => oursIn(groups).length > 0);
}

interface SettingsFile {
  /** Where it really is: dotfiles are links. */
  readonly path: string;
  readonly text: JsonText;
  readonly mode: number;
  readonly isNew: boolean;
}

/** The settings file, fit to be changed; throws CliError when it is not. */
function open(file: string): SettingsFile {
  const refuse = (reason: string) => refusal(file, reason);
  if (lookAt(file) === null) {
    return { path: file, text: new JsonText("{}\n"), mode: 0o600, isNew: true };
  }
  const content = contentOf(file);
  if (content === null) throw refuse("it is a link to a file that is not there");
  const path = Deno.realPathSync(file);
  const mode = (Deno.statSync(path).mode ?? 0o600) & 0o7777;
  try {
    const text = new JsonText(content);
    const { value } = text;
    if (!isObject(value)) throw refuse("it holds no JSON object");
    const hooks = value.hooks ?? {};
    if (value.hooks === null || !isObject(hooks)) throw refuse('its "hooks" is no object');
    const event = Object.keys(hooks).find((name) => !Array.isArray(hooks[name]));
    if (event !== undefined) throw refuse(`its "hooks" has no list for ${event}`);
    return { path, text, mode, isNew: false };
  } catch (failure) {
    if (!(failure instanceof SyntaxError)) throw failure;
    throw refuse(`it is not valid JSON (${failure.message}), and Claude Code reads no comments`);
  }
}

/** Somebody meant it: a rename in its folder would replace it all the same. */
function checkWritable(file: string, { mode }: SettingsFile): void {
  if ((mode & 0o200) === 0) throw refusal(file, "it is read-only");
}

function refusal(file: string, reason: string): CliError {
  return new CliError(
    `Cannot change the hooks in ${file}: ${reason}. Nothing was changed`,
    EXIT.refused,
  );
}

/** Plans to have `wanted` in the settings file, with a backup of what was there before us. */
export function planHooksIn(
  plan: Plan,
  { file, target, dataDir }: { file: string; target: HookTarget; dataDir: string },
): void {
  const wanted = hooksFor(target);
  const noted = () => readReceipt(dataDir).settings?.[file];
  const now = open(file);
  const after = withHooks(now.text, wanted, noted()?.wasEmpty);
  if (after.text === now.text.text) {
    plan.note(`The hooks in ${file} are up to date`);
    return;
  }
  checkWritable(file, now);
  const kept = noted()?.backup;
  if (!now.isNew && (kept === undefined || lookAt(kept) === null)) {
    const backup = freeName(file, BEFORE);
    plan.step(`copy ${file} to ${backup}`, () => {
      copyWhole(file, backup, now.mode);
      note(dataDir, file, { ...noted(), backup });
    });
  }
  plan.step(
    `write the hooks into ${file}`,
    () => {
      // Read again: Claude Code may have written it while the service started.
      const { path, text, mode, isNew } = open(file);
      const wasEmpty = noted()?.wasEmpty ?? emptyContainers(text);
      addToReceipt(dataDir, { onlyCommands: target.onlyCommands });
      note(dataDir, file, { ...noted(), wasEmpty, ...(isNew && { made: true }) });
      makeFolder(join(path, ".."), 0o700);
      writeWhole(path, withHooks(text, wanted, wasEmpty).text, mode);
    },
    difference(now.isNew ? "" : now.text.text, after.text, 3),
  );
}

/** Plans to take our hooks out of the settings file, and the backup with them if nothing else changed. */
export function planHooksOut(
  plan: Plan,
  { file, receipt, dataDir }: { file: string; receipt: Receipt; dataDir: string },
): void {
  const noted = receipt.settings?.[file];
  const forget = () => note(dataDir, file, undefined);
  if (lookAt(file) === null) {
    if (noted !== undefined) plan.step(`forget ${file}, which is gone`, forget);
    return;
  }
  const now = open(file);
  const after = withoutHooks(now.text, noted?.wasEmpty);
  const isOnlyOurs = noted?.made === true && isEmpty(after.value);
  const change = isOnlyOurs ? `remove ${file}, which held only our hooks` : null;
  if (change === null && after.text === now.text.text) {
    if (noted !== undefined) plan.step(`forget our hooks in ${file}, which are gone`, forget);
    return;
  }
  checkWritable(file, now);
  plan.step(change ?? `take our hooks out of ${file}`, (tell) => {
    const { path, text, mode } = open(file);
    const left = withoutHooks(text, noted?.wasEmpty);
    if (noted?.made && isEmpty(left.value)) removeFile(path);
    else writeWhole(path, left.text, mode);
    forget();
    if (noted?.backup !== undefined) dropBackup(noted.backup, left.text, tell);
  }, difference(now.text.text, isOnlyOurs ? "" : after.text, 3));
}

/** A backup that says what the file says again is of no more use. */
function dropBackup(backup: string, content: string, tell: Tell): void {
  const kept = contentOf(backup);
  if (kept === null) return;
  if (kept === content) removeFile(backup);
  else tell.note(`The settings from before the hooks stay in ${backup}`);
}

function note(
  dataDir: string,
  file: string,
  entry: NonNullable<Receipt["settings"]>[string],
): void {
  addToReceipt(dataDir, { settings: { ...readReceipt(dataDir).settings, [file]: entry } });
}
