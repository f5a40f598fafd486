/** Every word that can be typed. Each is loaded only when it is: literal imports, one chunk each. */
import type { Verb } from "./verb.ts";

interface Entry {
  /** For the overview. */
  readonly summary: string;
  load(): Promise<{ verb: Verb }>;
}

export const VERBS: Readonly<Record<string, Entry>> = {
  serve: { summary: "run the bus", load: () => import("./serve.ts") },
  register: { summary: "register a session", load: () => import("./register.ts") },
  unregister: { summary: "end a session", load: () => import("./unregister.ts") },
  sessions: { summary: "list the active sessions", load: () => import("./sessions.ts") },
  channels: { summary: "list the channels", load: () => import("./channels.ts") },
  publish: { summary: "publish an event", load: () => import("./publish.ts") },
  events: { summary: "read events", load: () => import("./events.ts") },
  wait: { summary: "wait until an event is there", load: () => import("./wait.ts") },
  ack: { summary: "mark events as read", load: () => import("./ack.ts") },
  delivery: { summary: "tell who has an event", load: () => import("./delivery.ts") },
  "set-status": { summary: "say what a session is doing", load: () => import("./set_status.ts") },
  token: { summary: "say who may call", load: () => import("./token.ts") },
  webhook: { summary: "have events sent to a URL", load: () => import("./webhook.ts") },
  notify: { summary: "notify the human", load: () => import("./notify.ts") },
  hook: { summary: "answer a hook of Claude Code", load: () => import("./hook.ts") },
  mcp: { summary: "serve a channel of Claude Code", load: () => import("./mcp.ts") },
  backup: { summary: "copy the database to a file", load: () => import("./backup.ts") },
  restore: { summary: "put a backup in its place", load: () => import("./restore.ts") },
  export: { summary: "write the log as lines of JSON", load: () => import("./export.ts") },
  import: { summary: "add another log to the bus", load: () => import("./import.ts") },
  prune: { summary: "move old events to the archive", load: () => import("./prune.ts") },
  install: {
    summary: "install the service, and connect Claude Code",
    load: () => import("./install.ts"),
  },
  uninstall: { summary: "take back the installation", load: () => import("./uninstall.ts") },
  restart: { summary: "restart the service", load: () => import("./restart.ts") },
  logs: { summary: "show the server's log", load: () => import("./logs.ts") },
  status: { summary: "say whether the bus answers", load: () => import("./status.ts") },
  doctor: {
    summary: "look for what is wrong, and how to fix it",
    load: () => import("./doctor.ts"),
  },
  statusline: {
    summary: "print a status line for Claude Code",
    load: () => import("./statusline.ts"),
  },
  version: { summary: "print the version", load: () => import("./version.ts") },
  help: { summary: "explain a command", load: () => import("./help.ts") },
};
