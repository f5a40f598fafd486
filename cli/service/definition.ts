/** Our service file: written when it is new, and never at the cost of changes made by hand. */
import { dirname } from "node:path";
import { difference } from "./diff.ts";
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
