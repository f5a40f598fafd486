/**
 * Where every setting comes from: flags, then the environment, then `config.json` in the data
 * folder, then defaults. The only reader of the environment; a leaf, so that the command line's
 * fast path stays fast.
 */
import { join, resolve } from "node:path";
import { BusError } from "./errors.ts";
import { DEFAULT_LIMITS, type LimitValues } from "./limits.ts";
import {
  basePath,
  digestChars,
  hours,
  limits,
  list,
  loopbackAddresses,
  oneOf,
  port,
  retention,
  text,
  url,
  yesOrNo,
} from "./setting_values.ts";

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly db: string;
  readonly log: string;
  readonly log_level: LogLevel;
  /** Lines for people, or JSON objects for programs. */
  readonly log_format: LogFormat;
  /** A picture for notifications. */
  readonly icon: string | null;
  /** This machine's name on the bus. */
  readonly machine: string;
  readonly token_file: string;
  /** Names, beside loopback and addresses, under which the server may be called. */
  readonly allowed_hosts: readonly string[];
  readonly allowed_origins: readonly string[];
  /** Whether callers of this machine need a token, too. */
  readonly require_token: boolean;
  /** Addresses of this machine from which a proxy calls whose `Tailscale-User-Login` is believed. */
  readonly trusted_proxies: readonly string[];
  /** A path under which the bus is served as well, such as `/event-bus`; empty for none. */
  readonly base_path: string;
  /** PEM files of the certificate (with its chain) and its key; both, or neither. */
  readonly tls_cert: string | null;
  readonly tls_key: string | null;
  /** Whether who did what is kept, and where. */
  readonly audit: boolean;
  readonly auditLog: string;
  /** After so many milliseconds events go to the archive; null is never. */
  readonly retention: number | null;
  /** How much one session or principal may ask; see `limits.ts`. */
  readonly limits: LimitValues;
  /** Whether known credentials are masked before they are stored. */
  readonly mask_secrets: boolean;
  /** How long a webhook may fail before it is paused. */
  readonly webhook_give_up_hours: number;
  /** How many characters a hook may add to what a model reads. */
  readonly digest_chars: number;
  /** Where a client finds the bus: as configured, else the one on this machine. */
  readonly url: string;
  readonly dataDir: string;
  /** Whether `db` is where it is by default; only then the original's other places are looked at. */
  readonly usesDefaultDb: boolean;
  readonly env: Surroundings;
  /**
   * The shared secret of server and clients: `EVENT_BUS_TOKEN`, else the token file, else null.
   * Throws when other users could read the file.
   */
  token(): string | null;
  /** The settings as a service of this user sees them: no variable of this shell is one. */
  forService(flags?: Flags): Config;
}

/** Facts of the environment that are not settings. */
export interface Surroundings {
  readonly home: string;
  readonly cwd: string;
  readonly path: string;
  /** Whether a Linux desktop could show something. */
  readonly hasDisplay: boolean;
  /** The session that this process belongs to, if the environment names one. */
  readonly sessionId: string | undefined;
  /** Whether the runtime was asked for spans; a compiled binary does not listen to that. */
  readonly asksForSpans: boolean;
  readonly configHome: string;
  readonly runtimeDir: string | null;
  /** Whether what is started from here has the bus's token in its environment. */
  readonly hasToken: boolean;
  /** Through what programs that heed it send their requests, and to which hosts they do not. */
  readonly proxy: {
    readonly http: string | null;
    readonly https: string | null;
    readonly except: string | null;
  };
  /** What Claude Code says to the commands that it starts. */
  readonly claude: {
    /** Its own name of the session. */
    readonly sessionId: string | null;
    /** Its process. */
    readonly pid: number | null;
    /** The file whose exports its shells get; only at a session's start. */
    readonly envFile: string | null;
    /** Whether somebody sits before it; `-p` runs to its end alone. */
    readonly isAttended: boolean;
    /** Where its settings are. */
    readonly configDir: string;
  };
}

export type SettingName = keyof typeof SETTINGS;
export type Flags = { readonly [K in SettingName]?: string | undefined };

const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
const LOG_FORMATS = ["pretty", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

interface Setting<T> {
  /** `EVENT_BUS_X` is also accepted as `AGENT_EVENT_BUS_X`, its later name. */
  env: string;
  /** Throws a sentence fragment that says what is expected. */
  parse(value: unknown): T;
}

const SETTINGS = {
  host: { env: "HOST", parse: text },
  port: { env: "PORT", parse: port },
  db: { env: "EVENT_BUS_DB", parse: text },
  log: { env: "EVENT_BUS_LOG", parse: text },
  log_level: { env: "EVENT_BUS_LOG_LEVEL", parse: oneOf(LOG_LEVELS) },
  log_format: { env: "EVENT_BUS_LOG_FORMAT", parse: oneOf(LOG_FORMATS) },
  icon: { env: "EVENT_BUS_ICON", parse: text },
  machine: { env: "EVENT_BUS_MACHINE", parse: text },
  token_file: { env: "EVENT_BUS_TOKEN_FILE", parse: text },
  allowed_hosts: { env: "EVENT_BUS_ALLOWED_HOSTS", parse: list },
  allowed_origins: { env: "EVENT_BUS_ALLOWED_ORIGINS", parse: list },
  require_token: { env: "EVENT_BUS_REQUIRE_TOKEN", parse: yesOrNo },
  trusted_proxies: { env: "EVENT_BUS_TRUSTED_PROXIES", parse: loopbackAddresses },
  base_path: { env: "EVENT_BUS_BASE_PATH", parse: basePath },
  tls_cert: { env: "EVENT_BUS_TLS_CERT", parse: text },
  tls_key: { env: "EVENT_BUS_TLS_KEY", parse: text },
  audit: { env: "EVENT_BUS_AUDIT", parse: yesOrNo },
  retention: { env: "EVENT_BUS_RETENTION", parse: retention },
  limits: { env: "EVENT_BUS_LIMITS", parse: limits },
  mask_secrets: { env: "EVENT_BUS_MASK_SECRETS", parse: yesOrNo },
  webhook_give_up_hours: { env: "EVENT_BUS_WEBHOOK_GIVE_UP_HOURS", parse: hours },
  digest_chars: { env: "EVENT_BUS_DIGEST_CHARS", parse: digestChars },
  url: { env: "EVENT_BUS_URL", parse: url },
} satisfies Record<string, Setting<unknown>>;

export const DEFAULT_PORT = 8080;

/** Reads a variable of the environment. */
export type Env = (name: string) => string | undefined;

const readEnv: Env = (name) => Deno.env.get(name);

/** All settings, frozen. Throws `invalid_argument` naming the value, where it came from, and what is expected. */
export function loadConfig(flags: Flags = {}, get: Env = readEnv): Config {
  const env = surroundings(get);
  const dataDir = join(env.home, ".claude", "contrib", "event-bus");
  const file = readConfigFile(join(dataDir, "config.json"));
  const atHome = (path: string) => resolve(path.replace(/^~(?=\/|$)/, env.home));

  const setting = <K extends SettingName>(name: K) => {
    const { env: variable, parse } = SETTINGS[name];
    const [value, source] = strongest(
      [flags[name], `--${name.replaceAll("_", "-")}`],
      [lookUp(get, variable), `the environment variable ${variable}`],
      [file[name], join(dataDir, "config.json")],
    );
    if (value === undefined) return undefined;
    try {
      return parse(value) as ReturnType<(typeof SETTINGS)[K]["parse"]>;
    } catch (expected) {
      throw new BusError(
        "invalid_argument",
        `Cannot use ${name} ${JSON.stringify(value)} from ${source}: ${
          (expected as Error).message
        }`,
      );
    }
  };
  const db = setting("db");
  const icon = setting("icon");
  const fileAt = (path: string | undefined) => path === undefined ? null : atHome(path);
  const tokenFile = atHome(setting("token_file") ?? join(dataDir, "token"));
  return Object.freeze({
    host: setting("host") ?? "127.0.0.1",
    port: setting("port") ?? DEFAULT_PORT,
    db: db === ":memory:" ? db : atHome(db ?? join(dataDir, "data.db")),
    log: atHome(setting("log") ?? join(dataDir, "event-bus.log")),
    log_level: setting("log_level") ?? "info",
    log_format: setting("log_format") ?? "pretty",
    icon: fileAt(icon),
    machine: setting("machine") ?? Deno.hostname(),
    token_file: tokenFile,
    token: () => lookUp(get, "EVENT_BUS_TOKEN") ?? readToken(tokenFile),
    allowed_hosts: setting("allowed_hosts") ?? [],
    allowed_origins: setting("allowed_origins") ?? [],
    require_token: setting("require_token") ?? false,
    trusted_proxies: setting("trusted_proxies") ?? [],
    base_path: setting("base_path") ?? "",
    tls_cert: fileAt(setting("tls_cert")),
    tls_key: fileAt(setting("tls_key")),
    audit: setting("audit") ?? true,
    auditLog: join(dataDir, "audit.log"),
    retention: setting("retention") ?? null,
    limits: { ...DEFAULT_LIMITS, ...setting("limits") },
    mask_secrets: setting("mask_secrets") ?? true,
    webhook_give_up_hours: setting("webhook_give_up_hours") ?? 24,
    digest_chars: setting("digest_chars") ?? 2000,
    url: setting("url") ?? localUrl(file),
    dataDir,
    usesDefaultDb: db === undefined,
    env,
    forService: (flags: Flags = {}) => loadConfig(flags, withoutSettings(get)),
  });
}

/**
 * The settings as a client sees them. `HOST` and `PORT` of a shell mostly belong to some other
 * server, and may hold what is no host and no port of ours: they are not even looked at.
 */
export function loadClientConfig(flags: Flags = {}, get: Env = readEnv): Config {
  return loadConfig(flags, (name) => /^(HOST|PORT)$/.test(name) ? undefined : get(name));
}

/** Where the runtime looks for names that no proxy is asked for, in its own order. */
const NO_PROXY = ["no_proxy", "NO_PROXY"] as const;
const LOOPBACK_NAMES = "127.0.0.1,localhost,::1";

/**
 * Keeps this process's requests to its own machine away from any proxy: it could only refuse them, or
 * ask a bus of its own. To be called before the first request.
 */
export function goDirectlyToThisMachine(): void {
  for (const name of NO_PROXY) {
    const others = Deno.env.get(name);
    if (others?.endsWith(LOOPBACK_NAMES)) continue;
    Deno.env.set(name, others ? `${others},${LOOPBACK_NAMES}` : LOOPBACK_NAMES);
  }
}

/** An environment without the variables that are settings. */
function withoutSettings(get: Env): Env {
  return (name) => /^(HOST|PORT|(AGENT_)?EVENT_BUS_.*)$/.test(name) ? undefined : get(name);
}

function readToken(path: string): string | null {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return null;
    throw failure;
  }
  if (info.mode !== null && (info.mode & 0o077) !== 0) {
    throw new BusError(
      "invalid_argument",
      `Cannot use the token file ${path}: others can read it; run chmod 600 ${path}`,
    );
  }
  return Deno.readTextFileSync(path).trim() || null;
}

/** The bus of this machine, as its config file places it; `HOST` and `PORT` are not asked. */
function localUrl(file: Record<string, unknown>): string {
  const host = typeof file.host === "string" && !/^(0\.0\.0\.0|::)?$/.test(file.host)
    ? file.host
    : "127.0.0.1";
  const scheme = file.tls_cert === undefined ? "http" : "https";
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${file.port ?? DEFAULT_PORT}`;
}

function surroundings(get: Env): Surroundings {
  const home = get("HOME") || "/";
  const set = (name: string) => get(name) || null;
  return Object.freeze({
    home,
    cwd: workingFolder(set("PWD")),
    path: get("PATH") ?? "",
    hasDisplay: set("DISPLAY") !== null || set("WAYLAND_DISPLAY") !== null ||
      set("DBUS_SESSION_BUS_ADDRESS") !== null,
    sessionId: lookUp(get, "EVENT_BUS_SESSION_ID") ?? lookUp(get, "CLAUDE_CODE_SESSION_ID"),
    asksForSpans: /^(true|1)$/.test(get("OTEL_DENO") ?? ""),
    configHome: set("XDG_CONFIG_HOME") ?? join(home, ".config"),
    runtimeDir: set("XDG_RUNTIME_DIR"),
    hasToken: set("EVENT_BUS_TOKEN") !== null,
    proxy: {
      http: set("http_proxy") ?? set("HTTP_PROXY"),
      https: set("https_proxy") ?? set("HTTPS_PROXY"),
      except: set("no_proxy") ?? set("NO_PROXY"),
    },
    claude: {
      sessionId: set("CLAUDE_CODE_SESSION_ID"),
      pid: Number(get("CLAUDE_PID")) || null,
      envFile: set("CLAUDE_ENV_FILE"),
      // Other entrypoints call sessions attended that run to their end alone, and would wait for us.
      isAttended: get("CLAUDE_CODE_SESSION_ATTENDED") === "1" &&
        get("CLAUDE_CODE_ENTRYPOINT") === "cli",
      configDir: set("CLAUDE_CONFIG_DIR") ?? join(home, ".claude"),
    },
  });
}

/** The shell's own name of the folder keeps symbolic links; it counts only while it is this folder. */
function workingFolder(pwd: string | null): string {
  const real = Deno.cwd();
  try {
    return pwd !== null && Deno.realPathSync(pwd) === real ? pwd : real;
  } catch {
    return real;
  }
}

/** An empty variable counts as unset. */
function lookUp(get: Env, name: string): string | undefined {
  return get(name) || (name.startsWith("EVENT_BUS_") ? get(`AGENT_${name}`) : undefined) ||
    undefined;
}

function readConfigFile(path: string): Record<string, unknown> {
  let content: string;
  try {
    content = Deno.readTextFileSync(path);
  } catch (failure) {
    if (failure instanceof Deno.errors.NotFound) return {};
    throw new BusError("invalid_argument", `Cannot read ${path}: ${(failure as Error).message}`);
  }
  const refuse = (why: string) =>
    new BusError("invalid_argument", `Cannot use ${path}: ${why}; correct or remove it`);
  let settings: unknown;
  try {
    settings = JSON.parse(content);
  } catch (failure) {
    throw refuse((failure as Error).message);
  }
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    throw refuse("it must be a JSON object of settings");
  }
  const unknown = Object.keys(settings).find((key) => !Object.hasOwn(SETTINGS, key));
  if (unknown !== undefined) {
    throw refuse(
      `there is no setting ${JSON.stringify(unknown)}; there are ${
        Object.keys(SETTINGS).join(", ")
      }`,
    );
  }
  return settings as Record<string, unknown>;
}

function strongest(...sources: [value: unknown, source: string][]): [unknown, string] {
  return sources.find(([value]) => value !== undefined && value !== null) ?? [undefined, ""];
}
