/**
 * The whole program as a process of its own, in an empty home and a clean environment: from source
 * with the permissions of `deno task serve` or, when EVENT_BUS_TEST_BINARY names one, the binary.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Home } from "./home.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BINARY = Deno.env.get("EVENT_BUS_TEST_BINARY") || null;

/** What is tested, for the names of tests. */
export const SUBJECT: "binary" | "source" = BINARY === null ? "source" : "binary";

const COMMAND: readonly [string, ...string[]] = BINARY === null
  ? [Deno.execPath(), "run", "-q", "-P", "--config", join(ROOT, "deno.json"), join(ROOT, "main.ts")]
  : [Deno.realPathSync(BINARY)];

/** A variable of the tests' own environment, as a list for an environment. */
function passOn(name: string): [string, string][] {
  const value = Deno.env.get(name);
  return value === undefined ? [] : [[name, value]];
}

let runtimeEnv: Record<string, string> | null = null;

/** What the program needs around it beside its home: in an empty home Deno would find no packages. */
export function surroundings(): Record<string, string> {
  if (runtimeEnv !== null) return runtimeEnv;
  runtimeEnv = Object.fromEntries([
    ["PATH", Deno.env.get("PATH") ?? ""],
    ["NO_COLOR", "1"],
    ...passOn("DENO_COVERAGE_DIR"),
  ]);
  if (BINARY === null) runtimeEnv.DENO_DIR = denoDir();
  return runtimeEnv;
}

function denoDir(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(decode(stdout)).denoDir;
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Options {
  readonly home: Home;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
}

/** Starts one command line of the program; whoever does so sees to its end. */
export function spawn(args: readonly string[], options: Options): Deno.ChildProcess {
  return start([...COMMAND, ...args], options);
}

function start(
  [program, ...args]: readonly [string, ...string[]],
  { home, env = {}, cwd = home.path, stdin }: Options,
): Deno.ChildProcess {
  return new Deno.Command(program, {
    args,
    cwd,
    clearEnv: true,
    env: { ...surroundings(), HOME: home.path, ...env },
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs one command line of the program to its end. */
export function run(args: readonly string[], options: Options): Promise<Finished> {
  const [program, ...first] = COMMAND;
  return runOther(program, [...first, ...args], options);
}

/** What keeps `runBoundByModes` from working here, or null. */
export const UNBOUND: string | null = Deno.uid() === 0 && !isInstalled("setpriv")
  ? "root may read everything, and setpriv is not installed"
  : null;

/** The same as somebody whom the modes of files stop, which they do not stop root. */
export function runBoundByModes(args: readonly string[], options: Options): Promise<Finished> {
  if (Deno.uid() !== 0) return run(args, options);
  const powers = ["--bounding-set", "-dac_override,-dac_read_search"];
  return runOther("setpriv", [...powers, ...COMMAND, ...args], options);
}

/** Runs another program to its end, in the same surroundings. */
export async function runOther(
  program: string,
  args: readonly string[],
  options: Options,
): Promise<Finished> {
  const child = start([program, ...args], options);
  const written = options.stdin === undefined ? undefined : feed(child.stdin, options.stdin);
  const { code, stdout, stderr } = await child.output();
  await written;
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

async function feed(stdin: WritableStream<Uint8Array>, input: string | Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    await writer.close();
  } catch (failure) {
    // Whoever does not read its input has ended before we were done.
    if (!(failure instanceof Deno.errors.BrokenPipe)) throw failure;
  }
}

export interface Served extends AsyncDisposable {
  /** Where it said that it listens. */
  readonly url: string;
  readonly pid: number;
  /** Everything it has printed to stdout, once it has ended. */
  readonly output: Promise<string>;
  readonly errors: Promise<string>;
  /** Sends a signal and answers the exit code. */
  stop(signal?: Deno.Signal): Promise<number>;
  // deno-lint-ignore no-explicit-any -- answers are looked at field by field
  call(operation: string, args?: Record<string, unknown>): Promise<any>;
}

/** Starts `event-bus serve` on a port of the system's choice; it is gone when disposed of. */
export function serve(options: Options, args: readonly string[] = []): Promise<Served> {
  return serveBy([...COMMAND, "serve", "--port", "0", ...args], options);
}

/** The same by `deno task serve`, as the README begins. */
export function serveByTask(options: Options): Promise<Served> {
  const env = { ...options.env, PORT: "0", DENO_DIR: denoDir() };
  return serveBy([Deno.execPath(), "task", "serve"], { ...options, cwd: ROOT, env });
}

async function serveBy(
  command: readonly [string, ...string[]],
  options: Options,
): Promise<Served> {
  const child = start(command, options);
  let ended = false;
  const status = child.status.finally(() => ended = true);
  const errors = new Response(child.stderr).text();
  const lines = linesOf(child.stdout);
  const url = (await lines.first).match(/listening at (\S+)/)?.[1];
  const stop = async (signal: Deno.Signal = "SIGTERM") => {
    if (!ended) child.kill(signal);
    const { code } = await status;
    await Promise.all([lines.all, errors]);
    return code;
  };
  if (url === undefined) {
    await stop("SIGKILL");
    throw new Error(`The server did not start: ${await lines.all}${await errors}`);
  }
  return {
    url,
    pid: child.pid,
    output: lines.all,
    errors,
    stop,
    async call(operation, body = {}) {
      const response = await fetch(`${url}/v1/${operation}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      return await response.json();
    },
    async [Symbol.asyncDispose]() {
      await stop("SIGTERM");
    },
  };
}

/** The first line of a stream as soon as it is there, and all of it at its end. */
function linesOf(stream: ReadableStream<Uint8Array>) {
  const { promise: first, resolve } = Promise.withResolvers<string>();
  const all = (async () => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    }
    resolve(text);
    return text;
  })();
  return { first, all };
}

/** A folder in which the program is called `name`, to be put on PATH; made once for each home. */
export function installAs(home: Home, name: string): string {
  const folder = join(home.path, `bin-${name}`);
  const path = join(folder, name);
  if (exists(path)) return folder;
  Deno.mkdirSync(folder, { recursive: true });
  if (BINARY !== null) Deno.symlinkSync(COMMAND[0], path);
  else {
    const quoted = COMMAND.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    Deno.writeTextFileSync(path, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
  }
  return folder;
}

/** Whether a program is on PATH; a test that needs one is skipped by name without it. */
export function isInstalled(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(join(folder, program)).isFile;
    } catch {
      return false;
    }
  });
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
