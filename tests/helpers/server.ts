/** The doors of the bus: in process without a port, or a real server on a port of the system's choice. */
import { type Config, type Flags, loadConfig } from "../../src/config.ts";
import { createHookDoor, type HookParts } from "../../src/hooks/door.ts";
import { createApp } from "../../src/http/app.ts";
import type { GuardRules } from "../../src/http/guard.ts";
import type { StreamLimits } from "../../src/http/stream.ts";
import { createMcpDoor } from "../../src/mcp/door.ts";
import { OPERATIONS } from "../../src/operations/all.ts";
import { type RunningServer, startServer } from "../../src/server.ts";
import { type TestBus, testBus } from "./bus.ts";
import { envOf, type Home, tempHome } from "./home.ts";

export interface TestApp extends AsyncDisposable {
  readonly bus: TestBus;
  /** The whole route table, as the application has it. */
  readonly routes: readonly Route[];
  /** Sends a request as a caller at `peer` would; by default one on this machine. */
  fetch(path: string, init?: RequestInit, peer?: string): Promise<Response>;
  /** POSTs JSON; strings and bytes are sent as they are. */
  post(path: string, body: unknown, headers?: HeadersInit, peer?: string): Promise<Response>;
}

export interface Route {
  readonly method: string;
  /** With its parameters by name: `/v1/:operation`. */
  readonly path: string;
}

const RULES: GuardRules = { exposed: false, token: null, allowedHosts: [], allowedOrigins: [] };

/** The whole application over a bus in memory; the same wiring as the server's, without a port. */
export function testApp(
  rules: Partial<GuardRules> = {},
  bus = testBus(),
  streamLimits?: StreamLimits,
  hooks: Partial<HookParts> = {},
  bodyMs?: number,
): TestApp {
  const mcp = createMcpDoor(bus, OPERATIONS, "0.0.0");
  const app = createApp({
    bus,
    operations: OPERATIONS,
    version: "0.0.0",
    rules: { ...RULES, ...rules },
    mcp: mcp.fetch,
    hooks: createHookDoor({ bus, digestChars: 2000, outage: null, ...hooks }),
    health: () => ({ status: "ok", service: "event-bus" }),
    streamLimits,
    bodyMs,
  });
  const fetch: TestApp["fetch"] = async (path, init, peer = "127.0.0.1") =>
    await app.fetch(new Request(new URL(path, "http://127.0.0.1:8080"), init), { peer });
  return {
    bus,
    routes: app.routes.filter(({ method }) => method !== "ALL"),
    fetch,
    post: (path, body, headers, peer) =>
      fetch(path, { method: "POST", headers: jsonHeaders(headers), body: bodyOf(body) }, peer),
    async [Symbol.asyncDispose]() {
      await mcp.close();
      bus[Symbol.dispose]();
    },
  };
}

function jsonHeaders(more: HeadersInit = {}): Headers {
  const headers = new Headers(more);
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  return headers;
}

function bodyOf(body: unknown): BodyInit {
  return typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream
    ? body as BodyInit
    : JSON.stringify(body);
}

export interface TestServer extends RunningServer, AsyncDisposable {
  readonly home: Home;
  readonly config: Config;
  // deno-lint-ignore no-explicit-any -- answers are looked at field by field
  call(operation: string, args?: Record<string, unknown>): Promise<any>;
}

/** A real server in this process, in a home of its own. */
export function testServer(flags: Flags = {}, env: Record<string, string> = {}): TestServer {
  const home = tempHome();
  const config = loadConfig({ port: "0", machine: "home", ...flags }, envOf(home, env));
  const server = startServer(config);
  return {
    ...server,
    home,
    config,
    async call(operation, args = {}) {
      const response = await fetch(`${server.url}/v1/${operation}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(args),
      });
      return await response.json();
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      home[Symbol.dispose]();
    },
  };
}
