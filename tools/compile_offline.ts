/**
 * `deno task compile:offline`: builds a *test* binary where only an npm registry can be reached.
 * The runtime comes out of another project's npm package and cannot be checked against anything
 * that Deno publishes, so the binary calls itself a test build and is never released. Ends with
 * exit code 69 when this machine cannot have that runtime.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  buildBinary,
  BuildError,
  defaultOutput,
  FAILED,
  run,
  runBuild,
  tell,
  UNAVAILABLE,
} from "./binary.ts";

/** The first `size` bytes of `file` in `from` are the runtime of Deno `version`. */
const RUNTIME = {
  version: "2.7.11",
  target: "x86_64-unknown-linux-gnu",
  from: "@stdy/cli-linux-x64@0.22.2",
  file: "package/bin/steady",
  size: 97_076_048,
  sha256: "f12d5d3886d5ea138304fb8d67d7396cfbedf53656676132152cb89f3fa4d8e6",
} as const;

const DENO = ["npx", "--yes", `deno@${RUNTIME.version}`] as const;
const ENV = {
  // Unlike newer ones, this Deno does not ask the system which certificates to trust.
  DENO_TLS_CA_STORE: "system",
  // npm's remarks about its own settings would stand before the error that matters.
  npm_config_loglevel: "error",
};

/** Whether these bytes are the pinned ones. */
export function isGenuine(bytes: Uint8Array, sha256: string = RUNTIME.sha256): boolean {
  return createHash("sha256").update(bytes).digest("hex") === sha256;
}

/** The user's folder for what builds may keep: outside the project, which tools would search. */
export function cacheFolder(get: (name: string) => string | undefined): string {
  const cache = get("XDG_CACHE_HOME");
  if (cache?.startsWith("/")) return join(cache, "event-bus-build");
  const home = get("HOME");
  if (!home) {
    throw new BuildError(FAILED, "Cannot keep the runtime: neither XDG_CACHE_HOME nor HOME is set");
  }
  return join(home, ".cache", "event-bus-build");
}

/** The path of the checked runtime, fetched when it is not there yet. */
async function runtime(folder: string): Promise<string> {
  const path = join(folder, `denort-${RUNTIME.version}-${RUNTIME.target}`);
  if (isGenuine(readIfThere(path))) return path;

  tell(`Fetching the runtime of Deno ${RUNTIME.version} out of ${RUNTIME.from}`);
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const work = Deno.makeTempDirSync({ dir: folder, prefix: ".fetch-" });
  try {
    // npm itself checks the package against the registry's integrity value.
    await orUnavailable("npm", ["pack", RUNTIME.from, "--pack-destination", work]);
    const archive = [...Deno.readDirSync(work)].find((entry) => entry.name.endsWith(".tgz"));
    if (archive === undefined) {
      throw new BuildError(FAILED, `Cannot find what npm packed in ${work}`);
    }
    await orUnavailable("tar", ["-xzf", join(work, archive.name), "-C", work, RUNTIME.file]);
    const bytes = Deno.readFileSync(join(work, RUNTIME.file)).subarray(0, RUNTIME.size);
    if (!isGenuine(bytes)) {
      throw new BuildError(
        FAILED,
        `Cannot use the runtime in ${RUNTIME.from}: its SHA-256 is not ${RUNTIME.sha256}`,
      );
    }
    const fresh = join(work, "denort");
    Deno.writeFileSync(fresh, bytes, { mode: 0o755 });
    Deno.renameSync(fresh, path);
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
  return path;
}

function readIfThere(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return new Uint8Array();
    throw failure;
  }
}

async function orUnavailable(program: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await run(program, args, { env: ENV });
  if (success) return;
  throw new BuildError(
    UNAVAILABLE,
    `Cannot make a test build here: ${[program, ...args].join(" ")} failed\n${stderr.trim()}`,
  );
}

async function build(): Promise<void> {
  if (Deno.build.target !== RUNTIME.target) {
    throw new BuildError(
      UNAVAILABLE,
      `Cannot make a test build on ${Deno.build.target}: its runtime is for ${RUNTIME.target}; ` +
        "use deno task compile",
    );
  }
  const denort = await runtime(cacheFolder((name) => Deno.env.get(name)));
  const [npx, ...deno] = DENO;
  await orUnavailable(npx, [...deno, "--version"]);
  await buildBinary({
    build: "test",
    output: defaultOutput(undefined),
    deno: DENO,
    env: { ...ENV, DENORT_BIN: denort },
  });
}

if (import.meta.main) await runBuild(build);
