/** Looks at each session that is here: by which paths it is reached, and whether the bus knows it. */
import { join } from "node:path";
import type { DiagnosedSession, Diagnosis } from "../diagnosis.ts";
import { agoText, pathsText, safeLine } from "../format.ts";
import { type Json, namesIn, readJson } from "./claude.ts";
import { type Finding, ok, warning } from "./finding.ts";
import { installLine } from "./hooks.ts";
import type { Patient } from "./patient.ts";

/** Every live session of the bus, and those of Claude Code that the bus does not know. */
export function examineSessions(patient: Patient): Finding[] {
  const { diagnosis } = patient.bus;
  if (diagnosis === null) return [];
  return [
    ...diagnosis.sessions.map((session) => heard(patient, diagnosis, session)),
    ...unknown(patient, diagnosis),
  ];
}

function heard(patient: Patient, diagnosis: Diagnosis, session: DiagnosedSession): Finding {
  const check = `session ${session.display_id}`;
  const paths = pathsText(session.paths, Date.parse(diagnosis.now));
  const who = `${session.name} on ${session.machine}, ${session.state}, ${session.unseen} unread`;
  if (!session.deaf) return ok(check, `${who}; reached by: ${paths}`);
  const { why, fix } = explained(patient, diagnosis, session.why);
  return warning(check, `${who}; nothing reaches it unless it asks: ${why}; paths: ${paths}`, fix);
}

function explained(
  patient: Patient,
  { now, started_at }: Diagnosis,
  why: string | undefined,
): { why: string; fix: string } {
  const since = agoText(Date.parse(now) - Date.parse(started_at));
  return why === "no listener"
    ? {
      why: "its hooks are heard, but nothing listens for it while it does nothing",
      fix:
        "prompt it once: its hooks start a listener; if that does not help, /reload-plugins there " +
        "and prompt it again",
    }
    : {
      why: `none of its hooks was seen since the bus started ${since}`,
      fix: `${
        installLine(patient)
      }, then /reload-plugins in that session and a prompt, or start it anew`,
    };
}

/** Claude Code keeps a file for each session that runs; one that was killed leaves its file. */
function unknown(patient: Patient, { sessions }: Diagnosis): Finding[] {
  const folder = join(patient.claude.folder, "sessions");
  const known = new Set(sessions.flatMap(({ session_id, client_id }) => [session_id, client_id]));
  // What lies beside them are keys, which are nobody's business.
  return namesIn(folder).filter((name) => /^[0-9]+\.json$/.test(name)).flatMap((name) => {
    const { path, value, failure } = readJson(join(folder, name));
    const check = "sessions of Claude Code";
    if (failure !== null) {
      return [warning(check, `${path} cannot be read: ${failure}`, `rm ${path}`)];
    }
    if (value === null || !runs(patient, value) || known.has(value.sessionId as string)) return [];
    const who = `the session ${
      safeLine(String(value.name ?? value.sessionId))
    } (process ${value.pid})`;
    return [
      warning(
        check,
        `${who} in ${safeLine(String(value.cwd))} is not on the bus; it may have started before ` +
          "the plugin was there",
        "type /reload-plugins in it, then send a prompt; or start it anew",
      ),
    ];
  });
}

function runs(patient: Patient, { pid, procStart }: Json): boolean {
  return typeof pid === "number" && Number.isInteger(pid) && pid > 0 &&
    patient.isRunning(pid, typeof procStart === "string" ? procStart : null);
}
