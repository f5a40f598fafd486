/** Looks at what stands between Claude Code and the bus: the token, and a proxy. */
import { shellLine } from "../service/machine.ts";
import { settingsVariable } from "./claude.ts";
import { broken, type Finding, ok, warning } from "./finding.ts";
import type { Patient } from "./patient.ts";

/** The variable from which hooks and the MCP server's header take the token. */
export const TOKEN = "EVENT_BUS_TOKEN";

/** Whether the token is where it is needed, and whether a proxy stands before the bus. */
export function examineAccess(patient: Patient): Finding[] {
  return [...token(patient), ...proxy(patient)];
}

function token({ config, bus, claude }: Patient): Finding[] {
  const check = "token";
  const file = config.token_file;
  let known: string | null;
  try {
    known = config.token();
  } catch (failure) {
    return [broken(check, (failure as Error).message, shellLine("chmod", "600", file))];
  }
  if (!bus.needsToken) return [ok(check, `none is needed for the bus at ${bus.base}`)];
  if (known === null) {
    return [
      broken(
        check,
        `the bus at ${bus.base} needs one, and there is none`,
        `(umask 077; cat > ${shellLine(file)}), and paste the bus's token`,
      ),
    ];
  }
  if (config.env.hasToken || settingsVariable(claude, TOKEN) !== null) {
    return [ok(check, `known, and ${TOKEN} is set for Claude Code`)];
  }
  return [
    broken(
      check,
      `${file} is there, but ${TOKEN} is not set, so Claude Code and its hooks send none`,
      `in your shell's profile: export ${TOKEN}="$(cat ${shellLine(file)})"`,
    ),
  ];
}

/** Claude Code sends its http hooks through a proxy, also those to this machine. */
function proxy({ config: { env: { proxy } }, bus, claude }: Patient): Finding[] {
  const check = "proxy";
  const { protocol, hostname, port } = new URL(bus.base);
  const scheme = protocol === "https:" ? "https" : "http";
  const said = (name: string) =>
    settingsVariable(claude, name) ?? settingsVariable(claude, name.toUpperCase());
  const through = said(`${scheme}_proxy`) ?? proxy[scheme];
  if (through === null) return [ok(check, "none stands before the bus")];
  const except = said("no_proxy") ?? proxy.except ?? "";
  if (isExcepted(hostname.replace(/^\[|\]$/g, ""), port, except)) {
    return [ok(check, `there is one, but not for ${hostname}`)];
  }
  const fix = `export NO_PROXY=${
    [except, bus.isHere ? "127.0.0.1,localhost,::1" : hostname].filter(Boolean).join(",")
  }`;
  const found = `requests to ${bus.base} go through ${URL.parse(through)?.host ?? "a proxy"}`;
  return [
    (bus.isHere ? broken : warning)(check, `${found}, as NO_PROXY does not name ${hostname}`, fix),
  ];
}

function isExcepted(host: string, port: string, list: string): boolean {
  return list.split(/[\s,]+/).filter(Boolean).some((item) => {
    if (item === "*") return true;
    const [, name, itsPort] = item.match(/^\[?(.*?)\]?(?::([0-9]+))?$/) ?? [];
    const bare = item.includes("::") ? item.replace(/^\[|\]$/g, "") : name ?? "";
    if (!item.includes("::") && itsPort !== undefined && itsPort !== port) return false;
    const suffix = bare.replace(/^\*?\./, "");
    return host === bare || host === suffix || (suffix !== "" && host.endsWith(`.${suffix}`));
  });
}
