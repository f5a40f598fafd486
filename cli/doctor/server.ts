/** Looks at the bus itself and at the service that runs it. */
import { safeLine } from "../format.ts";
import { lookAt } from "../service/files.ts";
import { type Manager, managerOf } from "../service/manager.ts";
import { CliError } from "../verb.ts";
import { broken, type Finding, ok, warning } from "./finding.ts";
import type { Patient } from "./patient.ts";

/** Whether the bus answers, is well, and is of this program's version. */
export function examineServer({ bus, program, config }: Patient): Finding[] {
  const check = "server";
  const { health, base } = bus;
  if (bus.refuses) {
    return [
      broken(
        check,
        bus.failure ?? "it refuses",
        `put the bus's token into ${config.token_file} ` +
          `(chmod 600), or: export EVENT_BUS_TOKEN=<the token>`,
      ),
    ];
  }
  const restart = bus.isHere ? "event-bus restart" : `on the machine of ${base}: event-bus restart`;
  if (health === null) {
    const start = bus.isHere ? "event-bus restart || event-bus install" : restart;
    return [broken(check, bus.failure ?? "nothing answers", start)];
  }
  if (health.status !== "ok") {
    const why = safeLine(String(health.database ?? health.status));
    return [broken(check, `the bus at ${base} is not well: ${why}`, "event-bus logs")];
  }
  const version = String(health.version);
  const is = `event-bus ${version} answers at ${base}`;
  if (version !== program.version) {
    return [warning(check, `${is}, and this program is ${program.version}`, restart)];
  }
  if (bus.diagnosis === null) {
    return [warning(check, `${is}, but tells nothing of itself: ${bus.failure}`, restart)];
  }
  return [ok(check, is)];
}

/** Whether the bus runs by itself, now and after the next login. */
export async function examineService({ machine, bus }: Patient): Promise<Finding[]> {
  const check = "service";
  if (!bus.isOwn) return [ok(check, `none is needed here: the bus is at ${bus.base}`)];
  let manager: Manager;
  try {
    manager = await managerOf(machine);
  } catch (failure) {
    if (!(failure instanceof CliError)) throw failure;
    return [warning(check, failure.message.split("\n")[0] as string, "event-bus serve")];
  }
  const { ours } = manager;
  const answers = bus.health !== null;
  if (lookAt(ours.file) === null) {
    return answers
      ? [
        warning(
          check,
          "the bus runs, but not as a service: it will be gone one day",
          "event-bus install",
        ),
      ]
      : [broken(check, "none is installed", "event-bus install")];
  }
  if (!await manager.isRunning(ours)) {
    return answers
      ? [
        warning(
          check,
          `${ours.label} does not run; the bus that answers was started otherwise`,
          "event-bus restart",
        ),
      ]
      : [broken(check, `${ours.label} is installed, but does not run`, "event-bus restart")];
  }
  if (!await manager.isEnabled(ours)) {
    return [
      warning(
        check,
        `${ours.label} runs, but will not at the next login`,
        manager.startLine(ours),
      ),
    ];
  }
  return [ok(check, `${ours.label} runs, and starts at login`)];
}
