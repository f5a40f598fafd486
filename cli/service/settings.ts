/** What an installation may write into config.json: only what is not there yet. */
import { join } from "node:path";
import type { Config } from "../../src/config.ts";
import { CliError, EXIT } from "../verb.ts";
import { contentOf, fingerprint, makeFolder, removeFile, writeWhole } from "./files.ts";
import { isLocal } from "./health.ts";
import { shellLine } from "./machine.ts";
import type { Carried } from "./originals.ts";
import type { Plan } from "./plan.ts";
import { addToReceipt, type Receipt } from "./receipt.ts";

export function configPath(dataDir: string): string {
  return join(dataDir, "config.json");
}

/** Plans to write settings of the original into a config.json, when there is none. */
export function planCarried(plan: Plan, dataDir: string, { settings, found, left }: Carried): void {
  const path = configPath(dataDir);
  if (left.length > 0) {
    plan.note(`The original's service also set ${left.join(", ")}, which mean nothing here`);
  }
  if (found.length === 0) return;
  const facts = `The original's service was told ${found.join(" ")}`;
  if (contentOf(path) !== null) {
    plan.note(`${facts}; ${path} is there already and stays as it is`);
    return;
  }
  plan.note(`${facts}; that is kept in ${path}`);
  planFile(plan, path, {
    ...settings,
    ...(settings.port === undefined ? {} : { port: Number(settings.port) }),
  });
}

/** Plans to note the address of a remote bus in config.json, unless one is noted there. */
export function planUrl(plan: Plan, dataDir: string, url: string): void {
  const path = configPath(dataDir);
  const before = contentOf(path);
  const settings: Record<string, unknown> = JSON.parse(before ?? "{}");
  if (settings.url === undefined) {
    planFile(plan, path, { ...settings, url }, (content) => {
      if (before === null) addToReceipt(dataDir, { config: fingerprint(content) });
    });
  } else if (settings.url === url) plan.note(`${path} names this bus already`);
  else {
    plan.warn(
      `${path} names another bus, ${settings.url}, and stays as it is: event-bus goes there; ` +
        `to use the new one, change "url" in it to ${JSON.stringify(url)}`,
    );
  }
}

/** Plans to take back the config.json that `planUrl` made, unless somebody wrote into it since. */
export function planUrlAway(plan: Plan, dataDir: string, { config }: Receipt): void {
  const path = configPath(dataDir);
  const content = contentOf(path);
  if (config === undefined || content === null || fingerprint(content) !== config) return;
  plan.step(`remove ${path}, which says only where the bus is`, () => removeFile(path));
}

function planFile(
  plan: Plan,
  path: string,
  settings: Record<string, unknown>,
  note: (content: string) => void = () => {},
): void {
  const content = `${JSON.stringify(settings, null, 2)}\n`;
  plan.step(
    `write ${path}`,
    () => {
      makeFolder(join(path, ".."), 0o700);
      note(content);
      writeWhole(path, content, 0o600);
    },
    content.trimEnd().split("\n").map((line) => `+ ${line}`),
  );
}

/** Refuses settings that the server would refuse: a service would only fail again and again. */
export function checkServable({ host, token, token_file, dataDir }: Config): void {
  if (isLocal(host) || token() !== null) return;
  throw new CliError(
    `Cannot install a service that listens on ${host} without a token, because others could ` +
      `reach it; make one with: mkdir -p ${
        shellLine(dataDir)
      } && (umask 077; openssl rand -hex 32 ` +
      `> ${shellLine(token_file)}) and install again; or set "host" in ${configPath(dataDir)}`,
    EXIT.refused,
  );
}
