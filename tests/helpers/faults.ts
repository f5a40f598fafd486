/** Ways to spoil the machine of `patient.ts`, and tests that the doctor finds each. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Refusal } from "../../cli/client.ts";
import type { Finding } from "../../cli/doctor/finding.ts";
import { hooksFor } from "../../cli/service/hooks.ts";
import { pluginFiles } from "../../cli/service/plugin.ts";
import { CliError, EXIT } from "../../cli/verb.ts";
import { BUS, healthy, type Sick, wellDiagnosis } from "./patient.ts";

export const REMOTE = "http://100.64.0.1:8080";
/** Files of settings in the home folder: the user's, and an organisation's. */
export const SETTINGS = ".claude/settings.json";
export const MANAGED = "managed/managed-settings.json";

export type Spoil = (sick: Sick) => void;

/** What is wrong; which finding says so, in which words; and what fixes it. */
export type Fault = readonly [
  wrong: string,
  spoil: Spoil,
  check: string,
  verdict: Finding["verdict"],
  found: RegExp,
  fix: RegExp,
];

/** Tests that each fault is found, with its fix. */
export function testFaults(faults: readonly Fault[]): void {
  for (const [wrong, spoil, check, verdict, found, fix] of faults) {
    Deno.test(`examine: ${wrong} is found, with what fixes it`, async () => {
      using sick = healthy();
      spoil(sick);
      const findings = await sick.examine();
      const hit = findings.find((one) => one.check === check && found.test(one.found));
      assert.ok(hit, `${check} ${found} is not in:\n${faultsOf(findings)}`);
      assert.equal(hit.verdict, verdict);
      assert.match(hit.fix ?? "", fix);
    });
  }
}

/** Tests that what looks odd and is all right is taken for no fault. */
export function testFine(changes: readonly (readonly [what: string, change: Spoil])[]): void {
  for (const [what, change] of changes) {
    Deno.test(`examine: ${what} is no fault`, async () => {
      using sick = healthy();
      change(sick);
      assert.equal(faultsOf(await sick.examine()), "");
    });
  }
}

/** Everything that is not well, a line each. */
export function faultsOf(findings: readonly Finding[]): string {
  return findings.filter(({ verdict }) => verdict !== "ok")
    .map(({ check, verdict, found, fix }) => `${check} ${verdict}: ${found} -> ${fix}`).join("\n");
}

/** A bus that refuses to answer. */
export const refusal = () => {
  throw new Refusal({ error: "Cannot serve without a token", code: "unauthenticated" });
};
/** The bus of this machine lets nobody in without a token. */
export const strict = ({ machine }: Sick) => {
  machine.bus = (_url, token) =>
    token === null
      ? Promise.reject(new Refusal({ error: "No", code: "unauthenticated" }))
      : Promise.resolve({ status: "ok", version: "1" });
};
/** A bus that is not there. */
export const noBus = () => {
  throw new CliError("Cannot reach the bus\nStart it", EXIT.unreachable);
};
/** A setting in a file. */
export const set = (file: string, key: string, value: unknown) => (sick: Sick) =>
  sick.change(file, (settings) => void (settings[key] = value));
/** What the bus says of its database. */
export const database = (part: object) => (sick: Sick) => {
  const well = wellDiagnosis();
  sick.diagnosis = () => ({ ...well, database: { ...well.database, ...part } });
};
/** What the bus says of its session. */
export const session = (part: object) => (sick: Sick) => {
  const well = wellDiagnosis();
  sick.diagnosis = () => ({ ...well, sessions: well.sessions.map((one) => ({ ...one, ...part })) });
};
/** A session that nothing reaches, and why. */
export const deaf = (why: string) => session({ deaf: true, why, paths: [] });
/** Our hooks in a file of settings. */
export const hooksIn = (file: string, url = BUS) => (sick: Sick) =>
  set(file, "hooks", hooksFor({ url, program: sick.installed }))(sick);
/** The plugin is not there. */
export const noPlugin = (sick: Sick) => sick.remove(".claude/skills");
/** How the service manager answers to some command lines. */
export const service = (line: RegExp, answer: object) => (sick: Sick) => {
  const { answer: usual } = sick.machine;
  sick.machine.answer = (asked) => line.test(asked) ? answer : usual(asked);
};
/** One after the other. */
export const all = (...spoils: ((sick: Sick) => void)[]) => (sick: Sick) =>
  spoils.forEach((spoil) => spoil(sick));
/** The user's MCP servers. */
export const mcp = (change: (servers: Record<string, unknown>) => void) => (sick: Sick) =>
  sick.change(".claude.json", ({ mcpServers }) => change(mcpServers as Record<string, unknown>));
/** The bus on another machine, with everything that leads to it. */
export const remote = (sick: Sick, url = REMOTE) => {
  sick.url = url;
  mcp((servers) => servers["event-bus"] = { url: `${url}/mcp` })(sick);
  const files = pluginFiles({ url, program: sick.installed });
  for (const [name, content] of Object.entries(files)) {
    sick.at.write(join(".claude/skills/event-bus", name), content);
  }
  sick.env.EVENT_BUS_TOKEN = "secret-of-this-bus";
};
/** A session of Claude Code that runs. */
export const claudeSession = (part: object) => (sick: Sick) => {
  sick.running.set(42, "1000");
  const facts = { pid: 42, sessionId: "s2", cwd: "/w/x", procStart: "1000", name: "x-1", ...part };
  sick.at.write(".claude/sessions/42.json", JSON.stringify(facts));
};
