import { versionText } from "../src/build.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Print the version of this program.

Usage: event-bus version

Example:
  event-bus version
`,
  options: {},
  run(_args, { out }) {
    out(`${versionText()}\n`);
    return Promise.resolve(0);
  },
};
