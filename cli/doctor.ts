import { BUILD, VERSION } from "../src/build.ts";
import { BusError } from "../src/errors.ts";
import { createClient } from "./client.ts";
import { examineAccess } from "./doctor/access.ts";
import { examineDatabase } from "./doctor/database.ts";
import { broken, type Finding, findingsText, verdictOf, warning } from "./doctor/finding.ts";
import { examineHooks } from "./doctor/hooks.ts";
import { examineMcp } from "./doctor/mcp.ts";
import { meet, type Patient } from "./doctor/patient.ts";
import { examinePolicy } from "./doctor/policy.ts";
import { examineProgram } from "./doctor/program.ts";
import { examineServer, examineService } from "./doctor/server.ts";
import { examineSessions } from "./doctor/sessions.ts";
import { pretty } from "./format.ts";
import { thisMachine } from "./service/machine.ts";
import { type Cli, EXIT, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Look for whatever keeps sessions from hearing of each other, and say what puts it right.

Usage: event-bus doctor [--json]

Looks at the program, the server and its service, how Claude Code knows them (MCP server, plugin or
hooks, settings that switch them off, trust in this folder), token and proxy, database, disk and
clock, and at each live session: by which paths it is reached, and when each last worked. Changes
nothing. ✓ is well, ! works less well than it could, ✗ is broken.

Exits 1 when something is broken, else 0.

Examples:
  event-bus doctor
  event-bus doctor --json | jq -r '.findings[] | select(.verdict != "ok") | .fix'
`,
  options: {},
  async run(_args, cli) {
    const findings = await diagnose(cli);
    const verdict = verdictOf(findings);
    cli.out(cli.json ? pretty({ verdict, findings }) : findingsText(findings));
    return verdict === "broken" ? EXIT.refused : EXIT.done;
  },
};

/** One who looks at a patient, and what it is about. */
type Examination = readonly [about: string, (patient: Patient) => Finding[] | Promise<Finding[]>];

const EXAMINATIONS: readonly Examination[] = [
  ["program", examineProgram],
  ["server", examineServer],
  ["service", examineService],
  ["MCP server", examineMcp],
  ["hooks", examineHooks],
  ["hooks allowed", examinePolicy],
  ["access", examineAccess],
  ["database", examineDatabase],
  ["sessions", examineSessions],
];

/** A bus that does not answer for this long is as good as none. */
const LIMIT_MS = 3000;

async function diagnose(cli: Cli): Promise<Finding[]> {
  let patient: Patient;
  try {
    const { config } = cli;
    patient = await meet({
      config,
      machine: thisMachine(config),
      program: { version: VERSION, build: BUILD },
      client: createClient({ url: config.url, token: tokenOf(cli), timeoutMs: LIMIT_MS }),
    });
  } catch (failure) {
    if (!(failure instanceof BusError)) throw failure;
    return [broken("settings", failure.message, "put it right as it says, and look again")];
  }
  return await examine(patient);
}

/** Whether it can be used is a finding of its own. */
function tokenOf({ config }: Cli): string | null {
  try {
    return config.token();
  } catch {
    return null;
  }
}

/** Everything there is to find. What an examination meets that nobody thought of is a finding, too. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [about, look] of EXAMINATIONS) {
    try {
      findings.push(...await look(patient));
    } catch (failure) {
      const why = failure instanceof Error ? failure.message : String(failure);
      const fix = "look at that by hand, and report it with event-bus doctor --json";
      findings.push(warning(about, `it could not be looked at: ${why}`, fix));
    }
  }
  return findings;
}
