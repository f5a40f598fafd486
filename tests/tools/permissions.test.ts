import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { loadConfig } from "../../src/config.ts";
import { permissionFlags } from "../../tools/binary.ts";

const granted = manifest.permissions.default.env.allow;

function isGranted(name: string): boolean {
  return granted.some((grant) =>
    grant.endsWith("*") ? name.startsWith(grant.slice(0, -1)) : name === grant
  );
}

Deno.test("permissions: every variable that the configuration reads is granted", () => {
  const home = Deno.makeTempDirSync();
  const asked = new Set<string>();
  try {
    loadConfig({}, (name) => {
      asked.add(name);
      return name === "HOME" ? home : undefined;
    });
  } finally {
    Deno.removeSync(home, { recursive: true });
  }
  // What is not granted would silently look unset, so a name missing here is a dead setting.
  assert.ok(asked.size > 10, "the configuration was read");
  assert.deepEqual([...asked].filter((name) => !isGranted(name)), []);
});

Deno.test("permissions: to the program a variable that is not granted is unset, and reading it ends nothing", async () => {
  const program = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-config",
      "--no-prompt",
      ...permissionFlags(manifest.permissions.default),
      "data:text/javascript,console.log(Deno.env.get('SECRET'),Deno.env.get('EVENT_BUS_URL'))",
    ],
    env: { SECRET: "s", EVENT_BUS_URL: "u", NO_COLOR: "1" },
  });
  const { stdout, stderr } = await program.output();
  assert.equal(new TextDecoder().decode(stdout), "undefined u\n", new TextDecoder().decode(stderr));
});
