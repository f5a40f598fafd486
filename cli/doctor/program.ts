/** Looks at this program and at the one that hooks and the service run. */
import { join } from "node:path";
import { versionText } from "../../src/build.ts";
import { lookAt, sameBytes } from "../service/files.ts";
import { shellLine } from "../service/machine.ts";
import { binFolder, programPath } from "../service/program.ts";
import { broken, type Finding, ok, warning } from "./finding.ts";
import type { Patient } from "./patient.ts";

const ADD_TO_PATH = 'export PATH="$HOME/.local/bin:$PATH"';

/** What this program is, where it is installed, and whether typing its name finds that one. */
export function examineProgram({ machine, program: { build } }: Patient): Finding[] {
  const { program, home, path } = machine;
  const text = `${versionText(build)}, ${program === null ? "no program file" : program}`;
  const installed = programPath(home);
  return [
    build === "test"
      ? warning("program", text, "event-bus install --binary FILE, with a release")
      : ok("program", text),
    installedOne(installed, program),
    onPath(installed, path, home),
  ];
}

function installedOne(installed: string, program: string | null): Finding {
  const check = "installed program";
  if (lookAt(installed) === null) {
    return warning(check, `${installed} is not there`, "event-bus install");
  }
  if (!isProgram(installed)) {
    return broken(check, `${installed} cannot be run`, "event-bus install");
  }
  if (program === null) return ok(check, `${installed}, which this one is not, as it has no file`);
  if (sameBytes(installed, program)) return ok(check, `${installed} is this one`);
  return warning(check, `${installed} is another build`, shellLine(program, "install"));
}

function onPath(installed: string, path: string, home: string): Finding {
  const check = "PATH";
  const found = path.split(":").filter((folder) => folder.startsWith("/"))
    .map((folder) => join(folder, "event-bus")).find(isProgram);
  if (found === undefined) {
    const isOnIt = path.split(":").some((folder) => folder.replace(/\/+$/, "") === binFolder(home));
    return isOnIt
      ? warning(check, "there is no event-bus on it", "event-bus install")
      : warning(check, `there is no event-bus on it, nor ${binFolder(home)}`, ADD_TO_PATH);
  }
  if (lookAt(installed) === null || isSame(found, installed)) {
    return ok(check, `event-bus is ${found}`);
  }
  return warning(check, `event-bus is ${found}, not the installed ${installed}`, ADD_TO_PATH);
}

const isSame = (a: string, b: string): boolean => Deno.realPathSync(a) === Deno.realPathSync(b);

/** Whether there is a file that can be run. */
export function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0o111) & 0o111) !== 0;
  } catch {
    return false;
  }
}
