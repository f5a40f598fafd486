/** `deno task compile [--target TRIPLE] [--output FILE]`: builds the binary that users install. */
import { parseArgs } from "node:util";
import { buildBinary, BuildError, defaultOutput, runBuild, WRONG_USAGE } from "./binary.ts";

/** The target and output that the arguments ask for; refuses anything else. */
export function readArguments(args: string[]): { target: string | undefined; output: string } {
  const refuse = (why: string) =>
    new BuildError(
      WRONG_USAGE,
      `${why}; usage: deno task compile [--target TRIPLE] [--output FILE], ` +
        "where TRIPLE is for example aarch64-apple-darwin or x86_64-unknown-linux-gnu",
    );
  let values: { target?: string; output?: string };
  try {
    values = parseArgs({
      args,
      options: { target: { type: "string" }, output: { type: "string" } },
    }).values;
  } catch (failure) {
    throw refuse((failure as Error).message);
  }
  const { target, output } = values;
  // A target becomes part of a file's name.
  if (target !== undefined && !/^[a-z0-9_]+(-[a-z0-9_]+){2,3}$/.test(target)) {
    throw refuse(`Cannot compile for target ${JSON.stringify(target)}`);
  }
  if (output === "") throw refuse("Cannot write to an empty --output");
  return { target, output: output ?? defaultOutput(target) };
}

if (import.meta.main) {
  await runBuild(() =>
    buildBinary({ build: "release", deno: [Deno.execPath()], ...readArguments(Deno.args) })
  );
}
