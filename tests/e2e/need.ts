/** Tests that need tmux are skipped by name without it. */
import { isInstalled } from "../helpers/process.ts";

const MISSING = ["tmux", "ps"].filter((program) => !isInstalled(program));

/** A test with interactive sessions. */
export function sessionTest(name: string, fn: () => Promise<void>): void {
  const why = MISSING.length === 0 ? "" : ` (skipped: ${MISSING.join(" and ")} is not installed)`;
  Deno.test({ name: `${name}${why}`, ignore: MISSING.length > 0, fn });
}
