/** Starts the server. The only place where things are wired. */
import { getLogger } from "@logtape/logtape";
import { dirname, join } from "node:path";
import { createArchive } from "./archive.ts";
import { VERSION } from "./build.ts";
import { type Bus, type Caller, createBus } from "./bus.ts";
import type { Config } from "./config.ts";
import { createDesktop } from "./desktop.ts";
import { BusError } from "./errors.ts";
import { isLoopback } from "./http/address.ts";
import { createHookDoor } from "./hooks/door.ts";
import { createApp, type Health } from "./http/app.ts";
import { type Certificate, readCertificate } from "./http/tls.ts";
import { createMcpDoor } from "./mcp/door.ts";
import { OPERATIONS } from "./operations/all.ts";
import { endTheGone } from "./operations/perform.ts";
import { isTracing } from "./operations/tracing.ts";
import { isAlive } from "./process.ts";
import { openSpool } from "./spool.ts";
import { takeSpool } from "./spooling.ts";
import { writeHeartbeats } from "./store/heartbeats.ts";
import { openStore, SCHEMA_VERSION, type Store } from "./store/open.ts";
import { nameOwner } from "./store/owner.ts";
import { ORIGINAL_PLACES } from "./store/original/places.ts";
import { bringBack, isAnyAhead } from "./store/sessions.ts";
import { hasTokens, setTokenUsed } from "./store/tokens.ts";
import { troubleOf, whyNotWritable } from "./store/trouble.ts";
import { EVERY_SCOPE } from "./token.ts";
import { startUpkeep } from "./upkeep.ts";
import { startWebhooks } from "./webhooks.ts";

export interface RunningServer {
  /** Where it answers, without a path: `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly store: Store;
  /** Lets what is in flight finish, then closes the database. */
  close(): Promise<void>;
}

/** Shorter ones can be guessed by whoever reaches the port. */
const MIN_TOKEN_LENGTH = 16;
/** How long a request in flight may take when the server is told to stop. */
const CLOSE_MS = 5000;
/** How often heartbeats are written. */
const MINUTE_MS = 60_000;
/** How soon the others learn that a process of this machine is gone when nobody asks. */
const WATCH_MS = 10_000;
const HOUR_MS = 60 * MINUTE_MS;

const log = getLogger(["event-bus", "server"]);

/**
 * Opens the database and listens. Throws a BusError when the address is taken, the database cannot
 * be used, or a token is needed (beyond loopback it is) and there is none.
 */
export function startServer(config: Config): RunningServer {
  const exposed = !isLoopback(config.host);
  const token = config.token();
  checkTokens(config, exposed, token);
  const certificate = readCertificate(config.tls_cert, config.tls_key);

  // The address first: when another server has it, the data must stay as that one knows it.
  // Nothing is answered before this function returns.
  const { server, serve, abort } = listen(config, certificate);
  const url = urlOf(server.addr, certificate === null ? "http" : "https");
  let store: Store;
  try {
    const places = config.usesDefaultDb ? ORIGINAL_PLACES : [];
    store = openStore(config.db, places.map((place) => join(config.env.home, place)));
    if (config.usesDefaultDb) Deno.chmodSync(config.dataDir, 0o700);
  } catch (failure) {
    abort();
    throw failure;
  }
  if (config.db !== ":memory:") sayWhoOwns(config.db, url);
  const bus = createBus({
    store,
    archive: config.db === ":memory:" ? null : createArchive(join(dirname(config.db), "archive")),
    desktop: createDesktop({
      platform: Deno.build.os,
      icon: config.icon,
      hasDisplay: config.env.hasDisplay,
    }),
    machine: config.machine,
    cwd: config.env.cwd,
    clock: Date.now,
    uuid: () => crypto.randomUUID(),
    random: Math.random,
    isAlive,
    limits: config.limits,
    masksSecrets: config.mask_secrets,
  });
  const mcp = createMcpDoor(bus, OPERATIONS, VERSION);
  const app = createApp({
    bus,
    operations: OPERATIONS,
    version: VERSION,
    rules: {
      exposed,
      token,
      requireToken: config.require_token,
      trustedProxies: config.trusted_proxies,
      allowedHosts: config.allowed_hosts,
      allowedOrigins: config.allowed_origins,
    },
    basePath: config.base_path,
    mcp: mcp.fetch,
    hooks: createHookDoor({ bus, digestChars: config.digest_chars, outage: outageOf(store) }),
    health: healthOf(store),
  });
  serve((request, peer, completed) => app.fetch(request, { peer, completed }));
  const webhooks = startWebhooks({ bus, giveUpMs: config.webhook_give_up_hours * HOUR_MS });
  const upkeep = startUpkeep(bus, config.retention, SERVER);
  const spool = openSpool(config.dataDir);
  const takeOurs = () => takeSpool(bus, spool, (wanted) => isAddressOf(wanted, url, config));
  let taking = takeOurs();
  const tellOfTrouble = troubleTeller(store);
  const minute = setInterval(() => {
    void tellOfTrouble();
    void everyMinute(bus);
    taking = taking.then(takeOurs);
  }, MINUTE_MS);
  void everyMinute(bus);
  void watchSessions(bus);
  const watch = setInterval(() => void watchSessions(bus), WATCH_MS);

  log.info("listening at {url}, database {db}", { url, db: config.db });
  if (isTracing) {
    log.warn("tracing is on; the runtime's own spans carry the URLs of requests and webhooks");
  } else if (config.env.asksForSpans) {
    log.warn("tracing stays off: compile this program with OTEL_DENO=true in the environment");
  }
  if (store.carriedOver !== null) log.info("carried over {facts}", { facts: store.carriedOver });
  return {
    url,
    store,
    async close() {
      clearInterval(minute);
      clearInterval(watch);
      bus.bell.stop();
      await mcp.close();
      // Who is not done then ends with the process: a server that shuts down cannot be aborted.
      const limit = Promise.withResolvers<void>();
      const late = setTimeout(limit.resolve, CLOSE_MS);
      await Promise.all([
        Promise.race([server.shutdown(), limit.promise]),
        webhooks.close(CLOSE_MS),
        upkeep.close(),
        taking,
      ]);
      clearTimeout(late);
      // A full disk must not keep the database and the log from being closed.
      await flushHeartbeats(store).catch((failure) =>
        log.error("the last heartbeats are lost: {failure}", { failure })
      );
      await flushTokenUse(bus, 1).catch((failure) =>
        log.error("the last use of tokens is not noted: {failure}", { failure })
      );
      store.close();
      log.info("stopped");
    },
  };
}

type Handler = (
  request: Request,
  peer: string,
  completed: () => Promise<void>,
) => Response | Promise<Response>;

/** Takes the address at once; what answers there is said later, with `serve`. */
function listen(config: Config, certificate: Certificate | null) {
  let handler: Handler = () => new Response(null, { status: 503 });
  const aborted = new AbortController();
  const { host: hostname, port } = config;
  try {
    const server = Deno.serve(
      { hostname, port, signal: aborted.signal, onListen() {}, ...certificate },
      // Asked for only where somebody listens to it: unheard, its failure would end the process.
      (request, info) => handler(request, info.remoteAddr.hostname, () => info.completed),
    );
    const serve = (answer: Handler) => void (handler = answer);
    return { server, serve, abort: () => aborted.abort() };
  } catch (failure) {
    throw cannotListen(config, failure);
  }
}

const SERVER: Caller = {
  principal: "server",
  scopes: EVERY_SCOPE,
  local: true,
  peer: "",
  path: "http",
};

/** For whoever is refused the database; not worth a start that fails. */
function sayWhoOwns(db: string, url: string): void {
  try {
    nameOwner(db, { pid: Deno.pid, url });
  } catch (failure) {
    log.warn("nobody can be told who has {db}: {failure}", { db, failure });
  }
}

/** Finds out whether writing works again, and logs when it begins to fail and when that is over. */
function troubleTeller(store: Store): () => Promise<void> {
  let told: string | null = null;
  return async () => {
    const reason = await whyNotWritable(store);
    if (reason === told) return;
    told = reason;
    if (reason === null) log.info("the database can be written again");
    else log.error("the database cannot be written: {reason}", { reason });
  };
}

/** Ends whoever has gone, also when nobody asks, and notes until when there was a server. */
async function watchSessions(bus: Bus): Promise<void> {
  try {
    bus.store.noteServed();
    await endTheGone(bus, SERVER);
  } catch (failure) {
    log.error("looking after the sessions failed: {failure}", { failure });
  }
}

/** Writes the heartbeats, and does what else must not wait for somebody to ask. */
async function everyMinute(bus: Bus): Promise<void> {
  try {
    // A token's time may be over while a stream that it opened goes on.
    bus.credentials.reload();
    if (isAnyAhead(bus.store, bus.clock())) {
      await bus.store.inBatch(() => bringBack(bus.store, bus.clock()));
    }
    await flushHeartbeats(bus.store);
    await flushTokenUse(bus, HOUR_MS);
  } catch (failure) {
    log.error("the minute's work failed: {failure}", { failure });
  }
}

/** When no server had this database before this one; null when that is not known. */
function outageOf({ lastServed }: Store): { from: number; to: number } | null {
  return lastServed === null ? null : { from: lastServed, to: Date.now() };
}

/** They ride along with whatever is written; when nothing is, somebody must write them. */
async function flushHeartbeats(store: Store): Promise<void> {
  if (store.heartbeats.size === 0) return;
  await store.inBatch((transaction) => writeHeartbeats(store, transaction));
}

/** Writes when tokens were last used, where that is so much later than what is stored. */
async function flushTokenUse({ store, credentials }: Bus, laterBy: number): Promise<void> {
  const used = credentials.used(laterBy);
  if (used.size === 0) return;
  await store.inBatch(({ afterCommit }) => {
    for (const [id, at] of used) setTokenUsed(store, id, at);
    afterCommit(() => credentials.reload());
  });
}

function healthOf(store: Store): () => Promise<Health> {
  const started = performance.now();
  const facts = { service: "event-bus", version: VERSION, schema: SCHEMA_VERSION };
  return async () => {
    const writes = await whyNotWritable(store);
    const common = {
      ...facts,
      uptime_seconds: Math.floor((performance.now() - started) / 1000),
      writes: writes ?? "ok",
    };
    try {
      store.sql("SELECT 1 FROM event LIMIT 1").get();
      return { status: writes === null ? "ok" : "degraded", ...common, database: "ok" };
    } catch (failure) {
      const database = troubleOf(failure) ?? (failure as Error).message;
      return { status: "unavailable", ...common, database };
    }
  };
}

/** Whether a client's address of a bus on this machine means the one at `url`. */
function isAddressOf(wanted: string, url: string, { host }: Config): boolean {
  const portOf = ({ port, protocol }: URL) => port || (protocol === "https:" ? "443" : "80");
  const parsed = URL.parse(wanted);
  if (parsed === null || portOf(parsed) !== portOf(new URL(url))) return false;
  const name = parsed.hostname.replace(/^\[|\]$/g, "");
  return name === "localhost" || name === host || isLoopback(name);
}

function urlOf({ hostname, port }: Deno.NetAddr, scheme: "http" | "https"): string {
  const reachable = { "0.0.0.0": "127.0.0.1", "::": "[::1]" }[hostname] ?? hostname;
  return `${scheme}://${
    reachable.includes(":") && !reachable.startsWith("[") ? `[${reachable}]` : reachable
  }:${port}`;
}

/** Refuses settings under which nobody, or anybody, could call; before anything is touched. */
function checkTokens(config: Config, exposed: boolean, shared: string | null): void {
  const { require_token, trusted_proxies, db } = config;
  if (require_token && trusted_proxies.length > 0) {
    throw new BusError(
      "invalid_argument",
      "Cannot trust a proxy and require a token of this machine: any program here could claim to " +
        "be the proxy; choose require_token or trusted_proxies",
    );
  }
  if (exposed && shared !== null && shared.length < MIN_TOKEN_LENGTH) throw tokenMissing(config);
  if (shared !== null || !(exposed || require_token) || hasTokens(db, Date.now())) return;
  if (exposed) throw tokenMissing(config);
  throw new BusError(
    "invalid_argument",
    "Cannot require a token: there is none; start without it, run event-bus token create, and " +
      "start again",
  );
}

function tokenMissing(config: Config): BusError {
  return new BusError(
    "invalid_argument",
    `Cannot listen on ${config.host} without a token: others could reach it; make one of ` +
      `${MIN_TOKEN_LENGTH} characters or more with (umask 077; openssl rand -hex 32 > ${config.token_file}) or set EVENT_BUS_TOKEN`,
  );
}

function cannotListen(config: Config, failure: unknown): BusError {
  const where = `${config.host}:${config.port}`;
  if (failure instanceof Deno.errors.AddrInUse) {
    return new BusError(
      "unavailable",
      `Cannot listen on ${where}: the port is in use; is another event-bus running ` +
        "(event-bus status)? Else choose one with --port",
    );
  }
  const { message } = failure as Error;
  if (config.tls_cert !== null && /\b(key|cert)/i.test(message)) {
    return new BusError(
      "invalid_argument",
      `Cannot use the certificate ${config.tls_cert} with the key ${config.tls_key}: ${message}`,
    );
  }
  return new BusError("unavailable", `Cannot listen on ${where}: ${message}`);
}
