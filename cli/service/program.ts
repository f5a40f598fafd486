/** The program in `~/.local/bin`, and the link by the name of the original's command. */
import { dirname, join } from "node:path";
import { CliError, EXIT } from "../verb.ts";
import {
  asideOf,
  BEFORE,
  copyWhole,
  freeName,
  lookAt,
  makeFolder,
  removeFile,
  sameBytes,
} from "./files.ts";
import type { Machine } from "./machine.ts";
import type { Plan } from "./plan.ts";
import { addToReceipt, type Receipt } from "./receipt.ts";

const NAME = "event-bus";
/** Scripts and hooks written for the original call it by this name. */
const OLD_NAME = "event-bus-cli";

export function binFolder(home: string): string {
  return join(home, ".local", "bin");
}

/** Where the program is installed. */
export function programPath(home: string): string {
  return join(binFolder(home), NAME);
}

/**
 * Plans the program and its link. `source` is the file to install: by default the running program.
 * Throws when there is none.
 */
export function planProgram(
  plan: Plan,
  machine: Machine,
  { source, receipt, dataDir }: { source: string | null; receipt: Receipt; dataDir: string },
): void {
  if (source === null) {
    throw new CliError(
      "Cannot install a program that runs from source: run deno task compile first, then " +
        "dist/event-bus install",
      EXIT.refused,
    );
  }
  if (!existing(source)?.isFile) {
    throw new CliError(`Cannot install ${source}: there is no such file`, EXIT.usage);
  }
  const bin = binFolder(machine.home);
  const program = programPath(machine.home);
  if (lookAt(bin) === null) {
    const folders = [bin, dirname(bin)].filter((folder) => lookAt(folder) === null);
    plan.step(`make the folder ${bin}`, () => {
      addToReceipt(dataDir, { folders });
      makeFolder(bin, 0o755);
    });
  }

  if (sameBytes(source, program)) plan.note(`${program} is this version already`);
  else {
    if (receipt.program !== program) setAside(plan, program);
    plan.step(`copy ${source} to ${program}`, () => {
      addToReceipt(dataDir, { program });
      copyWhole(source, program, 0o755);
    });
  }

  const link = join(bin, OLD_NAME);
  if (targetOf(link) !== NAME) {
    setAside(plan, link);
    plan.step(`link ${link} to ${NAME}`, () => {
      addToReceipt(dataDir, { link });
      Deno.symlinkSync(NAME, link);
    });
  }
}

/** Warns when typing `event-bus` would not find the program. */
export function checkPath(plan: Plan, { home, path }: Machine): void {
  const bin = binFolder(home);
  if (path.split(":").some((folder) => folder.replace(/\/+$/, "") === bin)) return;
  plan.warn(
    `${bin} is not on PATH; add to your shell's profile: export PATH="$HOME/.local/bin:$PATH"`,
  );
}

/** Plans to take back the program and its link as far as we put them in. */
export function planRemoval(plan: Plan, { home }: Machine, receipt: Receipt): void {
  const link = join(binFolder(home), OLD_NAME);
  if (receipt.link === link && targetOf(link) === NAME) {
    plan.step(`remove the link ${link}`, () => removeFile(link));
  }
  const program = programPath(home);
  if (lookAt(program) === null) return;
  if (receipt.program === program) plan.step(`remove ${program}`, () => removeFile(program));
  else plan.note(`${program} was not put there by install and stays; to remove it: rm ${program}`);
}

/** Plans to take back the folders that were made for the program, as far as nothing else is in them. */
export function planFoldersAway(plan: Plan, { folders = [] }: Receipt): void {
  for (const folder of folders) {
    if (!lookAt(folder)?.isDirectory) continue;
    plan.step(`remove the folder ${folder}, unless something else is in it`, () => {
      if ([...Deno.readDirSync(folder)].length === 0) Deno.removeSync(folder);
    });
  }
}

/** The commands that were set aside for ours, with where they are now. */
export function asideCommands({ home }: Machine): { path: string; aside: string }[] {
  return [NAME, OLD_NAME].flatMap((name) => {
    const path = join(binFolder(home), name);
    const aside = asideOf(path, BEFORE);
    return aside === null ? [] : [{ path, aside }];
  });
}

function setAside(plan: Plan, path: string): void {
  if (lookAt(path) === null) return;
  const aside = freeName(path, BEFORE);
  plan.step(`set ${path} aside as ${aside}, because it is not ours`, () => {
    Deno.renameSync(path, aside);
  });
}

function targetOf(link: string): string | null {
  return lookAt(link)?.isSymlink ? Deno.readLinkSync(link) : null;
}

function existing(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return null;
    throw failure;
  }
}
