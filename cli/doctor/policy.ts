/** Looks for whatever keeps hooks of ours from running, though they are there. */
import { dirname } from "node:path";
import { shellLine } from "../service/machine.ts";
import { TOKEN } from "./access.ts";
import { objectIn, type SettingsFile } from "./claude.ts";
import { broken, type Finding, ok, warning } from "./finding.ts";
import { addressesIn, sourcesOf } from "./hooks.ts";
import type { Patient } from "./patient.ts";

const CHECK = "hooks allowed";

/** Settings that cannot be read, switches that turn hooks off, and whether this folder is trusted. */
export function examinePolicy(patient: Patient): Finding[] {
  const findings = [
    ...unreadable(patient),
    ...switches(patient),
    ...addresses(patient),
    ...variables(patient),
  ];
  return [
    ...(findings.length === 0 ? [ok(CHECK, "no setting keeps hooks from running")] : findings),
    trust(patient),
  ];
}

/** Claude Code leaves a file out that it cannot read, with all that it says. */
function unreadable({ claude: { settings } }: Patient): Finding[] {
  return settings.flatMap(({ path, failure }) =>
    failure === null
      ? []
      : [broken("settings", `${path} cannot be read: ${failure}`, `correct or remove ${path}`)]
  );
}

interface Switch {
  readonly key: string;
  /** Whether only an organisation can set it. */
  readonly managed: boolean;
  /** Whether this value of it matters here. */
  when(value: unknown, patient: Patient): boolean;
  readonly verdict: typeof broken;
  readonly means: string;
}

const isTrue = (value: unknown) => value === true;
const isInstalledByMarket = (patient: Patient) =>
  sourcesOf(patient).some(({ kind }) => kind === "marketplace");

const SWITCHES: readonly Switch[] = [
  {
    key: "disableAllHooks",
    managed: false,
    when: isTrue,
    verdict: broken,
    means: "no hook and no status line runs",
  },
  {
    key: "allowManagedHooksOnly",
    managed: true,
    when: isTrue,
    verdict: broken,
    means: "only the organisation's hooks run",
  },
  {
    key: "allowManagedModsOnly",
    managed: true,
    when: isTrue,
    verdict: warning,
    means: "only the organisation's mods run; hooks wake sessions instead",
  },
  {
    key: "strictKnownMarketplaces",
    managed: true,
    when: (value, patient) => Array.isArray(value) && isInstalledByMarket(patient),
    verdict: warning,
    means: "only plugins of the listed marketplaces are loaded",
  },
];

function switches(patient: Patient): Finding[] {
  return patient.claude.settings.flatMap(({ path, level, value }) =>
    SWITCHES
      .filter(({ key, managed, when }) =>
        value !== null && (!managed || level === "managed") && when(value[key], patient)
      )
      .map(({ key, verdict, means }) =>
        verdict(CHECK, `${path} says ${key}: ${means}`, takeOut(key, { path, level }))
      )
  );
}

const takeOut = (key: string, { path, level }: Pick<SettingsFile, "path" | "level">): string =>
  level === "managed"
    ? `ask your organisation to take ${key} out of ${path}`
    : `take ${key} out of ${path}`;

/** What lists of all files together allow; null when there is no list, and all is allowed. */
function allowed({ claude: { settings } }: Patient, key: string) {
  const files = settings.filter(({ value }) => value !== null && Array.isArray(value[key]));
  if (files.length === 0) return null;
  const items = files.flatMap(({ value }) => value?.[key] as unknown[]).map(String);
  return { items, file: files[0] as SettingsFile };
}

/** The addresses to which http hooks may go. */
function addresses(patient: Patient): Finding[] {
  const key = "allowedHttpHookUrls";
  const list = allowed(patient, key);
  if (list === null) return [];
  const urls = [
    ...new Set([
      patient.bus.base,
      ...sourcesOf(patient).flatMap(({ hooks }) => addressesIn(hooks)),
    ]),
  ]
    .map((base) => `${base}/hooks/claude-code`);
  const refused = urls.find((url) => !list.items.some((pattern) => wildcard(pattern).test(url)));
  if (refused === undefined) return [];
  const fix = list.file.level === "managed"
    ? `ask your organisation to add ${JSON.stringify(refused)} to ${key} in ${list.file.path}`
    : `add ${JSON.stringify(refused)} to ${key} in ${list.file.path}`;
  return [broken(CHECK, `${list.file.path} lists ${key}, and not ${refused}`, fix)];
}

const wildcard = (pattern: string): RegExp =>
  new RegExp(`^${pattern.split("*").map((part) => RegExp.escape(part)).join(".*")}$`);

/** The variables that http hooks may send; without ours a bus that wants its token refuses them. */
function variables(patient: Patient): Finding[] {
  const key = "httpHookAllowedEnvVars";
  const list = allowed(patient, key);
  if (list === null || list.items.includes(TOKEN) || !patient.bus.needsToken) return [];
  const fix = list.file.level === "managed"
    ? `ask your organisation to add ${TOKEN} to ${key} in ${list.file.path}`
    : `add ${TOKEN} to ${key} in ${list.file.path}`;
  return [broken(CHECK, `${list.file.path} lists ${key}, and not ${TOKEN}`, fix)];
}

/** In a folder that is not trusted an interactive session runs no hooks. */
function trust({ claude: { state }, config: { env: { cwd } } }: Patient): Finding {
  const check = "folder trusted";
  const projects = objectIn(state.value, "projects");
  for (let folder = cwd;; folder = dirname(folder)) {
    if (objectIn(projects, folder).hasTrustDialogAccepted === true) {
      return ok(check, `Claude Code trusts ${folder}`);
    }
    if (folder === dirname(folder)) break;
  }
  return Object.hasOwn(projects, cwd)
    ? warning(
      check,
      `Claude Code does not trust ${cwd}: no hook runs there`,
      `cd ${shellLine(cwd)} && claude, and say yes`,
    )
    : ok(check, `Claude Code has not been in ${cwd} yet, and will ask`);
}
