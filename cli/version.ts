import { BUILD, VERSION, versionText } from "../src/build.ts";
import { pretty } from "./format.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Print the version of this program.

Usage: event-bus version [--json]

Example:
  event-bus version --json | jq -r .build
`,
  options: {},
  run(_args, { json, out }) {
    const facts = { version: VERSION, build: BUILD, deno: Deno.version.deno };
    out(json ? pretty(facts) : `${versionText()}\n`);
    return Promise.resolve(0);
  },
};
