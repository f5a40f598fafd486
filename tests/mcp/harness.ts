/** A bus in memory behind the real MCP door, reached in process or over a socket. */
import { type Bus, type Caller, createBus } from "../../src/bus.ts";
import { createMcpDoor, type McpDoor, type McpDoorOptions } from "../../src/mcp/door.ts";
import { OPERATIONS } from "../../src/operations/all.ts";
import { openStore } from "../../src/store/open.ts";
import { EVERY_SCOPE } from "../../src/token.ts";

export const VERSION = "9.8.7";
/** Somebody on this machine. */
export const CALLER: Caller = {
  principal: "loopback",
  scopes: EVERY_SCOPE,
  local: true,
  peer: "127.0.0.1",
  path: "tool",
};

export interface Harness extends AsyncDisposable {
  readonly bus: Bus;
  readonly door: McpDoor;
  /** The door as a fetch function: no socket, no port. */
  fetch(url: string | URL | Request, init?: RequestInit): Promise<Response>;
}

/** A bus and its MCP door; disposing closes both. */
export function harness(options?: McpDoorOptions): Harness {
  const store = openStore(":memory:");
  const bus = createBus({
    store,
    desktop: { show: () => Promise.resolve({ success: true }) },
    machine: "test-machine",
    cwd: "/home/me/project",
    clock: () => Date.now(),
    uuid: () => crypto.randomUUID(),
    random: () => Math.random(),
    isAlive: () => true,
  });
  const door = createMcpDoor(bus, OPERATIONS, VERSION, options);
  return {
    bus,
    door,
    fetch: async (url, init) => await answer(door, new Request(url, init)),
    async [Symbol.asyncDispose]() {
      await door.close();
      store.close();
    },
  };
}

/** What the HTTP app does before the door: reads the body of a POST. */
export async function answer(door: McpDoor, request: Request): Promise<Response> {
  const body = request.method === "POST" ? await request.json() : undefined;
  return await door.fetch(request, body, { ...CALLER, signal: request.signal });
}

/** Serves the door on a port of the system's choice. */
export function listen({ door }: Harness): { url: string } & AsyncDisposable {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => answer(door, request),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    async [Symbol.asyncDispose]() {
      await door.close();
      await server.shutdown();
    },
  };
}

export const URL_OF_DOOR = "http://127.0.0.1:8080/mcp";

export interface Rpc {
  id?: unknown;
  // deno-lint-ignore no-explicit-any
  result?: any;
  error?: { code: number; message: string; data?: unknown };
}

/** POSTs one JSON-RPC message as scripts do; `headers` beside the content type. */
export function post(
  { fetch }: Harness,
  message: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(URL_OF_DOOR, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(message),
  });
}

export function toolCall(name: string, args: unknown = {}, id: unknown = 1) {
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } };
}

export const INITIALIZE = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  },
};

/** What every request of 2026-07-28 carries about itself. */
export const MODERN_META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** The first message of an answer, be it JSON or a stream. */
export async function firstMessage(response: Response): Promise<Rpc> {
  const text = await response.text();
  if (response.headers.get("content-type")?.startsWith("application/json")) return JSON.parse(text);
  const line = text.split(/\r?\n/).find((line) => line.startsWith("data: "));
  if (line === undefined) throw new Error(`No data line in ${JSON.stringify(text)}`);
  return JSON.parse(line.slice("data: ".length));
}
