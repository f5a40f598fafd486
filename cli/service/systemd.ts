/** The service as a systemd unit of the user on Linux. */
import { join } from "node:path";
import template from "../../systemd/event-bus.service" with { type: "text" };
import { CliError, EXIT } from "../verb.ts";
import { type Machine, type Ran, reasonOf, shellLine } from "./machine.ts";
import type { Manager, Paths, Service } from "./manager.ts";
import { fillIn } from "./template.ts";

const UNIT = "event-bus.service";
const ORIGINALS = ["agent-event-bus.service"];

/** systemd, as far as this user's units go. */
export async function systemd(machine: Machine): Promise<Manager> {
  const systemctl = (...args: string[]) => machine.run("systemctl", ["--user", ...args]);
  const manager = await systemctl("show-environment");
  if (manager.code !== 0) throw noManager(manager);
  const environment = variablesOfLines(manager.stdout);
  // Where units are is up to the manager's environment, not this shell's.
  const folder = join(environment.XDG_CONFIG_HOME || join(machine.home, ".config"), "systemd/user");
  const service = (label: string): Service => ({ label, file: join(folder, label) });
  const isRunning = async ({ label }: Service) =>
    (await systemctl("is-active", "--quiet", label)).code === 0;
  const must = async (action: string, { label }: Service, ...args: string[]) => {
    const ran = await systemctl(...args);
    if (ran.code !== 0) {
      throw new CliError(
        `Cannot ${action} the service ${label}: systemctl says: ${reasonOf(ran)}; see ` +
          shellLine("systemctl", "--user", "status", label),
        EXIT.refused,
      );
    }
  };
  return {
    ours: service(UNIT),
    originals: ORIGINALS.map(service),
    clients: [],
    render: renderUnit,
    variables: (_file, content) => variablesOfUnit(content),
    isRunning,
    isEnabled: async ({ label }) => (await systemctl("is-enabled", "--quiet", label)).code === 0,
    async start(service) {
      await must("read", service, "daemon-reload");
      const ran = await isRunning(service);
      await must("start", service, "enable", "--now", service.label);
      if (ran) await must("restart", service, "restart", service.label);
    },
    async stop(service) {
      const { code } = await systemctl("disable", "--now", service.label);
      if (code !== 0 && await isRunning(service)) {
        await must("stop", service, "stop", service.label);
      }
    },
    async forget() {
      await systemctl("daemon-reload");
    },
    forgetLine: "systemctl --user daemon-reload",
    startLine: ({ label }) => `systemctl --user enable --now ${label}`,
    stopLine: ({ label }) => `systemctl --user disable --now ${label}`,
    remarks: [
      "The service runs while you are logged in; to keep it running: loginctl enable-linger",
      ...(environment.DBUS_SESSION_BUS_ADDRESS === undefined
        ? [
          "systemd's user manager knows no desktop session bus (DBUS_SESSION_BUS_ADDRESS), so the " +
          "service shows no notifications; from a desktop: " +
          "systemctl --user import-environment DBUS_SESSION_BUS_ADDRESS && event-bus restart",
        ]
        : []),
    ],
  };
}

function noManager(ran: Ran): CliError {
  return new CliError(
    `Cannot manage services here: systemd's user manager does not answer (${reasonOf(ran)}); ` +
      "run the bus with: event-bus serve",
    EXIT.refused,
  );
}

/** Our unit for these paths. Throws when a path cannot be written into a unit. */
export function renderUnit(paths: Paths): string {
  return fillIn(template, { PROGRAM: program(paths.program), ERRORS: oneLine(paths.errors) });
}

/** A program is named in quotes for its spaces; `$` means itself there, unlike in its arguments. */
function program(path: string): string {
  if (/["'\\]/.test(path)) {
    throw unwritable(path, "systemd runs no program with a quote or \\ in it");
  }
  return `"${oneLine(path)}"`;
}

/** `%` starts a specifier everywhere. */
function oneLine(path: string): string {
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(path)) throw unwritable(path, "it has control characters");
  return path.replaceAll("%", "%%");
}

function unwritable(path: string, why: string): CliError {
  return new CliError(
    `Cannot write ${JSON.stringify(path)} into a unit: ${why}; run the bus with: event-bus serve`,
    EXIT.refused,
  );
}

/** The variables that `Environment=` lines of a unit set. */
export function variablesOfUnit(content: string): Record<string, string> {
  const assignments = [...content.matchAll(/^[ \t]*Environment[ \t]*=(.*)$/gm)]
    .flatMap(([, words]) => [...(words ?? "").matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)])
    .map(([, double, single, bare]) => double?.replace(/\\(.)/g, "$1") ?? single ?? bare ?? "");
  return variablesOfLines(assignments.join("\n").replaceAll("%%", "%"));
}

function variablesOfLines(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split("\n").filter((line) => line.includes("=")).map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at).trim(), line.slice(at + 1)];
    }),
  );
}
