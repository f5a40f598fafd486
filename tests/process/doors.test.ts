import assert from "node:assert/strict";
import { tempHome } from "../helpers/home.ts";
import { serve, SUBJECT } from "../helpers/process.ts";

interface Sent {
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Sends bytes as a browser or an attacker could, which no client library would. */
async function send(url: string, { path, headers = {}, body = "{}" }: Sent): Promise<string> {
  const { hostname, port, host } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const lines = Object.entries({
    Host: host,
    Connection: "close",
    "Content-Type": "application/json",
    "Content-Length": String(body.length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
  return await exchange(connection, request);
}

/** Writes and reads at the same time: an answer may come before everything was sent. */
async function exchange(
  connection: Deno.TcpConn,
  request: string,
  after: () => Promise<void> = () => Promise.resolve(),
): Promise<string> {
  const written = new Response(request).body
    ?.pipeTo(connection.writable, { preventAbort: true, preventClose: true })
    .then(after)
    .catch(() => {});
  let answer = "";
  const decoder = new TextDecoder();
  try {
    for await (const chunk of connection.readable) answer += decoder.decode(chunk);
  } catch (failure) {
    // Cut off while we were still sending; what was answered before that is there.
    if (!(failure instanceof Deno.errors.ConnectionReset)) throw failure;
  }
  await written;
  return answer;
}

const MEGABYTES = "x".repeat(2 * 1024 * 1024);
const LIST = "/v1/list_sessions";

/** What must not get through, and how it is told so. */
const REFUSED: [what: string, sent: Sent, status: number, error: RegExp][] = [
  ["a wrong Host", { path: LIST, headers: { Host: "evil.example" } }, 403, /allowed_hosts/],
  ["a wrong Origin", { path: LIST, headers: { Origin: "http://evil.example" } }, 403, /origins/],
  ["an Origin null", { path: LIST, headers: { Origin: "null" } }, 403, /origin .*null/],
  ["a page's request", { path: LIST, headers: { "Sec-Fetch-Site": "cross-site" } }, 403, /page/],
  ["a missing token", { path: LIST, headers: { "X-Forwarded-For": "1.2.3.4" } }, 401, /token/],
  ["2 MB", { path: "/v1/publish_event", body: MEGABYTES }, 413, /more than \d+ bytes/],
  ["2 MB of text", { path: "/publish/all", body: MEGABYTES }, 413, /more than \d+ bytes/],
  ["2 MB for MCP", { path: "/mcp", body: MEGABYTES }, 413, /more than \d+ bytes/],
  ["invalid JSON", { path: LIST, body: "{" }, 400, /JSON/],
  ["invalid JSON for MCP", { path: "/mcp", body: "{" }, 400, /JSON/],
  ["a form", { path: LIST, headers: { "Content-Type": "text/plain" } }, 415, /application\/json/],
  ["an unknown door", { path: "/v2/list_sessions" }, 404, /openapi/],
];

Deno.test(`${SUBJECT} serve: what must not get through gets a clear error, and none harms the next call`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  for (const [what, sent, status, error] of REFUSED) {
    const answer = await send(server.url, sent);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), what);
    assert.match(answer.slice(answer.indexOf("\r\n\r\n")), error, what);
    assert.deepEqual(await server.call("list_sessions"), [], `after ${what}`);
  }
});

Deno.test(`${SUBJECT} serve: bytes that are no request end their own connection alone`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const { hostname, port } = new URL(server.url);
  const noise = [
    "\r\n\r\n\r\n",
    "GET\r\n\r\n",
    "POST / HTTP/9.9\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    `GET /${"x".repeat(200_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: localhost\r\n${"X: y\r\n".repeat(20_000)}\r\n`,
    "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{}",
    "POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
  ];
  for (const bytes of noise) {
    const connection = await Deno.connect({ hostname, port: Number(port) });
    assert.doesNotMatch(
      await exchange(connection, bytes, () => connection.closeWrite()),
      /^HTTP\/1.1 500/,
      JSON.stringify(bytes.slice(0, 60)),
    );
    assert.deepEqual(await server.call("list_sessions"), []);
  }
});

Deno.test(`${SUBJECT} serve: a caller who leaves in the middle of a body harms nobody and is no error of ours`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const { hostname, port, host } = new URL(server.url);
  for (const length of ["Content-Length: 100", "Transfer-Encoding: chunked"]) {
    const connection = await Deno.connect({ hostname, port: Number(port) });
    const head = `POST /v1/publish_event HTTP/1.1\r\nHost: ${host}\r\n${length}\r\n` +
      `Content-Type: application/json\r\n\r\n`;
    await connection.write(new TextEncoder().encode(`${head}2\r\n{"`));
    connection.close();
    assert.deepEqual((await server.call("get_events")).events, []);
  }
  assert.equal(await server.stop(), 0);
  const log = Deno.readTextFileSync(`${home.dataDir}/event-bus.log`);
  assert.doesNotMatch(log, /\[ERROR\]/);
});
