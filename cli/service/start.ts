/** Starting the service and waiting for it, the same for `install` and `restart`. */
import { VERSION } from "../../src/build.ts";
import type { Config } from "../../src/config.ts";
import { addressOf, waitUntilHealthy } from "./health.ts";
import type { Machine } from "./machine.ts";
import type { Manager } from "./manager.ts";
import type { Plan, Tell } from "./plan.ts";

/** An uptime this much longer than our service can have is another process's. */
const SLACK_MS = 2000;

/** Plans to start the service anew and to wait until it answers. */
export function planStart(plan: Plan, machine: Machine, manager: Manager, config: Config): void {
  const url = addressOf(config);
  let started = 0;
  plan.step(`start the service: ${manager.startLine(manager.ours)}`, async () => {
    started = machine.now();
    await manager.start(manager.ours);
  });
  plan.step(`wait until it answers at ${url}`, async (tell) => {
    const health = await waitUntilHealthy(machine, config);
    look(health, url, machine.now() - started, tell);
  });
}

function look(health: Record<string, unknown>, url: string, elapsedMs: number, tell: Tell): void {
  tell.note(`event-bus ${health.version} answers at ${url}`);
  if (health.status !== "ok") {
    tell.warn(
      `It says that it is ${health.status}: database ${health.database}; see event-bus logs`,
    );
  }
  if (Number(health.uptime_seconds) * 1000 > elapsedMs + SLACK_MS) {
    tell.warn(
      `Another event-bus has been answering at ${url} since before; the service takes over when ` +
        "that one ends (is event-bus serve running in some terminal?)",
    );
  } else if (health.version !== VERSION) {
    tell.note(`This command is of version ${VERSION}`);
  }
}
