/** The dependency direction of the rooms, read from the imports in the sources. */
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Import {
  readonly from: string;
  /** A file of ours as a path from the root, else the bare specifier. */
  readonly to: string;
  readonly typeOnly: boolean;
  /** `await import()`: loaded only when it is reached. */
  readonly dynamic: boolean;
}

interface Source {
  readonly path: string;
  readonly text: string;
}

function sources(folder: string): Source[] {
  return [...Deno.readDirSync(join(ROOT, folder))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return sources(path);
    return name.endsWith(".ts") ? [read(path)] : [];
  });
}

const read = (path: string): Source => ({ path, text: Deno.readTextFileSync(join(ROOT, path)) });

const FILES = [read("main.ts"), ...sources("src"), ...sources("cli")];

const FROM = /^(?:import|export)\s+(type\s)?([^;"']*?)from\s*["']([^"']+)["']/gm;
const BARE = /^import\s*["']([^"']+)["']/gm;
const DYNAMIC = /\bimport\(\s*["']([^"']+)["']/g;

/** What a source imports; comments are left out first. */
function importsOf({ path, text }: Source): Import[] {
  const code = withoutComments(text);
  const to = (specifier: string) =>
    specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier;
  return [
    ...[...code.matchAll(FROM)].map(([, type, names = "", specifier = ""]) => ({
      from: path,
      to: to(specifier),
      typeOnly: type !== undefined || onlyTypes(names),
      dynamic: false,
    })),
    ...[...code.matchAll(BARE)].map(([, specifier = ""]) => (
      { from: path, to: to(specifier), typeOnly: false, dynamic: false }
    )),
    ...[...code.matchAll(DYNAMIC)].map(([, specifier = ""]) => (
      { from: path, to: to(specifier), typeOnly: false, dynamic: true }
    )),
  ];
}

/** `import { type A, type B }` imports no code. */
function onlyTypes(names: string): boolean {
  const list = names.match(/^\s*\{([^}]*)\}\s*$/)?.[1]?.split(",").map((name) => name.trim());
  return list?.every((name) => name === "" || name.startsWith("type ")) ?? false;
}

function withoutComments(text: string): string {
  return text.replace(/^\s*(\/\*[\s\S]*?\*\/|\/\/.*$)/gm, "");
}

const IMPORTS = FILES.flatMap(importsOf);

/** The rooms in their order: each may import itself and those before it. */
const ROOMS: readonly [room: string, files: RegExp][] = [
  ["errors", /^src\/(errors|config|setting_values|build|words|limits|secrets|spool|metrics)\.ts$/],
  [
    "nouns",
    /^src\/archive\/|^src\/(archive|event|session|channel|desktop|filter|delivery|courier|webhook_url|token)\.ts$/,
  ],
  ["store", /^src\/store\//],
  ["bus", /^src\/(bus|bell|readers)\.ts$|^src\/bus\//],
  ["operations", /^src\/operations\//],
  ["doors", /^src\/(http|mcp|hooks|webhooks)\/|^src\/webhooks\.ts$/],
  ["server", /^src\/(server|log|audit|process|upkeep|spooling)\.ts$/],
  ["cli", /^cli\//],
  ["main", /^main\.ts$/],
];

const roomOf = (path: string): number => ROOMS.findIndex(([, files]) => files.test(path));

const ours = (path: string): boolean => /^(src|cli)\/|^main\.ts$/.test(path);

/** Fails when a rule finds nothing to look at: a moved folder must not turn it off. */
function some<T>(what: string, found: T[]): T[] {
  assert.ok(found.length > 0, `${what}: nothing to check`);
  return found;
}

const told = (imports: Import[]): string[] => imports.map(({ from, to }) => `${from} -> ${to}`);

Deno.test("layering: every source belongs to a room, and every room has sources", () => {
  some("sources", FILES);
  const homeless = FILES.filter(({ path }) => roomOf(path) === -1).map(({ path }) => path);
  assert.deepEqual(homeless, [], "say in ROOMS where it stands");
  for (const [room, files] of ROOMS) {
    some(room, FILES.filter(({ path }) => files.test(path)));
  }
});

Deno.test("layering: a room imports itself and those before it, never one after it", () => {
  const within = some(
    "imports of ours",
    IMPORTS.filter(({ to }) => ours(to) && to.endsWith(".ts")),
  );
  for (const [room, files] of ROOMS.slice(1)) {
    some(`imports by ${room}`, within.filter(({ from }) => files.test(from)));
  }
  const upwards = within.filter(({ from, to }) => roomOf(to) > roomOf(from));
  assert.deepEqual(told(upwards), []);
});

Deno.test("layering: no source imports itself in a circle", () => {
  const next = new Map(FILES.map(({ path }) => [path, new Set<string>()]));
  for (const { from, to, typeOnly, dynamic } of IMPORTS) {
    if (ours(to) && !typeOnly && !dynamic) next.get(from)?.add(to);
  }
  some("edges", [...next.values()].filter(({ size }) => size > 0));
  const done = new Set<string>();
  const visit = (path: string, trail: string[]) => {
    assert.ok(!trail.includes(path), [...trail, path].join(" -> "));
    if (done.has(path)) return;
    for (const to of next.get(path) ?? []) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const path of next.keys()) visit(path, []);
});

Deno.test("layering: the doors know nothing of each other", () => {
  const doors = { http: /^src\/http\//, mcp: /^src\/mcp\// };
  for (const files of Object.values(doors)) {
    some("imports of a door", IMPORTS.filter(({ from }) => files.test(from)));
  }
  const between = IMPORTS.filter(({ from, to }) =>
    (doors.http.test(from) && doors.mcp.test(to)) || (doors.mcp.test(from) && doors.http.test(to))
  );
  assert.deepEqual(told(between), []);
});

/** Packages and where they may be imported, beside as types. */
const OWNERS: readonly [what: string, specifier: RegExp, owner: RegExp][] = [
  ["Hono", /^hono(\/|$)/, /^src\/http\//],
  ["the MCP SDK", /^@modelcontextprotocol\//, /^src\/mcp\//],
  ["SQLite", /^node:sqlite$/, /^src\/store\//],
];

for (const [what, specifier, owner] of OWNERS) {
  Deno.test(`layering: ${what} has one room`, () => {
    const users = some(what, IMPORTS.filter(({ to }) => specifier.test(to)));
    assert.deepEqual(told(users.filter(({ from }) => !owner.test(from))), []);
  });
}

/** Powers over the process, and the one file that has each. */
const POWERS: readonly [what: string, use: RegExp, owner: string][] = [
  ["the environment", /\bDeno\.env\b|\bprocess\.env\b/, "src/config.ts"],
  ["the exit", /\bDeno\.exit\b|\bprocess\.exit\b/, "main.ts"],
];

for (const [what, use, owner] of POWERS) {
  Deno.test(`layering: only ${owner} touches ${what}`, () => {
    const users = FILES.filter(({ text }) => use.test(withoutComments(text)));
    assert.deepEqual(some(what, users).map(({ path }) => path), [owner]);
  });
}

/** What is loaded, sooner or later, when `path` is; `import()` is followed, types are not. */
function reachable(path: string, skip: ReadonlySet<string> = new Set()): Set<string> {
  const found = new Set<string>();
  const queue = [path];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    for (const { from, to, typeOnly } of IMPORTS) {
      if (from === next && !typeOnly && !skip.has(to)) queue.push(to);
    }
  }
  return found;
}

const SLOW = /^(zod|hono|@modelcontextprotocol|@logtape)(\/|$)/;

Deno.test("layering: no command but serve loads zod, Hono, the SDK or the logger", () => {
  const verbs = some(
    "verbs",
    IMPORTS.filter(({ from, dynamic }) => from === "cli/verbs.ts" && dynamic).map(({ to }) => to),
  );
  assert.ok(verbs.includes("cli/serve.ts"));
  const slow = (path: string, skip?: Set<string>) =>
    [...reachable(path, skip)].filter((specifier) => SLOW.test(specifier));

  some("slow packages behind serve", slow("cli/serve.ts"));
  for (const verb of verbs.filter((path) => path !== "cli/serve.ts")) {
    assert.ok(reachable(verb).size > 1, `${verb} imports something`);
    assert.deepEqual(slow(verb, new Set(["cli/serve.ts"])), [], verb);
  }
  assert.deepEqual(slow("main.ts", new Set(["cli/serve.ts"])), [], "the way to the verb");
});

Deno.test("layering: commands are clients: only serve reaches the database, server and doors, and restore the database", () => {
  const server =
    /^src\/(store|bus|operations|http|mcp|webhooks)\/|^src\/(bus|bell|readers|webhooks|server|log)\.ts$/;
  some(
    "the server behind serve",
    [...reachable("cli/serve.ts")].filter((path) => server.test(path)),
  );
  // It works on the database of a bus that is stopped, so there is nobody to ask.
  const restored = [...reachable("cli/restore.ts")].filter((path) => server.test(path));
  assert.deepEqual(
    some("the store behind restore", restored).filter((p) => !/^src\/store\//.test(p)),
    [],
  );
  const others = [...reachable("main.ts", new Set(["cli/serve.ts", "cli/restore.ts"]))];
  some("commands", others.filter((path) => path.startsWith("cli/")));
  assert.deepEqual(others.filter((path) => server.test(path)), []);
});

Deno.test("layering: what is loaded only by the verb that needs it is not loaded by all", () => {
  const atStart = new Set<string>();
  const queue = ["main.ts"];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (atStart.has(next)) continue;
    atStart.add(next);
    for (const { from, to, typeOnly, dynamic } of IMPORTS) {
      if (from === next && !typeOnly && !dynamic) queue.push(to);
    }
  }
  const early = some("files at start", [...atStart].filter((path) => path.startsWith("cli/")));
  const verbs = IMPORTS.filter(({ from, dynamic }) => from === "cli/verbs.ts" && dynamic);
  assert.deepEqual(early.filter((path) => verbs.some(({ to }) => to === path)), []);
});

Deno.test("layering: the imports that these rules rest on are read as they are", () => {
  const imports = importsOf({
    path: "src/a/b.ts",
    text: `// import x from "zod";
/* export * from "zod"; */
import type { A } from "./types.ts";
import { type B, type C } from "../b.ts";
import { type D, e } from "../c.ts";
import f, {
  g,
} from "hono/body";
import sql from "./0001.sql" with { type: "text" };
import "./effect.ts";
export * from "../d.ts";
export type { H } from "./h.ts";
export const i = "not from 'k'";
const load = () => import("./late.ts");
`,
  });
  assert.deepEqual(
    imports.map(({ to, typeOnly, dynamic }) => [to, typeOnly ? "type" : dynamic ? "late" : "now"]),
    [
      ["src/a/types.ts", "type"],
      ["src/b.ts", "type"],
      ["src/c.ts", "now"],
      ["hono/body", "now"],
      ["src/a/0001.sql", "now"],
      ["src/d.ts", "now"],
      ["src/a/h.ts", "type"],
      ["src/a/effect.ts", "now"],
      ["src/a/late.ts", "late"],
    ],
  );
});
