/** The commands of docs/operations.md and docs/security.md, executed as they stand. */
import { match, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type Home, tempHome } from "../helpers/home.ts";
import { installAs, isInstalled, runOther, serve } from "../helpers/process.ts";

const MISSING = ["bash", "curl"].filter((program) => !isInstalled(program));
const SKIPPED = MISSING.length === 0 ? "" : ` (skipped: no ${MISSING.join(", ")})`;

interface Block {
  readonly code: string;
  /** Whether the bus must not run meanwhile. */
  readonly stopped: boolean;
}

function blocksOf(name: string): Block[] {
  const text = Deno.readTextFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)));
  const blocks = [...text.matchAll(/^```sh( stopped)?\n(.*?)^```$/gms)];
  return blocks.map(([, stopped, code = ""]) => ({ code, stopped: stopped !== undefined }));
}

function shell(home: Home, url: string, script: string) {
  // The documents speak of the usual address; here the system chose one.
  const code = script.replaceAll("http://127.0.0.1:8080", url);
  return runOther("bash", ["-e", "-u", "-o", "pipefail", "-c", code], {
    home,
    env: {
      PATH: `${installAs(home, "event-bus")}:${Deno.env.get("PATH")}`,
      EVENT_BUS_URL: url,
    },
  });
}

for (const name of ["operations.md", "security.md"]) {
  Deno.test({
    name: `docs/${name}: every command does what it says, in this order${SKIPPED}`,
    ignore: MISSING.length > 0,
    async fn() {
      using home = tempHome();
      const blocks = blocksOf(name);
      ok(blocks.length > 0, "there are commands");
      let server = await serve({ home });
      for (const { code, stopped } of blocks) {
        if (stopped) await server.stop();
        const { code: exit, stdout, stderr } = await shell(home, server.url, code);
        match(`${exit}`, /^0$/, `${code}${stdout}${stderr}`);
        if (stopped) server = await serve({ home });
      }
      await server.stop();
    },
  });
}
