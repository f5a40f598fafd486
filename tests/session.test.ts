import { deepStrictEqual as equal } from "node:assert";
import { processOf, repoOf } from "../src/session.ts";

Deno.test("repoOf() names the repository of a folder, also from inside its worktrees", () => {
  const cases = {
    "/": "unknown",
    "": "unknown",
    "/home/me/project": "project",
    "/home/me/project/": "project",
    "/a/r/.worktrees/x/sub": "r",
    ".worktrees/x": "x",
    "/a/r/.claude/worktrees/fix": "r",
    "/a/r/.claude/worktrees": "worktrees",
    "/a/r/.claude/skills": "skills",
    "/a/with\nnewline": "with newline",
    "/a/prøjekt": "prøjekt",
  };
  for (const [cwd, repo] of Object.entries(cases)) equal(repoOf(cwd), repo, cwd);
});

const ofClient = (client_id: string | null) => processOf({ client_id, pid: null, pid_start: null });

Deno.test("processOf() prefers what a hook reported", () => {
  equal(processOf({ client_id: "4242", pid: 7, pid_start: "s" }), { pid: 7, start: "s" });
});

Deno.test("processOf() takes only decimal ids of a sane size for processes", () => {
  equal(ofClient("4242"), { pid: 4242, start: null });
  for (const id of [null, "", "0", "-1", "007", " 7", "1_0", "1e3", "12345678901", "abc"]) {
    equal(ofClient(id), null, String(id));
  }
});
