/**
 * What both ways to build the binary share: bundle, stamp, compile, try it, put it in place.
 * The bundle comes first because compiling the sources embeds every locked package, which costs
 * size and most of the start-up time.
 */
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };
import type { Build } from "../src/build.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Exit codes of the build tasks. */
export const FAILED = 1;
export const WRONG_USAGE = 2;
/** Something this machine cannot have is missing, so a caller may skip what needs the binary. */
export const UNAVAILABLE = 69;

/** A build that ended for a reason worth one line on stderr. */
export class BuildError extends Error {
  constructor(readonly exitCode: number, message: string) {
    super(message);
  }
}

/** The build of one binary: what it calls itself, and which `deno compile` makes it. */
export interface Recipe {
  readonly build: Exclude<Build, "source">;
  readonly output: string;
  /** The program and arguments that stand for `deno`. */
  readonly deno: readonly string[];
  readonly env?: Record<string, string>;
  readonly target?: string | undefined;
}

/** Builds `recipe.output`, which is replaced only by a binary that starts. */
export async function buildBinary(recipe: Recipe): Promise<void> {
  const output = resolve(recipe.output);
  Deno.mkdirSync(dirname(output), { recursive: true });
  // Beside the output: the last step is then a rename, which a running binary does not notice.
  const work = Deno.makeTempDirSync({ dir: dirname(output), prefix: ".build-" });
  try {
    const bundle = join(work, "bundle");
    tell("Bundling main.ts");
    await must(
      Deno.execPath(),
      ["bundle", "--quiet", "--code-splitting", "--outdir", bundle, "main.ts"],
      { cwd: ROOT },
    );
    stampFolder(bundle, recipe.build);

    const fresh = join(work, basename(output));
    tell(`Compiling for ${recipe.target ?? Deno.build.target}`);
    const [program, ...first] = recipe.deno as [string, ...string[]];
    await must(program, [...first, ...compileArguments(recipe.target, fresh)], {
      cwd: bundle,
      env: recipe.env ?? {},
    });
    if (recipe.target === undefined || recipe.target === Deno.build.target) {
      tell(`Built ${await tryOut(fresh)}`);
    }
    Deno.renameSync(fresh, output);
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
  const megabytes = (Deno.statSync(output).size / 1e6).toFixed(1);
  tell(`Wrote ${recipe.output} (${megabytes} MB)`);
}

/** Runs `build`; when it fails, says why on stderr and leaves the error's exit code. */
export async function runBuild(build: () => Promise<void>): Promise<void> {
  try {
    await build();
  } catch (failure) {
    if (!(failure instanceof BuildError)) throw failure;
    tell(failure.message);
    Deno.exitCode = failure.exitCode;
  }
}

/** One line of progress, on stderr. */
export function tell(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** The arguments of `deno compile` for a bundle's `main.js`. The bundle is whole: no packages. */
export function compileArguments(target: string | undefined, output: string): string[] {
  return [
    "compile",
    "--quiet",
    "--no-config",
    "--no-check",
    "--no-npm",
    "--no-remote",
    // The cache would live at a predictable path in /tmp, and buys nothing with a split bundle.
    "--no-code-cache",
    "--no-prompt",
    ...manifest.unstable.map((feature) => `--unstable-${feature}`),
    ...permissionFlags(manifest.permissions.default),
    ...engineFlags(manifest.tasks.serve),
    ...(target === undefined ? [] : ["--target", target]),
    "--output",
    output,
    "main.js",
  ];
}

/** How the engine is tuned (for little memory), as the task that serves says. */
export function engineFlags(task: string): string[] {
  return task.split(" ").filter((word) => word.startsWith("--v8-flags="));
}

/**
 * A permission set of `deno.json` as flags, so that the binary may do exactly what `deno run -P`
 * may. Anything that it does not understand, and `all`, is an error: never more, never less.
 */
export function permissionFlags(set: Record<string, unknown>): string[] {
  return Object.entries(set).flatMap(([name, grant]) => {
    if (name === "all") {
      throw new BuildError(FAILED, "Cannot grant all permissions: name those that are needed");
    }
    const kinds = typeof grant === "object" && grant !== null && !Array.isArray(grant)
      ? Object.entries(grant)
      : [["allow", grant] as const];
    return kinds.flatMap(([kind, value]) => {
      if (value === false) return [];
      if (["allow", "deny", "ignore"].includes(kind)) {
        if (value === true) return [`--${kind}-${name}`];
        if (isList(value)) {
          return value.length === 0 ? [] : [`--${kind}-${name}=${value.join(",")}`];
        }
      }
      throw new BuildError(
        FAILED,
        `Cannot turn permission ${name} in deno.json into a flag: ` +
          `${kind} must be true, false or a list of names without commas`,
      );
    });
  });
}

function isList(value: unknown): value is string[] {
  return Array.isArray(value) &&
    value.every((item) => typeof item === "string" && item !== "" && !item.includes(","));
}

/** `event-bus`, or `event-bus-<target>` for another machine, in `dist`. */
export function defaultOutput(target: string | undefined): string {
  if (target === undefined) return join("dist", "event-bus");
  return join("dist", `event-bus-${target}${target.includes("windows") ? ".exe" : ""}`);
}

const STAMP = /event-bus build: source/g;
/** Where esbuild tells which package a part of the bundle is from, it tells where our cache is. */
const CACHED_PACKAGE = /^\/\/ \S*\/npm\/[^/\s]+\/(\S+)$/gm;

/**
 * The bundle's files (name to text) with the kind of build written into them, and without the
 * folders of the machine that built them. Exactly one file carries the stamp, once.
 */
export function stampBundle(files: Map<string, string>, build: Build): Map<string, string> {
  const stamps = [...files.values()].flatMap((text) => text.match(STAMP) ?? []).length;
  if (stamps !== 1) {
    throw new BuildError(
      FAILED,
      `Cannot stamp the bundle: src/build.ts must be in it once, and it is there ${stamps} times`,
    );
  }
  return new Map(
    [...files].map(([name, text]) => [
      name,
      text.replace(STAMP, `event-bus build: ${build}`).replace(CACHED_PACKAGE, "// npm:$1"),
    ]),
  );
}

function stampFolder(folder: string, build: Build): void {
  const names = [...Deno.readDirSync(folder)].map((entry) => join(folder, entry.name));
  const texts = new Map(names.map((name) => [name, Deno.readTextFileSync(name)]));
  for (const [name, text] of stampBundle(texts, build)) Deno.writeTextFileSync(name, text);
}

/** What the new binary says that it is; a runtime of another Deno only shows when it starts. */
async function tryOut(binary: string): Promise<string> {
  const { success, stdout, stderr } = await run(binary, ["version"]);
  if (success && stdout.startsWith("event-bus ")) return stdout.split("\n", 1)[0] as string;
  throw new BuildError(
    FAILED,
    `Cannot use the new binary, because it does not start: ${gist(stderr || stdout)}\n` +
      "If DENORT_BIN is set, it must name the denort of exactly the Deno that compiles",
  );
}

async function must(
  program: string,
  args: string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<void> {
  const { success, stdout, stderr } = await run(program, args, options);
  if (success) return;
  const told = gist(stderr || stdout);
  throw new BuildError(FAILED, `Cannot build the binary: ${told}${advice(told)}`);
}

/** What a Deno program said when it failed, without the backtrace of Deno's own internals. */
function gist(output: string): string {
  return output.split("\nStack backtrace:", 1)[0]?.trim() ?? "";
}

/** What to do about a failed `deno compile`, where that is known. */
export function advice(told: string): string {
  if (!/dl\.deno\.land|setting up base binary/i.test(told)) return "";
  return "\nThe Deno runtime that becomes part of the binary could not be had. Where dl.deno.land " +
    "cannot be reached, set DENORT_BIN to the file denort of Deno " + Deno.version.deno +
    " for the target, or make a test build for Linux on x86_64 with: deno task compile:offline";
}

/** Runs a program to its end; one that is not there counts as a failure that says so. */
export async function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  try {
    const result = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      ...options,
      // What they say is quoted in our own messages.
      env: { ...options.env, NO_COLOR: "1" },
    })
      .output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { success: result.success, stdout: text(result.stdout), stderr: text(result.stderr) };
  } catch (failure) {
    if (!(failure instanceof Deno.errors.NotFound)) throw failure;
    return { success: false, stdout: "", stderr: `${program} is not installed` };
  }
}
