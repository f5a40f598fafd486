/** What only the client of a session knows: where it works, and in which process it runs. */
import { basename, dirname, join, resolve } from "node:path";
import type { Config } from "../../src/config.ts";
import { startOf } from "../../src/process.ts";

/** The facts of this process's session, as the query of a hook. */
export function gatherFacts({ env }: Config): Record<string, string> {
  const checkout = checkoutOf(env.cwd);
  return {
    ...checkout === null ? {} : { root: checkout.root, repo: checkout.repo },
    ...checkout?.branch ? { branch: checkout.branch } : {},
    ...processFacts(env.claude.pid),
  };
}

/** Which process a session runs in, as the query of a hook. */
export function processFacts(pid: number | null): Record<string, string> {
  const start = pid === null ? null : startOf(pid);
  return {
    ...pid === null ? {} : { pid: String(pid) },
    ...start === null ? {} : { pid_start: start },
  };
}

export interface Checkout {
  /** The folder that is checked out. */
  readonly root: string;
  /** The repository that it belongs to, also for a linked worktree. */
  readonly repo: string;
  /** Null where none is checked out. */
  readonly branch: string | null;
}

/** The checkout of Git around a folder, read from its files alone; null outside of one. */
export function checkoutOf(folder: string): Checkout | null {
  for (let root = folder;; root = dirname(root)) {
    const gitDir = gitDirOf(root);
    if (gitDir !== null) return { root, repo: repoOf(root, gitDir), branch: branchOf(gitDir) };
    if (root === dirname(root)) return null;
  }
}

/** A folder, or in linked worktrees and submodules a file that names one. */
function gitDirOf(root: string): string | null {
  const path = join(root, ".git");
  const file = contentOf(path);
  if (file === null) return contentOf(join(path, "HEAD")) === null ? null : path;
  const named = file.match(/^gitdir: (.+)$/m)?.[1];
  return named === undefined ? null : resolve(root, named.trim());
}

/** A linked worktree has the folder of its repository as its common one. */
function repoOf(root: string, gitDir: string): string {
  const common = contentOf(join(gitDir, "commondir"));
  if (common === null) return basename(root);
  const main = resolve(gitDir, common.trim());
  return basename(main) === ".git" ? basename(dirname(main)) : basename(main, ".git");
}

function branchOf(gitDir: string): string | null {
  const head = contentOf(join(gitDir, "HEAD"))?.trim() ?? "";
  return head.match(/^ref: refs\/heads\/(.+)$/)?.[1] ?? (head.slice(0, 8) || null);
}

/** What a small file holds; null when it cannot be read. */
export function contentOf(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}
