/** The processes that are measured: started in a world of their own, ended with the run. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Where one run happens: a folder for databases and logs, and an environment without settings. */
export interface World extends AsyncDisposable {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Processes that must not outlive the run. */
  readonly running: Set<Deno.ChildProcess>;
}

/** A server in a process of its own. */
export interface Child extends AsyncDisposable {
  readonly url: string;
  /** Resident memory in megabytes, as the system counts it; null when it cannot be asked. */
  memory(): Promise<number | null>;
}

/**
 * A world below `dist`, like the checkout on a disk that keeps what is synced to it: in a folder of
 * memory a durable write would cost nothing. Disposing removes it.
 */
export async function createWorld(): Promise<World> {
  Deno.mkdirSync(join(ROOT, "dist"), { recursive: true });
  const folder = Deno.makeTempDirSync({ dir: join(ROOT, "dist"), prefix: "bench-" });
  const running = new Set<Deno.ChildProcess>();
  const stopListening = onInterrupt(() => {
    for (const child of running) child.kill("SIGKILL");
    Deno.removeSync(folder, { recursive: true });
  });
  const info = JSON.parse(await outputOf(Deno.execPath(), ["info", "--json"]));
  return {
    folder,
    running,
    env: {
      HOME: folder,
      DENO_DIR: info.denoDir,
      DENO_NO_UPDATE_CHECK: "1",
      // Some of the measured clients would send even this machine's own traffic to a proxy.
      NO_PROXY: "127.0.0.1",
      no_proxy: "127.0.0.1",
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Runs `tidy` when the run is interrupted, which then ends as if nobody had listened. */
function onInterrupt(tidy: () => void): () => void {
  const listeners = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const listener = () => {
      stop();
      tidy();
      Deno.kill(Deno.pid, signal);
    };
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  const stop = () => listeners.forEach((remove) => remove());
  return stop;
}

/** The real server, from sources, started as `deno task serve` does, with a new database and log. */
export function startBus(world: World, name: string): Promise<Child> {
  const file = (ending: string) => join(world.folder, `${name}.${ending}`);
  const settings = ["--host", "127.0.0.1", "--port", "0", "--db", file("db"), "--log", file("log")];
  const [deno, run, ...args] = manifest.tasks.serve.split(" ");
  if (deno !== "deno" || run !== "run") throw new Error("The task serve is not a deno run");
  return startChild(world, [...args, ...settings]);
}

/** A script of this folder that serves something to compare with; it may write to `file`. */
export function startBaseline(world: World, script: string, file?: string): Promise<Child> {
  const path = file === undefined ? [] : [join(world.folder, file)];
  const allowed = path.map((file) => `--allow-write=${file}`);
  const run = [
    "--quiet",
    "--no-prompt",
    "--allow-net",
    "--allow-env",
    ...allowed,
    join("bench", script),
  ];
  return startChild(world, [...run, ...path]);
}

/** Runs `deno run` with these arguments until it has printed its URL. */
async function startChild(world: World, args: readonly string[]): Promise<Child> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...args],
    cwd: ROOT,
    env: { ...world.env },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  world.running.add(child);
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let url: string | undefined;
  for (let text = ""; url === undefined;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`Cannot start ${args.join(" ")}: it ended before it listened`);
    text += value;
    url = text.match(/http:\/\/[0-9.]+:[0-9]+(?=\s)/)?.[0];
  }
  const rest = drain(reader);
  return {
    url,
    memory: () => residentMemory(child.pid),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      world.running.delete(child);
      await rest;
    },
  };
}

async function residentMemory(pid: number): Promise<number | null> {
  try {
    return Number(await outputOf("ps", ["-o", "rss=", "-p", String(pid)])) / 1024;
  } catch {
    return null;
  }
}

async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read()).done);
}

/** What a program prints. Throws what it says when it cannot be run or fails. */
export async function outputOf(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const command = new Deno.Command(program, { args: [...args], env: { ...env }, cwd: ROOT });
  const { success, stdout, stderr } = await command.output();
  if (success) return new TextDecoder().decode(stdout).trim();
  throw new Error(new TextDecoder().decode(stderr).trim() || `${program} failed`);
}
