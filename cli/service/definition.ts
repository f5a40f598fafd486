/** Our service file: written when it is new, and never at the cost of changes made by hand. */
import { dirname } from "node:path";
import {
  contentOf,
  EDITED,
  fingerprint,
  freeName,
  lookAt,
  makeFolder,
  removeFile,
  writeWhole,
} from "./files.ts";
import { errorFile } from "./health.ts";
import type { Manager } from "./manager.ts";
import type { Plan } from "./plan.ts";
import { addToReceipt, type Receipt } from "./receipt.ts";

/** Plans the service file and what must be there for the service to start. */
export function planDefinition(
  plan: Plan,
  manager: Manager,
  { program, receipt, dataDir }: { program: string; receipt: Receipt; dataDir: string },
): void {
  const { file } = manager.ours;
  const errors = errorFile(dataDir);
  const content = manager.render({ program, errors });
  const before = contentOf(file);
  if (before === content) plan.note(`${file} is up to date`);
  else {
    if (before !== null && isEdited(before, receipt)) planAside(plan, file);
    plan.step(`write ${file}`, () => {
      addToReceipt(dataDir, { service: { file, fingerprint: fingerprint(content) } });
      makeFolder(dirname(file), 0o755);
      writeWhole(file, content, 0o644);
    }, difference(before ?? "", content));
  }
  if (lookAt(errors) === null) {
    plan.step(`make the file ${errors}`, () => {
      makeFolder(dataDir, 0o700);
      Deno.writeTextFileSync(errors, "", { append: true, mode: 0o600 });
    });
  }
}

/** Plans to remove the service file; one that was changed by hand is kept under another name. */
export function planUndefine(plan: Plan, file: string, receipt: Receipt): void {
  const before = contentOf(file);
  if (before === null) return;
  if (isEdited(before, receipt)) planAside(plan, file);
  else plan.step(`remove ${file}`, () => removeFile(file));
}

function isEdited(content: string, receipt: Receipt): boolean {
  return fingerprint(content) !== receipt.service?.fingerprint;
}

function planAside(plan: Plan, file: string): void {
  const aside = freeName(file, EDITED);
  plan.step(`set ${file} aside as ${aside}, because it was changed by hand`, () => {
    Deno.renameSync(file, aside);
  });
}

/** What changes from one text to another, line by line; lines that stay are left out. */
export function difference(before: string, after: string): string[] {
  const a = linesOf(before);
  const b = linesOf(after);
  // Longest common subsequence, from the ends; service files have some fifty lines.
  const common = Array.from(
    { length: a.length + 1 },
    () => new Array<number>(b.length + 1).fill(0),
  );
  const at = (i: number, j: number) => common[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = common[i] as number[];
      row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const told: string[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) [i, j] = [i + 1, j + 1];
    else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) {
      told.push(`- ${a[i++]}`);
    } else told.push(`+ ${b[j++]}`);
  }
  return told;
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}
