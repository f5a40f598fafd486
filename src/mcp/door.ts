/**
 * The MCP endpoint as a fetch handler: 2026-07-28, where every request stands alone, and the 2025
 * revisions, with and without a session, side by side.
 */
import { getLogger } from "@logtape/logtape";
import {
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  PROTOCOL_VERSION_META_KEY,
  type ServerContext,
  WebStandardStreamableHTTPServerTransport as Transport,
} from "@modelcontextprotocol/server";
import type { Bus, Caller } from "../bus.ts";
import { BusError } from "../errors.ts";
import type { Operation } from "../operations/operation.ts";
import { Follower } from "./follower.ts";
import { createHints } from "./hints.ts";
import { createListening, isListenRequest, MAX_LISTENERS } from "./listen.ts";
import { isStream } from "./relay.ts";
import { createResources } from "./resources.ts";
import { serverFactory, type ServerParts } from "./server.ts";
import { IDLE_MS, MAX_SESSIONS, type SessionLimits, Sessions } from "./sessions.ts";
import { createTools } from "./tools.ts";

const log = getLogger(["event-bus", "mcp"]);

export interface McpDoor {
  /**
   * Answers one request to /mcp. `body` is the parsed JSON of a POST (undefined otherwise); guards
   * and limits were applied before.
   */
  fetch(request: Request, body: unknown, caller: Caller): Promise<Response>;
  /** Ends every session and stream; later requests are refused as `unavailable`. */
  close(): Promise<void>;
}

export interface McpDoorOptions {
  /** Limits of sessions other than the usual, and their clock. */
  readonly sessions?: Partial<SessionLimits>;
  /** How many streams of 2026-07-28 may be open, other than the usual. */
  readonly maxListeners?: number;
  /** Adds to every server that is made; for fixtures of tests. */
  readonly extend?: ServerParts["extend"];
}

/** The door to `bus` for MCP clients; `operations` that are tools appear as tools. */
export function createMcpDoor(
  bus: Bus,
  operations: readonly Operation[],
  version: string,
  options: McpDoorOptions = {},
): McpDoor {
  const callers = new WeakMap<Request, Caller>();
  const hints = createHints(bus);
  const resources = createResources(bus);
  const makeServer = serverFactory({
    version,
    tools: createTools(bus, operations),
    resources,
    callerOf: (context) => callerOf(context, callers),
    extend: options.extend,
  });
  const makeModern = () => makeServer("listen");
  const onerror = (failure: Error) =>
    log.debug("refused a request: {reason}", { reason: failure.message });
  const modern = createMcpHandler(makeModern, { legacy: "reject", onerror });
  // Its first byte leaves at once: a client must not take a long wait for a dead server.
  const waiting = createMcpHandler(makeModern, { legacy: "reject", responseMode: "sse", onerror });
  const listening = createListening({
    hints,
    resources,
    makeServer: makeModern,
    max: options.maxListeners ?? MAX_LISTENERS,
    onerror,
  });
  const sessions = new Sessions({
    idleMs: IDLE_MS,
    max: MAX_SESSIONS,
    clock: () => performance.now(),
    ...options.sessions,
  });
  let closed = false;

  function serveModern(request: Request, body: unknown, caller: Caller): Promise<Response> {
    if (isListenRequest(body)) return listening.fetch(request, body, caller);
    return (waits(body) ? waiting : modern).fetch(request, { parsedBody: body ?? null });
  }

  async function post(request: Request, body: unknown, caller: Caller): Promise<Response> {
    if (isInitializeRequest(body) && sessions.makeRoom()) return initialize(request, body, caller);
    const id = request.headers.get(SESSION_HEADER);
    if (id === null) return serveAlone(request, body);
    const session = sessions.find(id, caller.principal);
    if (session === null) {
      return sessions.wasGivenUp(id) ? sessionNotFound() : serveAlone(request, body);
    }
    return await sessions.answer(id, () => serve(session.transport, request, body));
  }

  async function initialize(request: Request, body: unknown, caller: Caller): Promise<Response> {
    const follower = new Follower(hints, (uri) => {
      server.sendResourceUpdated({ uri }).catch(onerror);
    });
    const server = makeServer(follower);
    const transport = new Transport({ sessionIdGenerator: () => crypto.randomUUID() });
    await server.connect(transport);
    const response = await serve(transport, request, body);
    const id = transport.sessionId;
    if (id === undefined) return response;
    const { principal, revoked } = caller;
    sessions.add(id, { server, transport, follower, principal, revoked });
    return await sessions.answer(id, () => Promise.resolve(response));
  }

  /** A call without a session, or with one that is gone: answered all the same, by a server of its own. */
  async function serveAlone(request: Request, body: unknown): Promise<Response> {
    const transport = new Transport();
    await makeServer(null).connect(transport);
    return await serve(transport, request, body);
  }

  /** GET and DELETE are about a session, so without one there is nothing to do. */
  async function ofSession(request: Request, caller: Caller): Promise<Response> {
    const id = request.headers.get(SESSION_HEADER);
    if (id === null) return refuse(405, NO_SESSION_NAMED, "Only POST works without a session");
    const session = sessions.find(id, caller.principal);
    if (session === null) return sessionNotFound();
    const response = await sessions.answer(id, async () => {
      const answer = await serve(session.transport, request, undefined);
      return isStream(answer) ? session.follower.carriedBy(answer) : answer;
    });
    if (request.method === "DELETE" && response.ok) sessions.giveUp(id);
    return response;
  }

  return {
    async fetch(given, body, caller) {
      if (closed) throw new BusError("unavailable", "Cannot serve: the server is shutting down");
      const legacy = given.method !== "POST" ||
        (!namesItsRevision(body) && await isLegacyRequest(given, body ?? null));
      const request = legacy ? widened(given) : given;
      callers.set(request, { ...caller, signal: caller.signal ?? given.signal });
      if (!legacy) return withCharset(await serveModern(request, body, caller));
      if (request.method === "POST") return withCharset(await post(request, body, caller));
      if (SESSION_METHODS.has(request.method)) return withCharset(await ofSession(request, caller));
      return refuse(405, NO_SESSION_NAMED, "Only POST, GET and DELETE are served");
    },
    async close() {
      closed = true;
      // What is being answered in this turn still gets its answer.
      await new Promise((resolve) => setImmediate(resolve));
      sessions.close();
      await Promise.all([listening, modern, waiting].map((served) => served.close()));
    },
  };
}

/** Whether a message is a call that may wait for its answer. */
function waits(body: unknown): boolean {
  const { params } = (body ?? {}) as { params?: { arguments?: { wait_seconds?: unknown } } };
  return Number(params?.arguments?.wait_seconds) > 0;
}

/** A request of 2026-07-28 says so in itself; asking the SDK would have it parsed once more. */
function namesItsRevision(body: unknown): boolean {
  const { params } = (body ?? {}) as { params?: { _meta?: Record<string, unknown> } };
  return params?._meta?.[PROTOCOL_VERSION_META_KEY] !== undefined;
}

const SESSION_HEADER = "mcp-session-id";
const SESSION_METHODS = new Set(["GET", "DELETE"]);
const NO_SESSION_NAMED = -32000;
const SESSION_NOT_FOUND = -32001;

function serve(transport: Transport, request: Request, body: unknown): Promise<Response> {
  return transport.handleRequest(request, body === undefined ? {} : { parsedBody: body });
}

/** Who called, with the signal that says whether it still wants the answer. */
function callerOf(context: ServerContext, callers: WeakMap<Request, Caller>): Caller {
  const caller = context.http?.req && callers.get(context.http.req);
  if (!caller) throw new Error("A handler ran without the request that it answers");
  const progress = progressOf(context);
  // Without a session only the connection can end a call, and the caller's own signal knows.
  const ends = context.sessionId === undefined && context.mcpReq.envelope === undefined
    ? caller.signal
    : AbortSignal.any([context.mcpReq.signal, ...(caller.signal ? [caller.signal] : [])]);
  return { ...caller, ...(ends && { signal: ends }), ...(progress && { progress }) };
}

/** Tells a client that asked for it that its call is still under way. */
function progressOf({ mcpReq }: ServerContext): (() => void) | undefined {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  let progress = 0;
  return () => {
    const params = { progressToken, progress: ++progress };
    // Nobody to tell any more: the wait ends by itself.
    mcpReq.notify({ method: "notifications/progress", params }).catch(() => {});
  };
}

/**
 * The SDK wants both media types named, and curl and scripts name none or one. The body was read
 * before and travels beside the request.
 */
function widened(request: Request): Request {
  const accept = request.headers.get("accept") ?? "";
  if (accept.includes("application/json") && accept.includes("text/event-stream")) return request;
  const headers = new Headers(request.headers);
  headers.set("accept", "application/json, text/event-stream");
  return new Request(request.url, { method: request.method, headers, signal: request.signal });
}

const sessionNotFound = () => refuse(404, SESSION_NOT_FOUND, "Session not found");

/** Some clients take a stream without a charset for Latin-1. */
function withCharset(response: Response): Response {
  if (isStream(response)) {
    response.headers.set("content-type", "text/event-stream; charset=utf-8");
  }
  return response;
}

function refuse(status: 404 | 405, code: number, message: string): Response {
  const headers: HeadersInit = status === 405 ? { Allow: "POST" } : {};
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status, headers });
}
