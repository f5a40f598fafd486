import { lookAt } from "./service/files.ts";
import { type Machine, thisMachine } from "./service/machine.ts";
import { managerOf } from "./service/manager.ts";
import { carryOut, Plan } from "./service/plan.ts";
import { planStart } from "./service/start.ts";
import { CliError, EXIT, type Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Restart the installed service and wait until it answers.

Usage: event-bus restart

What is in flight is finished first. Needed after a change in config.json.

Example:
  event-bus restart && event-bus status
`,
  options: {},
  async run(_args, cli) {
    await carryOut(await planRestart(thisMachine(cli.config)), false, cli);
    return EXIT.done;
  },
};

/** What it takes to restart the service. Throws when none is installed here. */
export async function planRestart(machine: Machine): Promise<Plan> {
  const manager = await managerOf(machine);
  if (lookAt(manager.ours.file) === null) {
    throw new CliError(
      "Cannot restart the service: none is installed here; install it with: event-bus install",
      EXIT.refused,
    );
  }
  const plan = new Plan();
  planStart(plan, machine, manager, machine.config());
  return plan;
}
