/** The doors over HTTP: the whole route table, and how a refusal looks. */
import { getLogger } from "@logtape/logtape";
import { type Context, Hono } from "hono";
import { getPathNoStrict } from "hono/utils/url";
import type { Bus, Caller } from "../bus.ts";
import type { HookDoor } from "../hooks/door.ts";
import { BusError, errorBody, type ErrorCode, quoted } from "../errors.ts";
import { METRICS_TYPE } from "../metrics.ts";
import { audit } from "../operations/audit.ts";
import { metrics } from "../operations/metrics.ts";
import type { Operation } from "../operations/operation.ts";
import { perform } from "../operations/perform.ts";
import { createGuard, type GuardRules } from "./guard.ts";
import { BODY_MS, MAX_BODY_BYTES } from "./limits.ts";
import { openApi } from "./openapi.ts";
import { createStreams, type StreamLimits } from "./stream.ts";

export interface Parts {
  readonly bus: Bus;
  readonly operations: readonly Operation[];
  readonly version: string;
  readonly rules: GuardRules;
  /** A path under which everything is served as well, for a proxy that leaves it in: `/event-bus`. */
  readonly basePath?: string | undefined;
  /** Answers a request to `/mcp`; `body` is the parsed JSON of a POST. */
  readonly mcp: (request: Request, body: unknown, caller: Caller) => Promise<Response>;
  /** Answers the hooks of Claude Code. */
  readonly hooks: HookDoor;
  /** What `/health` says. */
  readonly health: () => Health | Promise<Health>;
  /** Other limits of streams than the usual, in tests. */
  readonly streamLimits?: StreamLimits | undefined;
  /** Another patience with bodies than the usual, in tests. */
  readonly bodyMs?: number | undefined;
}

export interface Health {
  /** Degraded: it is read from, but what is published is refused. */
  status: "ok" | "degraded" | "unavailable";
  [fact: string]: string | number | boolean | null;
}

/** What the server hands in with each request. */
export interface Peer {
  peer: string;
  /** Resolves when the answer is out, or nobody takes it; without it, it counts as out at once. */
  completed?: (() => Promise<void>) | undefined;
}

type Door = { Bindings: Peer; Variables: { caller: Caller; bodyMs: number } };

const STATUS = {
  invalid_argument: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  session_ended: 410,
  conflict: 409,
  too_large: 413,
  too_many: 429,
  unsupported_media_type: 415,
  // Nobody reads this answer; the number is what proxies log for a client that closed the request.
  caller_left: 499,
  unavailable: 503,
  internal: 500,
} as const satisfies Record<ErrorCode, number>;

const log = getLogger(["event-bus", "http"]);

/** The application: hand it requests with `app.fetch(request, { peer })`. */
export function createApp(parts: Parts): Hono<Door> {
  const { bus, operations, version, rules, mcp, hooks, health, streamLimits } = parts;
  const app = new Hono<Door>({ getPath: pathBelow(parts.basePath ?? "") });
  const guard = createGuard(rules, bus.credentials);
  const byName = new Map(operations.map((operation) => [operation.name, operation]));
  const description = openApi(operations, version);
  const streams = createStreams(bus, streamLimits);

  const answer = async (c: Context<Door>, name: string, args: unknown) => {
    const operation = byName.get(name);
    if (operation === undefined) {
      throw new BusError("not_found", `No operation is called ${quoted(name)}`);
    }
    return c.json(await perform(bus, operation, args, c.var.caller) as object);
  };

  const refuse = (c: Context<Door>, failure: unknown) => {
    const { code, answer } = refusal(c, failure);
    bus.metrics.refused(doorOf(c.req.path), code);
    if (c.req.path.startsWith("/hooks/") && c.var.caller !== undefined) auditHook(c, code);
    // A hook holds whatever its session read or was given; that this is much is no failure that its
    // user should be shown. What it would have been told, the next one is.
    const isLargeHook = code === "too_large" && c.req.path === "/hooks/claude-code";
    return isLargeHook ? c.body(null, 204) : answer;
  };

  app.onError((thrown, c) => refuse(c, thrown));
  app.notFound((c) =>
    refuse(
      c,
      new BusError(
        "not_found",
        `Nothing is at ${c.req.method} ${quoted(c.req.path)}; /openapi.json lists what there is`,
      ),
    )
  );
  app.use((c, next) => {
    c.set("caller", admitted(guard, c));
    c.set("bodyMs", parts.bodyMs ?? BODY_MS);
    const { headers } = c.req.raw;
    if (!/^(identity)?$/i.test(headers.get("content-encoding") ?? "")) throw compressed();
    if (Number(headers.get("content-length")) > MAX_BODY_BYTES) throw tooLarge();
    return next();
  });

  app.get("/health", async (c) => {
    const facts = await health();
    return c.json(facts, facts.status === "unavailable" ? 503 : 200);
  });
  app.get(
    "/metrics",
    (c) => c.body(metrics(bus, c.var.caller), 200, { "Content-Type": METRICS_TYPE }),
  );
  app.get("/openapi.json", (c) => c.json(description));
  app.get("/v1/events/stream", (c) => streams(c.req.raw, c.var.caller));
  app.post("/v1/:operation", async (c) => answer(c, c.req.param("operation"), await json(c)));
  app.post("/publish/:channel{.+}", async (c) => {
    const { type = "message", tags, ...labels } = c.req.query();
    return answer(c, "publish_event", {
      ...labels,
      ...(tags === undefined ? {} : { tags: tags.split(",") }),
      event_type: type,
      channel: c.req.param("channel"),
      payload: await text(c),
    });
  });
  app.post("/hooks/claude-code", async (c) => {
    const { output, sessionId, ack, sent } = await hooks.answer(
      await json(c),
      c.req.query(),
      c.var.caller,
    );
    if (sessionId !== null) c.header("Event-Bus-Session", encodeURIComponent(sessionId));
    if (ack !== null) c.header("Event-Bus-Ack", ack);
    const { completed } = c.env;
    if (sent !== null && completed === undefined) await sent();
    else if (sent !== null) completed?.().then(sent).catch(notSent);
    // An empty answer is the only one that leaves no trace in the client.
    return output === null ? c.body(null, 204) : c.json(output);
  });
  app.post("/hooks/claude-code/wait", async (c) => {
    const summons = await hooks.wait(await json(c), c.req.query(), c.var.caller);
    return c.json(summons);
  });
  app.post("/hooks/claude-code/ack", async (c) => {
    const body = await json(c) as { ack?: unknown } | null;
    return c.json({ success: await hooks.acknowledge(body?.ack, c.var.caller) });
  });
  app.post("/mcp", async (c) => {
    try {
      return await mcp(c.req.raw, await json(c), { ...c.var.caller, path: "tool" });
    } catch (thrown) {
      return asJsonRpc(refuse(c, thrown));
    }
  });
  app.on(
    ["GET", "DELETE"],
    "/mcp",
    (c) => mcp(c.req.raw, undefined, { ...c.var.caller, path: "tool" }),
  );
  return app;
}

/** Who is calling; whoever is not let in is on record, too. */
function admitted(guard: ReturnType<typeof createGuard>, c: Context<Door>): Caller {
  const started = performance.now();
  try {
    return guard(c.req.raw, c.env.peer);
  } catch (refusal) {
    audit({
      principal: null,
      peer: c.env.peer,
      operation: doorOf(c.req.path),
      session_id: null,
      result: errorBody(refusal).code,
      ms: Math.round((performance.now() - started) * 10) / 10,
    });
    throw refusal;
  }
}

/** Which door was knocked at; the rest of a path may hold anything. */
function doorOf(path: string): string {
  return path.match(/^\/(mcp|v1|publish|hooks|health|metrics|openapi\.json)(?=\/|$)/)?.[0] ??
    "elsewhere";
}

/** The path of a request without a slash at its end, or a prefix that its proxy left in. */
function pathBelow(prefix: string): (request: Request) => string {
  if (prefix === "") return getPathNoStrict;
  return (request) => {
    const path = getPathNoStrict(request);
    const isBelow = path === prefix || path.startsWith(`${prefix}/`);
    return isBelow ? path.slice(prefix.length) || "/" : path;
  };
}

/** How a refusal looks, and its code. */
function refusal(c: Context, failure: unknown): { code: ErrorCode; answer: Response } {
  const thrown = CUT.some((kind) => failure instanceof kind) ? bodyCut() : failure;
  if (!(thrown instanceof BusError)) {
    log.error("{method} {path} failed: {failure}", {
      method: c.req.method,
      path: c.req.path,
      failure: thrown,
    });
  }
  const body = errorBody(thrown);
  const headers = { "Content-Type": "application/json; charset=utf-8" };
  if (typeof body.retry_after_seconds === "number") {
    Object.assign(headers, { "Retry-After": String(body.retry_after_seconds) });
  }
  if (body.code === "unauthenticated") Object.assign(headers, { "WWW-Authenticate": "Bearer" });
  const answer = new Response(JSON.stringify(body), { status: STATUS[body.code], headers });
  return { code: body.code, answer };
}

/** A refusal before the protocol was reached, in the envelope that its clients can read. */
async function asJsonRpc(refusal: Response): Promise<Response> {
  const { error, code } = await refusal.json();
  const number = code === "invalid_argument" ? -32700 : -32603;
  const body = {
    jsonrpc: "2.0",
    id: null,
    error: { code: number, message: error, data: { code } },
  };
  return Response.json(body, { status: refusal.status });
}

/** The JSON body of a request that says it has one; an empty body is no arguments. */
async function json(c: Context): Promise<unknown> {
  const type = c.req.header("content-type") ?? "";
  if (!/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type)) {
    throw new BusError(
      "unsupported_media_type",
      `Cannot read a body of type ${quoted(type)}: send Content-Type: application/json`,
    );
  }
  const body = await text(c);
  try {
    return body === "" ? {} : JSON.parse(body);
  } catch (failure) {
    throw new BusError(
      "invalid_argument",
      `Cannot read the body as JSON: ${(failure as Error).message}`,
    );
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The body as text; bytes that are not UTF-8 are refused, not silently replaced. */
async function text(c: Context): Promise<string> {
  const bytes = await inTime(bytesOf(c.req.raw), c.get("bodyMs"));
  try {
    return decoder.decode(bytes);
  } catch {
    throw new BusError("invalid_argument", "Cannot read the body: it is not UTF-8 text");
  }
}

/** A size that was announced holds; else the bytes are counted as they come. */
async function bytesOf(request: Request): Promise<ArrayBuffer> {
  const { headers } = request;
  const isAnnounced = headers.has("content-length") && !headers.has("transfer-encoding");
  if (isAnnounced || request.body === null) return await request.arrayBuffer();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return await new Blob(chunks).arrayBuffer();
}

/** What a body holds, when all of it comes in time. */
async function inTime<T>(body: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      late.reject(
        new BusError("unavailable", `Cannot read the body: it did not come within ${ms} ms`),
      ),
    ms,
  );
  try {
    return await Promise.race([body, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Operations are audited where they are performed; hooks that are done, by their own door. */
function auditHook(c: Context<Door>, code: ErrorCode): void {
  const { principal, peer } = c.var.caller;
  audit({ principal, peer, operation: "hook", session_id: null, result: code, ms: 0 });
}

/** What was shown stays to be shown again; a client that has gone is none of our troubles. */
function notSent(failure: unknown): void {
  log.debug("what a hook was answered does not count as read: {failure}", { failure });
}

/** How the runtime says that the rest of a body never came. */
const CUT = [Deno.errors.BadResource, Deno.errors.Http];

/** Its sender left or sent nonsense, or the server was told to stop meanwhile. */
function bodyCut(): BusError {
  return new BusError("unavailable", "Cannot read the body: the connection or server is closing");
}

/** Unpacked, a small body may be of any size; and nobody needs it for a message. */
function compressed(): BusError {
  return new BusError("unsupported_media_type", "Cannot read a compressed body: send it as it is");
}

function tooLarge(): BusError {
  return new BusError(
    "too_large",
    `Cannot read a body of more than ${MAX_BODY_BYTES} bytes`,
    { limit: MAX_BODY_BYTES },
  );
}
