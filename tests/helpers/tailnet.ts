/** Stands in for `tailscale serve`: what it does to a request, as its source says. */
import { request as call } from "node:http";
import { Readable } from "node:stream";

export interface Tailnet extends AsyncDisposable {
  /** The address under which the bus is mounted: `http://127.0.0.1:1234/event-bus`. */
  readonly url: string;
}

export interface TailnetOptions {
  /** Where the bus is mounted. */
  readonly mount: string;
  /** Whether the mount is left in the path, as other proxies do. */
  readonly keepsMount?: boolean;
  /** The name by which it is called. */
  readonly host: string;
  /** Whose device calls; nobody's for one that is shared with the world. */
  readonly login: string | null;
}

/**
 * A proxy before the bus at `target`. It takes the mount off the path, says under which name and by
 * whom it was called, and lets nobody else say so.
 */
export function tailnet(target: string, options: TailnetOptions): Tailnet {
  const { mount, keepsMount = false, host, login } = options;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      if (!pathname.startsWith(mount)) return new Response("no handler", { status: 404 });
      const path = keepsMount ? pathname : pathname.slice(mount.length) || "/";
      const headers = new Headers(request.headers);
      for (const name of [...headers.keys()]) {
        if (/^(tailscale-|x-forwarded-|forwarded$)/.test(name)) headers.delete(name);
      }
      headers.set("host", host);
      headers.set("x-forwarded-host", host);
      headers.set("x-forwarded-proto", "https");
      headers.set("x-forwarded-for", "100.64.0.7");
      if (login !== null) headers.set("tailscale-user-login", login);
      const body = request.body === null ? null : await request.arrayBuffer();
      return await forward(target, `${path}${search}`, request, headers, body);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}${mount}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Passes a request on under another name; `fetch` would say its own. */
function forward(
  target: string,
  path: string,
  { method, signal }: Request,
  headers: Headers,
  body: ArrayBuffer | null,
): Promise<Response> {
  const { hostname, port } = new URL(target);
  return new Promise((resolve, reject) => {
    const asking = call({
      host: hostname,
      port,
      path,
      method,
      headers: Object.fromEntries(headers),
      agent: false,
      signal,
    }, (answer) => {
      const { statusCode = 502 } = answer;
      const said = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
      const text = statusCode === 204 ? null : Readable.toWeb(answer) as ReadableStream;
      resolve(new Response(text, { status: statusCode, headers: said as [string, string][] }));
    });
    asking.on("error", reject);
    asking.end(body === null ? undefined : new Uint8Array(body));
  });
}
