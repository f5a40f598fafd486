/** Looks at how Claude Code knows the bus as an MCP server. */
import { join } from "node:path";
import { addLine, findClaude } from "../service/claude.ts";
import { shellLine } from "../service/machine.ts";
import { isSameBus } from "./address.ts";
import { isObject, type Json, objectIn, readJson } from "./claude.ts";
import { broken, type Finding, ok, warning } from "./finding.ts";
import type { Patient } from "./patient.ts";

const CHECK = "MCP server";
const NAME = "event-bus";

/** An MCP server that some file names. */
interface Entry {
  readonly name: string;
  readonly url: string;
}

/** Whether Claude Code knows the bus, by the right address, and once. */
export function examineMcp(patient: Patient): Finding[] {
  const { claude: { state }, bus, machine } = patient;
  const add = addLine({ url: `${bus.base}/mcp`, needsToken: bus.needsToken });
  const replace = `${shellLine("claude", "mcp", "remove", NAME, "--scope", "user")}; ${add}`;
  if (state.failure !== null) {
    return [
      broken(
        CHECK,
        `${state.path} cannot be read: ${state.failure}`,
        `correct ${state.path}, or put back one of its backups`,
      ),
    ];
  }
  if (state.value === null && findClaude(machine) === null) {
    return [warning(CHECK, "Claude Code is not installed here", add)];
  }
  const entries = entriesIn(state.value);
  const own = entries.find(({ name }) => name === NAME);
  const doubles = doublesOf(patient, entries);
  if (own === undefined) {
    const other = entries.find(({ url }) => isSameBus(url, bus.base));
    return other === undefined
      ? [broken(CHECK, `${state.path} does not name ${NAME}`, add), ...doubles]
      : [ok(CHECK, `Claude Code knows the bus as ${other.name}, at ${other.url}`), ...doubles];
  }
  if (!isSameBus(own.url, bus.base)) {
    const found = `Claude Code goes to ${own.url || "no address"}, but the bus is at ${bus.base}`;
    return [broken(CHECK, found, replace), ...doubles];
  }
  if (!own.url.replace(/\/+$/, "").endsWith("/mcp")) {
    return [broken(CHECK, `${own.url} does not end with /mcp`, replace), ...doubles];
  }
  return [ok(CHECK, `Claude Code knows the bus as ${NAME}, at ${own.url}`), ...doubles];
}

/** Further entries for the same bus: each brings every tool once more, or stands before ours. */
function doublesOf(
  { claude: { state }, config, bus }: Patient,
  entries: readonly Entry[],
): Finding[] {
  const findings: Finding[] = [];
  const same = entries.filter(({ url }) => isSameBus(url, bus.base));
  const first = same.find(({ name }) => name === NAME) ?? same[0];
  const found = ({ name, url }: Entry, where: string, fix: string) =>
    findings.push(
      warning(`${CHECK} twice`, `${where} also names the bus, as ${name} at ${url}`, fix),
    );

  for (const entry of same) {
    if (entry === first) continue;
    found(
      entry,
      "Claude Code",
      shellLine("claude", "mcp", "remove", entry.name, "--scope", "user"),
    );
  }
  for (const [folder, project] of Object.entries(objectIn(state.value, "projects"))) {
    for (const entry of entriesIn(isObject(project) ? project : null)) {
      if (!isSameBus(entry.url, bus.base)) continue;
      const remove = shellLine("claude", "mcp", "remove", entry.name, "--scope", "local");
      found(entry, `the folder ${folder}`, `cd ${shellLine(folder)} && ${remove}`);
    }
  }
  const shared = readJson(join(config.env.cwd, ".mcp.json"));
  for (const entry of entriesIn(shared.value)) {
    if (!isSameBus(entry.url, bus.base)) continue;
    const remove = shellLine("claude", "mcp", "remove", entry.name, "--scope", "project");
    found(entry, shared.path, remove);
  }
  return findings;
}

function entriesIn(file: Json | null): Entry[] {
  return Object.entries(objectIn(file, "mcpServers")).flatMap(([name, entry]) => {
    if (!isObject(entry)) return [];
    return [{ name, url: typeof entry.url === "string" ? entry.url : "" }];
  });
}
