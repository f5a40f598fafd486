/** A home folder of a test's own, empty at first and gone at the end. */
import { join } from "node:path";

export interface Home extends Disposable {
  readonly path: string;
  /** Where the bus keeps its data by default. */
  readonly dataDir: string;
  /** Writes a file in the home, with its folders, and answers its path. */
  write(name: string, content: string | Uint8Array, mode?: number): string;
}

export function tempHome(): Home {
  // The real path: on some systems the temporary folder is a symbolic link.
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "event-bus-test-" }));
  return {
    path,
    dataDir: join(path, ".claude", "contrib", "event-bus"),
    write(name, content, mode = 0o600) {
      const file = join(path, name);
      Deno.mkdirSync(join(file, ".."), { recursive: true });
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      Deno.writeFileSync(file, bytes);
      Deno.chmodSync(file, mode);
      return file;
    },
    [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
  };
}

/** Reads variables from a plain object instead of the environment of the tests. */
export function envOf(home: Home, variables: Record<string, string> = {}) {
  const all: Record<string, string> = { HOME: home.path, ...variables };
  return (name: string): string | undefined => Object.hasOwn(all, name) ? all[name] : undefined;
}
