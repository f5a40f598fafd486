import { resolve } from "node:path";
import type { Config } from "../src/config.ts";
import { baseOf, Refusal } from "./client.ts";
import { type HookChoice, planAttach } from "./service/attach.ts";
import { planClaude } from "./service/claude.ts";
import { planDefinition } from "./service/definition.ts";
import { contentOf } from "./service/files.ts";
import { addressOf, isLocal, needsToken } from "./service/health.ts";
import { type Machine, thisMachine } from "./service/machine.ts";
import { managerOf } from "./service/manager.ts";
import { findOriginals, planTakeOver, settingsOf } from "./service/originals.ts";
import { carryOut, Plan } from "./service/plan.ts";
import { checkPath, planProgram, programPath } from "./service/program.ts";
import { readReceipt } from "./service/receipt.ts";
import { checkServable, configPath, planCarried, planUrl } from "./service/settings.ts";
import { planStart } from "./service/start.ts";
import { CliError, EXIT, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Install the bus as a service of yours, or this machine as a client of another's.

Usage: event-bus install [--url URL] [--hooks] [--command-hooks] [--dry-run] [--binary FILE]

Puts this program at ~/.local/bin/event-bus (and event-bus-cli, the original's name, beside it),
runs it as a LaunchAgent (macOS) or systemd user service (Linux), waits until it answers, and
connects Claude Code: its MCP server, and a plugin in ~/.claude/skills/event-bus by which every
session is on the bus by itself. Takes over from the original's service, whose file is set aside.
Running it again is safe. Settings are in ~/.claude/contrib/event-bus/config.json and are never
overwritten.

  --url URL        only the program, config.json and Claude Code, for the bus at URL; no service
  --hooks          instead of the plugin, write its hooks into Claude Code's settings.json, which
                   is backed up first; without this option they are taken out again
  --command-hooks  every hook runs event-bus instead of some posting by http: nothing is shown while
                   the bus is stopped, at the price of a process (about 40 ms) for each prompt, batch
                   of tools and stop; without this option they are http again
  --dry-run        tell what would be done, show each change, and change nothing
  --binary FILE    install this program instead of the running one

Examples:
  event-bus install --dry-run
  event-bus install --url http://100.64.0.1:8080
`,
  options: {
    "dry-run": { type: "boolean" },
    hooks: { type: "boolean" },
    "command-hooks": { type: "boolean" },
    binary: { type: "string" },
  },
  async run(args, cli) {
    const machine = thisMachine(cli.config);
    const binary = args.text("binary");
    const source = binary === undefined ? machine.program : resolve(binary);
    const url = args.text("url") === undefined ? null : baseOf(cli.config.url);
    const hooks = { inSettings: args.flag("hooks"), onlyCommands: args.flag("command-hooks") };
    const plan = url === null
      ? await planService(machine, source, hooks)
      : await planClient(machine, source, url, cli.config.token(), hooks);
    await carryOut(plan, args.flag("dry-run"), cli);
    return EXIT.done;
  },
};

/** What it takes to run the bus here. Only looks; throws what makes it impossible. */
export async function planService(
  machine: Machine,
  source: string | null,
  hooks: HookChoice = {},
): Promise<Plan> {
  const plan = new Plan();
  const { dataDir } = machine.config();
  const receipt = readReceipt(dataDir);
  planProgram(plan, machine, { source, receipt, dataDir });
  const manager = await managerOf(machine);
  const originals = await findOriginals(manager);
  const carried = settingsOf(plan, manager, originals, machine);
  const isNew = contentOf(configPath(dataDir)) === null;
  const config = machine.config(isNew ? carried.settings : {});
  checkServable(config);

  planCarried(plan, dataDir, carried);
  planDefinition(plan, manager, { program: programPath(machine.home), receipt, dataDir });
  planTakeOver(plan, manager, originals);
  planStart(plan, machine, manager, config);
  const url = addressOf(config);
  planAttach(plan, machine, { url, ...hooks, dataDir });
  const wantsToken = !isLocal(new URL(url).hostname) || config.require_token;
  planClaude(plan, machine, { url: `${url}/mcp`, needsToken: wantsToken }, dataDir);
  checkPath(plan, machine);
  manager.remarks.forEach((remark) => plan.note(remark));
  remarkOnClients(plan, config);
  return plan;
}

function remarkOnClients(plan: Plan, config: Config): void {
  if (!isLocal(config.host)) {
    plan.note(
      "On other machines, with this one's address and token: event-bus install --url " +
        `http://ADDRESS:${config.port}`,
    );
  }
  if (!isLocal(new URL(config.url).hostname) && baseOf(config.url) !== addressOf(config)) {
    plan.warn(
      `${configPath(config.dataDir)} says that commands go to the bus at ${baseOf(config.url)}, ` +
        'not to this one; remove "url" from it if they should',
    );
  }
}

/** What it takes to use the bus at `url` from here. Throws when it does not answer or refuses. */
export async function planClient(
  machine: Machine,
  source: string | null,
  url: string,
  token: string | null,
  hooks: HookChoice = {},
): Promise<Plan> {
  const plan = new Plan();
  const { dataDir, token_file } = machine.config();
  const receipt = readReceipt(dataDir);
  planProgram(plan, machine, { source, receipt, dataDir });
  const health = await machine.health(url, token).catch((failure) => {
    if (!(failure instanceof Refusal)) throw failure;
    throw new CliError(
      `The bus at ${url} refuses: ${failure.message}\nIts token belongs in ${token_file} ` +
        "(chmod 600) or EVENT_BUS_TOKEN; then install again. Nothing was changed",
      EXIT.refused,
    );
  });
  plan.note(`event-bus ${health.version} answers at ${url}`);
  planUrl(plan, dataDir, url);
  planAttach(plan, machine, { url, ...hooks, dataDir });
  const entry = { url: `${url}/mcp`, needsToken: await needsToken(machine, url) };
  planClaude(plan, machine, entry, dataDir);
  checkPath(plan, machine);
  if (receipt.service !== undefined) {
    plan.warn(
      "The service of an earlier installation still runs here; event-bus uninstall ends it",
    );
  }
  return plan;
}
