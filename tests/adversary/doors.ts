/** Every door of the application, found in its route table, with requests that would do something. */
import assert from "node:assert/strict";
import { OPERATIONS } from "../../src/operations/all.ts";
import type { TestApp } from "../helpers/server.ts";

export interface Door {
  readonly method: string;
  readonly path: string;
  /** What a POST sends. */
  readonly body: string;
}

const RPC = {
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "publish_event", arguments: { event_type: "t", payload: "by mcp" } },
};

/** Arguments with which an operation changes something; the others only look. */
const EFFECTS: Readonly<Record<string, unknown>> = {
  publish_event: { event_type: "t", payload: "p" },
  register_session: { name: "n", client_id: "forged" },
  unregister_session: { session_id: "victim" },
  set_status: { session_id: "victim", status: "forged" },
  ack_events: { session_id: "victim", cursor: "1" },
  get_events: { session_id: "victim", resume: true },
  register_webhook: { url: "http://127.0.0.1:9/x" },
  create_token: { name: "forged" },
  notify: { title: "t", message: "m" },
};

/** A channel, and whatever else a route asks for in its path. */
const PARAMETERS: Readonly<Record<string, string>> = { channel: "all" };

/** Every door that there is, each operation being one. Fails when a route is none that it understands. */
export function doorsOf({ routes }: TestApp): Door[] {
  const doors = routes.flatMap(({ method, path }) => {
    if (path === "/v1/:operation") {
      return OPERATIONS.map(({ name }) => ({
        method,
        path: `/v1/${name}`,
        body: JSON.stringify(EFFECTS[name] ?? {}),
      }));
    }
    const concrete = path.replace(/:(\w+)(\{[^}]*\})?/g, (_, name) => {
      const value = PARAMETERS[name];
      assert.ok(value !== undefined, `say above what ${name} of ${path} may be`);
      return value;
    });
    return [{ method, path: concrete, body: JSON.stringify(path === "/mcp" ? RPC : hook) }];
  });
  for (const known of ["/v1/publish_event", "/publish/all", "/mcp", "/health"]) {
    assert.ok(doors.some(({ path }) => path === known), `${known} is among the doors`);
  }
  return doors;
}

/** What Claude Code tells a hook when a session starts. */
const hook = {
  session_id: "forged",
  hook_event_name: "SessionStart",
  cwd: "/src",
  source: "startup",
};

/** All that the database holds, to be compared. */
export function everythingIn({ bus }: TestApp): string {
  const { db } = bus.store;
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .all().map(({ name }) => String(name)).filter((name) => !/^sqlite_|_search|^words/.test(name));
  assert.ok(tables.includes("event") && tables.includes("session"));
  const rows = tables.map((name) => [name, db.prepare(`SELECT * FROM "${name}"`).all()]);
  return JSON.stringify([rows, [...bus.store.heartbeats], bus.notices]);
}

/** A session whose things others would like to have. */
export async function withVictim(app: TestApp): Promise<void> {
  await app.bus.call("register_session", { name: "victim", client_id: "victim", machine: "m" });
  await app.bus.call("publish_event", {
    event_type: "t",
    payload: "for the victim",
    channel: "session:victim",
  });
}

/** Sends what a door takes, with these headers on top. */
export function knock(app: TestApp, door: Door, headers: Record<string, string>, peer?: string) {
  const init = door.method === "POST" ? { body: door.body } : {};
  return app.fetch(door.path, { method: door.method, headers, ...init }, peer);
}
