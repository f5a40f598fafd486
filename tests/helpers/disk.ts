/** A small file system of a test's own, that can be filled, emptied and made read-only. */
import { join } from "node:path";
import { isInstalled } from "./process.ts";

export interface Disk extends Disposable {
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives it back. */
  empty(): void;
  setReadOnly(readOnly: boolean): void;
}

/** What keeps `smallDisk` from working here, or null. */
export const NO_DISK: string | null = findObstacle();

function findObstacle(): string | null {
  if (Deno.build.os !== "linux") return "a tmpfs is a file system of Linux";
  if (Deno.uid() !== 0) return "only root may mount";
  if (!isInstalled("mount")) return "mount is not installed";
  const path = Deno.makeTempDirSync();
  try {
    mount(["-t", "tmpfs", "-o", "size=64k", "tmpfs", path]);
    unmount(path);
    return null;
  } catch {
    return "mount is refused here";
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

/** Mounts one of so many KiB; it is gone when disposed of. */
export function smallDisk(kib: number): Disk {
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "event-bus-disk-" }));
  mount(["-t", "tmpfs", "-o", `size=${kib}k`, "tmpfs", path]);
  const ballast = join(path, "ballast");
  return {
    path,
    fill() {
      using file = Deno.openSync(ballast, { create: true, append: true });
      for (let size = 64 * 1024; size >= 1;) {
        try {
          if (file.writeSync(new Uint8Array(size)) < size) size = Math.floor(size / 2);
        } catch {
          size = Math.floor(size / 2);
        }
      }
    },
    empty: () => Deno.removeSync(ballast),
    setReadOnly: (readOnly) => mount(["-o", `remount,${readOnly ? "ro" : "rw"}`, path]),
    [Symbol.dispose]() {
      unmount(path);
      Deno.removeSync(path);
    },
  };
}

function mount(args: string[]): void {
  const { success, stderr } = new Deno.Command("mount", { args }).outputSync();
  if (!success) throw new Error(`mount ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Lazily: a file that is still open must not keep a failed test's disk. */
function unmount(path: string): void {
  new Deno.Command("umount", { args: ["-l", path] }).outputSync();
}
