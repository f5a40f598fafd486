/** The service as a LaunchAgent of the user on macOS. */
import { join } from "node:path";
import template from "../../launchd/local.event-bus.plist" with { type: "text" };
import { CliError, EXIT } from "../verb.ts";
import { type Machine, type Ran, reasonOf, shellLine } from "./machine.ts";
import type { Manager, Paths, Service } from "./manager.ts";
import { fillIn } from "./template.ts";

const LABEL = "local.event-bus";
const ORIGINALS = ["com.evansenter.claude-event-bus", "com.evansenter.agent-event-bus"];
const CLIENTS = ["com.evansenter.agent-event-bus-bridge"];

/** Right after a bootout, launchd refuses a bootstrap with one of these until the process is gone. */
const NOT_YET = [5, 36, 37];
const WAITS_MS = [100, 200, 400, 800, 1600, 3200];

/** launchd, as far as this user's agents go. */
export function launchd(machine: Machine): Promise<Manager> {
  const domain = `gui/${machine.uid}`;
  const target = ({ label }: Service) => `${domain}/${label}`;
  const launchctl = (...args: string[]) => machine.run("launchctl", args);
  const service = (label: string): Service => ({
    label,
    file: join(machine.home, "Library", "LaunchAgents", `${label}.plist`),
  });
  const isRunning = async (service: Service) =>
    (await launchctl("print", target(service))).code === 0;

  async function start(service: Service): Promise<void> {
    await launchctl("bootout", target(service));
    // Who once disabled the agent and now installs it wants it: a disabled one cannot be started.
    await launchctl("enable", target(service));
    for (const ms of [...WAITS_MS, 0]) {
      const ran = await launchctl("bootstrap", domain, service.file);
      if (ran.code === 0) return;
      if (ms === 0 || !NOT_YET.includes(ran.code ?? 0)) throw failed("start", service, ran);
      await machine.sleep(ms);
    }
  }

  async function stop(service: Service): Promise<void> {
    const ran = await launchctl("bootout", target(service));
    // It may not have been loaded, or take a moment to end; only one that stays is a failure.
    for (const ms of [...WAITS_MS, 0]) {
      if (ran.code === 0 || !await isRunning(service)) return;
      if (ms === 0) throw failed("stop", service, ran);
      await machine.sleep(ms);
    }
  }

  return Promise.resolve({
    ours: service(LABEL),
    originals: ORIGINALS.map(service),
    clients: CLIENTS.map(service),
    render: renderPlist,
    variables: (_file, content) => variablesOfPlist(content),
    isRunning,
    async isEnabled({ label }) {
      // An agent's file says that it starts at login; only who was disabled by hand does not.
      const { stdout } = await launchctl("print-disabled", domain);
      return !stdout.split("\n").some((line) =>
        line.includes(`"${label}"`) && /=> (true|disabled)/.test(line)
      );
    },
    start,
    stop,
    forget: () => Promise.resolve(),
    forgetLine: null,
    startLine: (service) => shellLine("launchctl", "bootstrap", domain, service.file),
    stopLine: (service) => shellLine("launchctl", "bootout", target(service)),
    remarks: [],
  });
}

function failed(action: string, { label }: Service, ran: Ran): CliError {
  return new CliError(
    `Cannot ${action} the service ${label}: launchctl says: ${
      reasonOf(ran)
    }; a LaunchAgent needs ` +
      "you to be logged in at the desktop; the bus also runs with: event-bus serve",
    EXIT.refused,
  );
}

/** Our plist for these paths. */
export function renderPlist({ program, errors }: Paths): string {
  return fillIn(template, { PROGRAM: escapeXml(program), ERRORS: escapeXml(errors) });
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" } as const;

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (c) => ENTITIES[c as keyof typeof ENTITIES]);
}

function unescapeXml(text: string): string {
  const named = Object.fromEntries(Object.entries(ENTITIES).map(([c, name]) => [name, c]));
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|\w+);/gi, (whole, decimal, hex) => {
    if (named[whole] !== undefined) return named[whole];
    const code = decimal === undefined ? parseInt(hex ?? "", 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** The EnvironmentVariables of a plist in XML, comments left out; null for the binary form. */
export function variablesOfPlist(content: string): Record<string, string> | null {
  if (!/<plist[\s>]/.test(content)) return null;
  const live = content.replace(/<!--[\s\S]*?-->/g, "");
  const [, body] = live.match(
    /<key>\s*EnvironmentVariables\s*<\/key>\s*<dict>([\s\S]*?)<\/dict>/,
  ) ?? [];
  const pairs = (body ?? "").matchAll(/<key>([^<]*)<\/key>\s*<string>([^<]*)<\/string>/g);
  return Object.fromEntries(
    [...pairs].map(([, key, value]) => [unescapeXml(key ?? "").trim(), unescapeXml(value ?? "")]),
  );
}
