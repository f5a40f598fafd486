import { loadConfig } from "../src/config.ts";
import { startLog } from "../src/log.ts";
import { type RunningServer, startServer } from "../src/server.ts";
import { jsonLine } from "./format.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Run the bus until it is told to stop (SIGINT or SIGTERM).

Usage: event-bus serve [--host HOST] [--port PORT] [--db FILE] [--log FILE] [--require-token]
                       [--tls-cert FILE --tls-key FILE] [--json]

  --host HOST    where to listen (default 127.0.0.1); beyond loopback a token is needed
  --port PORT    default 8080
  --db FILE      default ~/.claude/contrib/event-bus/data.db
  --log FILE     default ~/.claude/contrib/event-bus/event-bus.log
  --require-token      callers of this machine need a token, too; see event-bus help token
  --tls-cert FILE      serve https with this certificate and its chain (PEM), read at the start …
  --tls-key FILE       … and this key, which is nobody else's to read

The same settings are read from the environment (HOST, PORT, EVENT_BUS_DB, EVENT_BUS_LOG) and from
~/.claude/contrib/event-bus/config.json ({"host": ..., "port": ..., "db": ..., "log": ...}).

Example:
  event-bus serve --port 9090
`,
  options: {
    host: { type: "string" },
    port: { type: "string" },
    db: { type: "string" },
    log: { type: "string" },
    "require-token": { type: "boolean" },
    "tls-cert": { type: "string" },
    "tls-key": { type: "string" },
  },
  async run(args, { json, out }) {
    const config = loadConfig({
      host: args.text("host"),
      port: args.text("port"),
      db: args.text("db"),
      log: args.text("log"),
      require_token: args.flag("require-token") ? "true" : undefined,
      tls_cert: args.text("tls-cert"),
      tls_key: args.text("tls-key"),
    });
    const auditLog = config.audit ? config.auditLog : null;
    const stopLog = await startLog(config.log, config.log_level, auditLog, config.log_format);
    let server: RunningServer;
    try {
      server = startServer(config);
    } catch (failure) {
      await stopLog();
      throw failure;
    }
    // Before anybody can know that we are there, and tell us to go.
    const stop = toldToStop();
    if (json) out(jsonLine({ url: server.url, carried_over: server.store.carriedOver }));
    else for (const line of greeting(server, config.token() !== null)) out(`${line}\n`);
    await stop;
    await server.close();
    await stopLog();
    return 0;
  },
};

/** What whoever started it wants to know: where it is, how to connect, and what it found. */
function* greeting({ url, store: { carriedOver } }: RunningServer, hasToken: boolean) {
  yield `event-bus is listening at ${url}`;
  const add = `claude mcp add --transport http --scope user event-bus ${url}/mcp`;
  yield `Connect Claude Code with: ${add}`;
  if (hasToken) {
    yield "From other machines, with this one's address: the same, and " +
      "--header 'Authorization: Bearer ${EVENT_BUS_TOKEN}'";
  }
  if (carriedOver === null) return;
  const { from, version, events, sessions, backup, others } = carriedOver;
  yield `Carried over ${events} events and ${sessions} sessions of the original's ${from} ` +
    `(schema ${version})${backup === null ? "" : `; the file as it was: ${backup}`}`;
  for (const other of others) {
    yield `Left out, because older: ${other} (add it with: event-bus import ${other})`;
  }
}

function toldToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => resolve());
    }
  });
}
