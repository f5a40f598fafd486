import { loadConfig } from "../src/config.ts";
import { startLog } from "../src/log.ts";
import { type RunningServer, startServer } from "../src/server.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  help: `Run the bus until it is told to stop (SIGINT or SIGTERM).

Usage: event-bus serve [--host HOST] [--port PORT] [--db FILE] [--log FILE]

  --host HOST    where to listen (default 127.0.0.1); beyond loopback a token is needed
  --port PORT    default 8080
  --db FILE      default ~/.claude/contrib/event-bus/data.db
  --log FILE     default ~/.claude/contrib/event-bus/event-bus.log

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
  },
  async run(args, { out }) {
    const config = loadConfig({
      host: args.text("host"),
      port: args.text("port"),
      db: args.text("db"),
      log: args.text("log"),
    });
    // Whatever the server creates, companions of the database and rotated logs too, is the user's alone.
    Deno.umask(0o077);
    const stopLog = await startLog(config.log, config.log_level);
    let server: RunningServer;
    try {
      server = startServer(config);
    } catch (failure) {
      await stopLog();
      throw failure;
    }
    out(`event-bus is listening at ${server.url}\n`);
    out(
      "Connect Claude Code with: " +
        `claude mcp add --transport http --scope user event-bus ${server.url}/mcp\n`,
    );
    await toldToStop();
    await server.close();
    await stopLog();
    return 0;
  },
};

function toldToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => resolve());
    }
  });
}
