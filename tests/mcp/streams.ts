/** What tests need to talk in streams: legs of the door, messages as they come, and patience. */
import { type Harness, INITIALIZE, MODERN_META, post, type Rpc } from "./harness.ts";

// deno-lint-ignore no-explicit-any -- messages are looked at field by field
export type Message = Rpc & { method?: string; params?: any };

export interface Stream {
  readonly response: Response;
  /** The next message; null when the stream has ended. */
  next(): Promise<Message | null>;
  /** Leaves, as a client that closes its connection. */
  leave(): Promise<void>;
}

/** The messages of a streamed answer, in order; comments are passed over. */
export function streamOf(response: Response): Stream {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    response,
    async next() {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end !== -1) {
          const frame = text.slice(0, end);
          text = text.slice(end + 2);
          const data = frame.split("\n").find((line) => line.startsWith("data: "));
          if (data !== undefined) return JSON.parse(data.slice("data: ".length));
          continue;
        }
        const { done, value } = await reader?.read() ?? { done: true, value: undefined };
        if (done) return null;
        text += value;
      }
    },
    leave: async () => await reader?.cancel(),
  };
}

/** One way of the protocol to make a request. */
export interface Leg {
  /** What has to be said before; answers what every request then carries. */
  open(bus: Harness): Promise<Record<string, string>>;
  /** The headers and the body of a request for `method`. */
  request(
    method: string,
    params: Record<string, unknown>,
    opened: Record<string, string>,
  ): { headers: Record<string, string>; body: string };
}

const COMMON = {
  "Content-Type": "application/json",
  Accept: "application/json, text/event-stream",
};

const plain: Leg["request"] = (method, params, opened) => ({
  headers: { ...COMMON, ...opened },
  body: JSON.stringify({ jsonrpc: "2.0", id: "r-1", method, params }),
});

/** Initializes and answers the header that names the session. */
export async function sessionOf(bus: Harness): Promise<Record<string, string>> {
  const response = await post(bus, INITIALIZE);
  await response.text();
  return { "Mcp-Session-Id": response.headers.get("mcp-session-id") ?? "" };
}

/** The three ways in which a request can reach the door. */
export const LEGS: Record<string, Leg> = {
  "without a session": { open: () => Promise.resolve({}), request: plain },
  "in a session": { open: sessionOf, request: plain },
  "of 2026-07-28": {
    open: () => Promise.resolve({}),
    request(method, params) {
      const name = params.name ?? params.uri;
      const { _meta, ...rest } = params;
      return {
        headers: {
          ...COMMON,
          "MCP-Protocol-Version": "2026-07-28",
          "Mcp-Method": method,
          ...(typeof name === "string" ? { "Mcp-Name": name } : {}),
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: "r-1",
          method,
          params: { ...rest, _meta: { ...MODERN_META, ...(_meta as object | undefined) } },
        }),
      };
    },
  },
};

/** Sends a request by a leg, over the socket at `url`. */
export async function send(
  url: string,
  leg: Leg,
  opened: Record<string, string>,
  method: string,
  params: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<Stream> {
  const { headers, body } = leg.request(method, params, opened);
  const init = { method: "POST", headers, body, ...(signal ? { signal } : {}) };
  return streamOf(await fetch(url, init));
}

/** Lets everything else run until `condition` holds; what never comes fails by name. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Never came: ${what}`);
    await turn();
  }
}

/** One turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
