import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import {
  advice,
  BuildError,
  compileArguments,
  defaultOutput,
  engineFlags,
  permissionFlags,
  stampBundle,
} from "../../tools/binary.ts";

Deno.test("permissionFlags: a set becomes exactly the flags that grant the same", () => {
  const flags = permissionFlags({
    net: true,
    ffi: false,
    sys: ["hostname", "uid"],
    read: [],
    env: { allow: ["HOME", "EVENT_BUS_*"], deny: ["SECRET"], ignore: true },
  });
  assert.deepEqual(flags, [
    "--allow-net",
    "--allow-sys=hostname,uid",
    "--allow-env=HOME,EVENT_BUS_*",
    "--deny-env=SECRET",
    "--ignore-env",
  ]);
});

Deno.test("permissionFlags: all permissions, and grants it cannot express, are refused", () => {
  const refused: Record<string, unknown>[] = [
    { all: true },
    { net: "localhost" },
    { env: ["HOME,PATH"] },
    { env: [""] },
    { env: { allow: 1 } },
    { env: { permit: true } },
    { net: null },
  ];
  for (const set of refused) {
    assert.throws(() => permissionFlags(set), BuildError, JSON.stringify(set));
  }
});

Deno.test("compileArguments: the binary may do what deno.json grants, and is never asked", () => {
  const args = compileArguments(undefined, "out");
  for (const flag of permissionFlags(manifest.permissions.default)) assert.ok(args.includes(flag));
  for (const flag of ["--no-prompt", "--no-code-cache", "--unstable-no-legacy-abort"]) {
    assert.ok(args.includes(flag), flag);
  }
  const grants = args.filter((arg) => /^(-A|-P|--allow-)/.test(arg)).map((arg) =>
    arg.split("=")[0]
  );
  assert.deepEqual(grants.sort(), [
    "--allow-env",
    "--allow-net",
    "--allow-read",
    "--allow-run",
    "--allow-sys",
    "--allow-write",
  ]);
  assert.ok(!args.includes("--allow-env") && !args.includes("--allow-sys"), "by name");
});

Deno.test("engineFlags: the binary's engine is tuned as that of deno task serve", () => {
  const flags = engineFlags(manifest.tasks.serve);
  assert.equal(flags.length, 1);
  assert.ok(compileArguments(undefined, "out").includes(flags[0] ?? ""));
  assert.deepEqual(engineFlags("deno run -P main.ts serve"), []);
});

Deno.test("compileArguments: a target is passed on to Deno", () => {
  const args = compileArguments("aarch64-apple-darwin", "out");
  assert.equal(args[args.indexOf("--target") + 1], "aarch64-apple-darwin");
  assert.ok(!compileArguments(undefined, "out").includes("--target"));
});

Deno.test("defaultOutput: this machine's binary has the plain name, others carry their target", () => {
  assert.equal(defaultOutput(undefined), "dist/event-bus");
  assert.equal(defaultOutput("aarch64-apple-darwin"), "dist/event-bus-aarch64-apple-darwin");
  assert.equal(
    defaultOutput("x86_64-pc-windows-msvc"),
    "dist/event-bus-x86_64-pc-windows-msvc.exe",
  );
});

Deno.test("stampBundle: the stamp of src/build.ts is there to be written over", () => {
  const source = Deno.readTextFileSync(new URL("../../src/build.ts", import.meta.url));
  const stamped = stampBundle(new Map([["build.js", source], ["main.js", "1;"]]), "test");
  assert.ok(stamped.get("build.js")?.includes(`"event-bus build: test"`));
  assert.equal(stamped.get("main.js"), "1;");
});

Deno.test("stampBundle: a bundle with no stamp, or two, is refused", () => {
  const stamp = `"event-bus build: source"`;
  for (const texts of [["1;"], [stamp + stamp], [stamp, stamp]]) {
    const files = new Map(texts.map((text, i) => [`${i}.js`, text]));
    assert.throws(() => stampBundle(files, "release"), /src\/build\.ts must be in it once/);
  }
});

Deno.test("stampBundle: the folders of the building machine are left out", () => {
  const text = `// ../../home/ann/.cache/deno/npm/registry.example/zod/4.6.7/v4/core.js\n` +
    `const a = "event-bus build: source"; // ../home/ann/npm/registry.example/x\n// src/build.ts\n`;
  assert.equal(
    stampBundle(new Map([["a.js", text]]), "release").get("a.js"),
    `// npm:zod/4.6.7/v4/core.js\n` +
      `const a = "event-bus build: release"; // ../home/ann/npm/registry.example/x\n// src/build.ts\n`,
  );
});

Deno.test("advice: an unreachable runtime is answered with the two ways on, other errors with none", () => {
  const told = "error: error sending request for url (https://dl.deno.land/release/denort.zip)";
  assert.match(advice(told), /DENORT_BIN.*deno task compile:offline/s);
  assert.equal(advice("error: Module not found"), "");
});
