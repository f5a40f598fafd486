/**
 * Makes the bus known to Claude Code through its own command, `claude mcp`. A dry run never starts
 * it: even `claude mcp get` connects to the server and writes into the home folder.
 */
import { join } from "node:path";
import { lookAt } from "./files.ts";
import { addToReceipt, readReceipt, type Receipt } from "./receipt.ts";
import { type Machine, reasonOf, shellLine } from "./machine.ts";
import type { Plan, Tell } from "./plan.ts";

/** Our name at Claude Code; it becomes part of every tool's name there. */
const NAME = "event-bus";
/** The name of the original's later versions. */
const LATER_NAME = "agent-event-bus";
/** Claude Code puts in the variable when it connects; the token itself is in no settings file. */
const TOKEN_HEADER = "Authorization: Bearer ${EVENT_BUS_TOKEN}";

/** An MCP address to be told, and whether it wants the token. */
export interface McpEntry {
  readonly url: string;
  readonly needsToken: boolean;
}

/** `claude`: on PATH, else where its installers put it; null without one. */
export function findClaude({ path, home }: Machine): string | null {
  const places = [
    ...path.split(":").filter((folder) => folder.startsWith("/")),
    join(home, ".local", "bin"),
    join(home, ".claude", "local"),
  ];
  return places.map((folder) => join(folder, "claude")).find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0o111) & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** The header comes last: it takes every word after it. */
function addArguments({ url, needsToken }: McpEntry): string[] {
  const add = ["mcp", "add", "--transport", "http", "--scope", "user", NAME, url];
  return needsToken ? [...add, "--header", TOKEN_HEADER] : add;
}

/** The command line that makes `entry` known, for people. */
export function addLine(entry: McpEntry): string {
  return shellLine("claude", ...addArguments(entry));
}

/** Plans to make `entry` known; without `claude` the plan says what to type. */
export function planClaude(plan: Plan, machine: Machine, entry: McpEntry, dataDir: string): void {
  const claude = findClaude(machine);
  if (claude === null) {
    plan.note(`claude is not installed here; to connect Claude Code: ${addLine(entry)}`);
  } else {
    plan.step(
      `connect Claude Code: ${addLine(entry)}`,
      (tell) => connect(machine, claude, entry, dataDir, tell),
      ["unless it is connected to this address already; another address by this name is replaced"],
    );
  }
  if (entry.needsToken) {
    const file = machine.config().token_file;
    plan.note(
      "Claude Code needs the token in its environment; in your shell's profile: " +
        `export EVENT_BUS_TOKEN=${
          lookAt(file) !== null ? `"$(cat ${shellLine(file)})"` : "<the token>"
        }`,
    );
  }
}

async function connect(
  machine: Machine,
  claude: string,
  entry: McpEntry,
  dataDir: string,
  tell: Tell,
): Promise<void> {
  const later = await known(machine, claude, LATER_NAME);
  if (later !== null) {
    tell.note(
      `Claude Code also has an MCP server ${LATER_NAME} (${later.url}), which stays; when it was ` +
        `the original's, remove it: ${shellLine("claude", "mcp", "remove", LATER_NAME)}`,
    );
  }
  const before = await known(machine, claude, NAME);
  if (before?.url === entry.url && (before.hasHeader || !entry.needsToken)) {
    tell.note("Claude Code is connected to this address already");
    return;
  }
  if (before !== null) await machine.run(claude, removeArguments);
  let ran = await machine.run(claude, addArguments(entry));
  if (/already exists/i.test(reasonOf(ran)) && ran.code !== 0) {
    await machine.run(claude, removeArguments);
    ran = await machine.run(claude, addArguments(entry));
  }
  if (ran.code !== 0) {
    // The bus runs all the same, so this is for the user to put right, not a failed installation.
    tell.warn(`Claude Code could not be connected (${reasonOf(ran)}); try: ${addLine(entry)}`);
    return;
  }
  if (before !== null) tell.note(`Claude Code knew ${NAME} as ${before.url}; that is replaced`);
  // What an earlier installation of ours replaced is still what was there before us.
  const { mcp } = readReceipt(dataDir);
  const replaced = before?.url === mcp?.url ? mcp?.replaced : before?.url;
  addToReceipt(dataDir, { mcp: { url: entry.url, ...(replaced && { replaced }) } });
}

const removeArguments = ["mcp", "remove", NAME, "--scope", "user"];

/** The user's entry of this name; null when there is none, or only one of a project. */
async function known(
  machine: Machine,
  claude: string,
  name: string,
): Promise<{ url: string; hasHeader: boolean } | null> {
  const { code, stdout } = await machine.run(claude, ["mcp", "get", name]);
  const url = stdout.match(/^\s*URL:\s*(\S+)/m)?.[1];
  if (code !== 0 || url === undefined || /^\s*Scope:\s*(Local|Project)/m.test(stdout)) return null;
  return { url, hasHeader: /^\s*Authorization:/m.test(stdout) };
}

/** Plans to take back the entry that we made, and to say what was there before. */
export function planDisconnect(
  plan: Plan,
  machine: Machine,
  { mcp }: Receipt,
  restore: boolean,
): void {
  if (mcp === undefined) return;
  const claude = findClaude(machine);
  const line = shellLine("claude", ...removeArguments);
  if (claude === null) {
    plan.note(`claude is not installed here; to disconnect Claude Code: ${line}`);
  } else {
    plan.step(`disconnect Claude Code: ${line}`, async (tell) => {
      const now = await known(machine, claude, NAME);
      if (now !== null && now.url !== mcp.url) {
        tell.note(`Claude Code knows ${NAME} as ${now.url} by now; that entry stays`);
        return;
      }
      const ran = await machine.run(claude, removeArguments);
      if (ran.code !== 0 && now !== null) {
        tell.warn(`Claude Code could not be disconnected (${reasonOf(ran)}); try: ${line}`);
      }
    });
  }
  if (mcp.replaced === undefined) return;
  const former = { url: mcp.replaced, needsToken: false };
  if (!restore || claude === null) {
    plan.note(`Before, Claude Code knew ${NAME} as ${mcp.replaced}: ${addLine(former)}`);
  } else {
    plan.step(`connect Claude Code as before: ${addLine(former)}`, async (tell) => {
      const ran = await machine.run(claude, addArguments(former));
      if (ran.code !== 0) tell.warn(`Claude Code said no: ${reasonOf(ran)}`);
    });
  }
}
