import { planDetach } from "./service/attach.ts";
import { planDisconnect } from "./service/claude.ts";
import { planUndefine } from "./service/definition.ts";
import { lookAt } from "./service/files.ts";
import { type Machine, shellLine, thisMachine } from "./service/machine.ts";
import { type Manager, managerOf } from "./service/manager.ts";
import { asideOriginals } from "./service/originals.ts";
import { carryOut, Plan } from "./service/plan.ts";
import { asideCommands, planFoldersAway, planRemoval } from "./service/program.ts";
import { readReceipt, type Receipt, removeReceipt } from "./service/receipt.ts";
import { planUrlAway } from "./service/settings.ts";
import { CliError, EXIT, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Take back what event-bus install put in. The data stays.

Usage: event-bus uninstall [--dry-run] [--restore-original]

Takes the plugin or the hooks out of Claude Code, stops and removes the service, and removes the
program, its link, and the MCP entry in Claude Code; for a bus elsewhere config.json, too, when it
holds only what install wrote. Says where the data is, and how to bring back what install had set
aside.

  --restore-original  bring it back: the original's service and commands
  --dry-run           tell what would be done, and change nothing

Example:
  event-bus uninstall --dry-run
`,
  options: { "dry-run": { type: "boolean" }, "restore-original": { type: "boolean" } },
  async run(args, cli) {
    const plan = await planUninstall(thisMachine(cli.config), args.flag("restore-original"));
    await carryOut(plan, args.flag("dry-run"), cli);
    return EXIT.done;
  },
};

/** What it takes to undo an installation. Only looks. */
export async function planUninstall(machine: Machine, restore: boolean): Promise<Plan> {
  const plan = new Plan();
  const { dataDir } = machine.config();
  const receipt = readReceipt(dataDir);
  // First: a session that starts meanwhile must not look for a program that is gone.
  planDetach(plan, machine, receipt, dataDir);
  const manager = await managerIfAny(plan, machine, receipt);
  await planService(plan, manager, receipt);
  planRemoval(plan, machine, receipt);
  planFoldersAway(plan, receipt);
  planUrlAway(plan, dataDir, receipt);
  planDisconnect(plan, machine, receipt, restore);
  if (Object.keys(receipt).length > 0) {
    plan.step("forget the installation", () => removeReceipt(dataDir));
  }
  if (manager !== null) planServicesBack(plan, manager, restore);
  planCommandsBack(plan, machine, restore);
  if (plan.isEmpty) plan.note("Nothing is installed here");
  if (lookAt(dataDir) !== null) plan.note(`The data stays in ${dataDir}`);
  return plan;
}

/** Where there is no manager to ask, no service can run: its file is all there may be. */
async function managerIfAny(
  plan: Plan,
  machine: Machine,
  { service }: Receipt,
): Promise<Manager | null> {
  try {
    return await managerOf(machine);
  } catch (failure) {
    if (!(failure instanceof CliError)) throw failure;
    if (service !== undefined) plan.warn(failure.message);
    return null;
  }
}

async function planService(plan: Plan, manager: Manager | null, receipt: Receipt): Promise<void> {
  const file = manager?.ours.file ?? receipt.service?.file;
  if (file === undefined) return;
  const isDefined = lookAt(file) !== null;
  if (manager !== null && (isDefined || await manager.isRunning(manager.ours))) {
    plan.step(
      `stop the service: ${manager.stopLine(manager.ours)}`,
      () => manager.stop(manager.ours),
    );
  }
  if (!isDefined) return;
  planUndefine(plan, file, receipt);
  if (manager !== null && manager.forgetLine !== null) {
    plan.step(`run ${manager.forgetLine}`, () => manager.forget());
  }
}

function planServicesBack(plan: Plan, manager: Manager, restore: boolean): void {
  for (const service of asideOriginals(manager)) {
    const { aside, file } = service;
    if (!restore) {
      offer(
        plan,
        `${shellLine("mv", aside, file)} && ${manager.startLine(service)}`,
        service.label,
      );
      continue;
    }
    planBack(plan, aside, file);
    plan.step(
      `start the original's service ${service.label}: ${manager.startLine(service)}`,
      () => manager.start(service),
    );
  }
}

function planCommandsBack(plan: Plan, machine: Machine, restore: boolean): void {
  for (const { path, aside } of asideCommands(machine)) {
    if (restore) planBack(plan, aside, path);
    else offer(plan, shellLine("mv", aside, path), path);
  }
}

function offer(plan: Plan, line: string, what: string): void {
  plan.note(
    `Set aside at installation: ${what}; to bring it back: ${line} ` +
      "(event-bus uninstall --restore-original does so)",
  );
}

function planBack(plan: Plan, aside: string, path: string): void {
  plan.step(`bring ${path} back from ${aside}`, () => {
    if (lookAt(path) !== null) {
      throw new CliError(
        `Cannot bring ${path} back from ${aside}: something else is there by now`,
        EXIT.refused,
      );
    }
    Deno.renameSync(aside, path);
  });
}
