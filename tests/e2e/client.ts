/**
 * The Claude Code that is tested against: one version, from the npm registry, checked, and kept in the
 * user's cache. EVENT_BUS_E2E_CLAUDE names another one.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { cacheFolder } from "../../tools/compile_offline.ts";

const VERSION = "2.1.330";

/** The registry's integrity value of each platform's package. */
const PACKAGES: Readonly<Record<string, { readonly name: string; readonly integrity: string }>> = {
  "linux-x86_64": {
    name: "linux-x64",
    integrity:
      "sha512-9Gn+V7DtJ8M1nztP9CeDVl9g3RtrepI7rOFTyPRRnZe8D6zebIHKmC7OvBauucuAP0X0k85SDN/LPVZyjsGezQ==",
  },
  "linux-aarch64": {
    name: "linux-arm64",
    integrity:
      "sha512-V4yanAY5EA5UpwwRPtjSfqDbNqAlUJeVn3NYZw2AgmRHjdpSsLtHAzbxRXfkAnbjwTXzE0uedjQxUY02ARPcsA==",
  },
  "darwin-aarch64": {
    name: "darwin-arm64",
    integrity:
      "sha512-rgzAjrRJJsIdZXGF9CCFFbURxKuJNobRr+krV3dNmqNJWIws74rLD0CABe4+nXlx/9WwRECTrveprWB96mubqw==",
  },
  "darwin-x86_64": {
    name: "darwin-x64",
    integrity:
      "sha512-XenTNj2zXaFrnLmf47n25vChfFhlfeyaAR/vW5SFsEnLGwd2U1vDUY97+5etHBZu3xWBnlK8HhBVxzRi9YTUDw==",
  },
};

/** The client's executable, fetched when it is not there yet. Throws when it cannot be had. */
export async function findClient(): Promise<string> {
  const given = Deno.env.get("EVENT_BUS_E2E_CLAUDE");
  if (given) return Deno.realPathSync(given);
  const platform = `${Deno.build.os}-${Deno.build.arch}`;
  const known = PACKAGES[platform];
  if (known === undefined) throw new Error(`Cannot get Claude Code: no package for ${platform}`);
  const folder = cacheFolder((name) => Deno.env.get(name));
  const path = join(folder, `claude-${VERSION}-${known.name}`);
  if (isFile(path)) return path;

  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const work = Deno.makeTempDirSync({ dir: folder, prefix: ".fetch-" });
  try {
    const spec = `@anthropic-ai/claude-code-${known.name}@${VERSION}`;
    await must("npm", "pack", spec, "--pack-destination", work);
    const archive = [...Deno.readDirSync(work)].find(({ name }) => name.endsWith(".tgz"));
    if (archive === undefined) throw new Error(`Cannot find what npm packed in ${work}`);
    const packed = join(work, archive.name);
    const found = `sha512-${
      createHash("sha512").update(Deno.readFileSync(packed)).digest("base64")
    }`;
    if (found !== known.integrity) {
      throw new Error(`Cannot use ${spec}: its integrity is ${found}, not ${known.integrity}`);
    }
    await must("tar", "-xzf", packed, "-C", work, "package/claude");
    Deno.chmodSync(join(work, "package", "claude"), 0o755);
    Deno.renameSync(join(work, "package", "claude"), path);
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
  return path;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function must(program: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  if (code === 0) return;
  throw new Error(`${program} ${args[0]} failed: ${new TextDecoder().decode(stderr).trim()}`);
}
