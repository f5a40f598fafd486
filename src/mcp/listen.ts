/**
 * `subscriptions/listen` of 2026-07-28: a stream of its own for each request that asks for hints. The
 * SDK knows the protocol; here each stream gets its own source of changes, so that one which is not
 * read holds up nothing and costs nothing.
 */
import {
  createMcpHandler,
  type McpHttpHandler,
  type McpServerFactory,
  type ServerEvent,
} from "@modelcontextprotocol/server";
import type { Caller } from "../bus.ts";
import { Follower } from "./follower.ts";
import type { Hints } from "./hints.ts";
import { isStream } from "./relay.ts";
import type { Resources } from "./resources.ts";

/** Around 120 kB each, connection included; more readers than this want a bus of their own. */
export const MAX_LISTENERS = 1000;

export interface Listening {
  /** Answers a `subscriptions/listen` request. */
  fetch(request: Request, body: ListenRequest, caller: Caller): Promise<Response>;
  /** Ends every stream, politely. */
  close(): Promise<void>;
}

/** What is looked at before the SDK checks the rest. */
export interface ListenRequest {
  readonly id?: unknown;
  readonly params?: { readonly notifications?: { readonly resourceSubscriptions?: unknown } };
}

export interface ListeningParts {
  readonly hints: Hints;
  readonly resources: Resources;
  readonly makeServer: McpServerFactory;
  readonly max: number;
  readonly onerror: (failure: Error) => void;
}

export function isListenRequest(body: unknown): body is ListenRequest {
  return (body as { method?: unknown } | null)?.method === "subscriptions/listen";
}

export function createListening(
  { hints, resources, makeServer, max, onerror }: ListeningParts,
): Listening {
  const open = new Set<McpHttpHandler>();

  /** What can be followed of what is asked for; the acknowledgement names it. */
  function follow(asked: readonly unknown[], follower: Follower, caller: Caller): unknown[] {
    return asked.filter((uri) => {
      if (typeof uri !== "string") return true;
      try {
        return resources.subscribe(uri, follower, caller);
      } catch {
        return false;
      }
    });
  }

  return {
    async fetch(request, body, caller) {
      if (open.size >= max) return full(body.id, max);
      let publish: (event: ServerEvent) => void = () => {};
      const follower = new Follower(hints, (uri) => publish({ kind: "resource_updated", uri }));
      const asked = body.params?.notifications?.resourceSubscriptions;
      const parsedBody = Array.isArray(asked)
        ? withSubscriptions(body, follow(asked, follower, caller))
        : body;
      const bus = {
        publish() {},
        subscribe(listener: (event: ServerEvent) => void) {
          publish = listener;
          return () => void (publish = () => {});
        },
      };
      const handler = createMcpHandler(makeServer, { legacy: "reject", bus, onerror });
      const { revoked } = caller;
      const revoke = () => void handler.close();
      revoked?.addEventListener("abort", revoke, { once: true });
      const forget = () => {
        revoked?.removeEventListener("abort", revoke);
        follower.end();
        open.delete(handler);
      };
      open.add(handler);
      let carried = false;
      try {
        const response = await handler.fetch(request, { parsedBody });
        carried = isStream(response);
        return carried ? follower.carriedBy(response, forget) : response;
      } finally {
        if (!carried) forget();
      }
    },
    async close() {
      await Promise.all([...open].map((handler) => handler.close()));
    },
  };
}

function withSubscriptions(body: ListenRequest, resourceSubscriptions: unknown[]): ListenRequest {
  const notifications = { ...body.params?.notifications, resourceSubscriptions };
  return { ...body, params: { ...body.params, notifications } };
}

function full(id: unknown, max: number): Response {
  const message = `Cannot open another stream: ${max} are open, which is the limit`;
  return Response.json({ jsonrpc: "2.0", id: id ?? null, error: { code: -32603, message } });
}
