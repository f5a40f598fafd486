/** What callers send, in the server's log and the audit log: no line is forged, and none is broken. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Home, tempHome } from "../helpers/home.ts";
import { serve, type Served, SUBJECT } from "../helpers/process.ts";
import { OPERATIONS } from "../../src/operations/all.ts";

const FORGED = "2026-01-08T12:00:00.000Z [INFO] event-bus·server: forged";
/** Ends a line, or what a viewer takes for one, and begins another; or acts on a terminal. */
const BREAKS = [
  `\r\n${FORGED}`,
  `\n${FORGED}\n`,
  `\u2028${FORGED}`,
  `\u0085${FORGED}`,
  `"}\n{"principal":"forged"}`,
  "\u001b[2J\u001b]0;forged\u0007",
  "\u202eforged\u202c",
  "%0d%0aforged",
  "{forged} {operation} {{",
];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Sends bytes as they are and reads the answer to its end, which may come as a cut. */
async function raw(server: Served, request: string, isAll = false): Promise<string> {
  const { hostname, port } = new URL(server.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const bytes = encoder.encode(request);
  let answer = "";
  try {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
    // Else it would wait for the rest of what is no whole request.
    if (isAll) await connection.closeWrite();
    const buffer = new Uint8Array(16 * 1024);
    for (;;) {
      const size = await connection.read(buffer);
      if (size === null) break;
      answer += decoder.decode(buffer.subarray(0, size));
    }
  } catch (failure) {
    assert.ok(
      failure instanceof Deno.errors.ConnectionReset || failure instanceof Deno.errors.BrokenPipe,
      String(failure),
    );
  }
  return answer;
}

const get = (host: string, path: string, more = "") =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`;

/** Everything that may come to stand in a log: arguments, paths, headers, and what fails. */
async function throwAt(server: Served): Promise<void> {
  const { host } = new URL(server.url);
  for (const text of BREAKS) {
    const args = { session_id: text, client_id: text, name: text, channel: text, cursor: text };
    const more = { event_type: text, payload: text, path: `/no/${text}`, url: `http://${text}/` };
    for (const { name } of OPERATIONS) {
      await server.call(name, { ...args, ...more });
      await server.call(name, { [text]: text });
    }
    const { properties } = { properties: { ...args, ...more } as Record<string, string> };
    for (const { name, inputSchema } of OPERATIONS) {
      const known = Object.keys(inputSchema.properties as object).filter((key) =>
        key in properties
      );
      await server.call(name, Object.fromEntries(known.map((key) => [key, properties[key]])));
    }
    const path = encodeURIComponent(text);
    for (const where of [`/${path}`, `/v1/${path}`, `/publish/${path}?session_id=${path}`]) {
      for (const method of ["GET", "POST", "DELETE"]) {
        const answer = await fetch(server.url + where, { method });
        await answer.body?.cancel();
      }
    }
    // What no client of HTTP would send.
    const bare = text.replaceAll("\r\n", "\n");
    for (
      const name of ["User-Agent", "X-Forwarded-For", "Origin", "Authorization", "Event-Bus-Path"]
    ) {
      await raw(server, get(host, "/health", `${name}: ${bare}\r\n`), true);
      await raw(server, get(host, "/health", `${name}: ${path}\r\n`));
    }
    await raw(server, get(bare, "/health"), true);
    await raw(server, get(path, "/health"));
    await raw(server, get(host, `/${bare}`), true);
    await raw(server, `${bare} / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, true);
  }
}

const AUDIT_FIELDS = ["time", "principal", "peer", "operation", "session_id", "result", "ms"];
const LINE =
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[(DEBUG|INFO|WARNING|ERROR)\] event-bus·\w+: /;

/** What nobody sees, what ends lines, and what turns them around. */
const ACTING = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]--\n]/v;

function linesOf(home: Home, name: string): string[] {
  const text = Deno.readTextFileSync(join(home.dataDir, name));
  assert.doesNotMatch(text, ACTING, name);
  assert.ok(text.endsWith("\n"), name);
  return text.slice(0, -1).split("\n");
}

Deno.test(`${SUBJECT} serve: nothing that callers send forges or breaks a line of its logs`, async () => {
  using home = tempHome();
  {
    await using server = await serve({ home, env: { EVENT_BUS_LOG_LEVEL: "debug" } });
    await throwAt(server);
    assert.equal((await server.call("list_sessions")).error, undefined, "it is well");
  }
  const operations = new Set([
    ...OPERATIONS.map(({ name }) => name),
    ...["/mcp", "/v1", "/publish", "/hooks", "/health", "/openapi.json", "elsewhere"],
    ...["stream_events", "/metrics", "get_metrics"],
  ]);
  const audit = linesOf(home, "audit.log");
  for (const line of audit) {
    const record = JSON.parse(line);
    assert.deepEqual(Object.keys(record), AUDIT_FIELDS);
    assert.match(line, /^[\x20-\x7e]*$/);
    assert.ok(operations.has(record.operation), line);
    assert.ok(record.principal === null || record.principal === "loopback", line);
  }
  assert.ok(audit.length > OPERATIONS.length * BREAKS.length, "each call is there");
  for (const line of linesOf(home, "event-bus.log")) {
    assert.match(line, LINE);
    const { length } = line.split(FORGED);
    assert.ok(length === 1 || !line.startsWith(FORGED), line);
  }
});

Deno.test(`${SUBJECT} serve: nothing that callers send becomes a header of an answer`, async () => {
  using home = tempHome();
  await using server = await serve({ home });
  const { host } = new URL(server.url);
  const forged = "X-Forged: yes";
  const tries = [
    get(host, `/%0d%0a${forged.replace(" ", "%20")}`),
    get(host, "/health", `Origin: http://x%0d%0a${forged}\r\n`),
    get(host, "/v1/events/stream?session_id=%0d%0aX-Forged:%20yes"),
    get(`evil%0d%0a${forged}`, "/health"),
  ];
  for (const request of tries) {
    const answer = await raw(server, request);
    assert.match(answer, /^HTTP\/1\.1 4\d\d /, request);
    const [head = ""] = answer.split("\r\n\r\n");
    assert.doesNotMatch(head, /^x-forged/im, request);
  }
  // Two lengths, or a length and chunks, are how requests are smuggled past a proxy.
  const smuggled = (headers: string) =>
    `POST /v1/list_sessions HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
    `${headers}\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: ${host}\r\n` +
    "Connection: close\r\n\r\n";
  for (
    const headers of [
      "Content-Length: 2\r\nContent-Length: 100",
      "Transfer-Encoding: chunked, identity",
      "Transfer-Encoding: xchunked",
      "Content-Length: +2",
      "Content-Length: 0x2",
    ]
  ) {
    const answer = await raw(server, smuggled(headers));
    assert.match(answer, /^HTTP\/1\.1 400 /, `${headers}: ${answer}`);
    assert.doesNotMatch(answer, /smuggled/);
  }
});
