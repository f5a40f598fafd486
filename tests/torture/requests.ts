/** Requests as nobody in their right mind would send them: what the fuzz tests throw at the doors. */
import fc from "fast-check";
import { OPERATIONS } from "../../src/operations/all.ts";
import type { JsonSchema } from "../../src/operations/operation.ts";

export interface Thrown {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array<ArrayBuffer> | null;
}

/** Names that exist, or mean something somewhere. */
const NAMES = [
  ...["", "0", "1", "-1", "9".repeat(30), "1e999", "NaN", "null", "undefined", "true"],
  ...["all", "session:", "session:fuzz", "repo:x", "machine:", "anonymous", "fuzz", "main"],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "then", "length"],
  ...["desc", "asc", "info", "lifecycle", "actionable", "session_registered"],
  ...["'; DROP TABLE event; --", '" OR 1=1', "%", "_", "*", "../../etc/passwd", "$(id)", "`id`"],
  ...["\0", "a\0b", "\ud800", "\udfff\ud800", "\ufeff", "\u202e", "\r\n", "\u001b[2J", "\u2028"],
  ...["é", "e\u0301", "日本語", "🦦", "👩‍👩‍👧", "x".repeat(129), "x".repeat(513), "x".repeat(10_000)],
];

const text = fc.oneof(
  fc.constantFrom(...NAMES),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
);

const number = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 50, 1000, 1001, 1.5, 1e21, 1e308, 2 ** 53, -(2 ** 63)),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

const scalar = fc.oneof(text, number, fc.boolean(), fc.constant(null));

/** Objects that JSON can hold; also with keys that JavaScript treats in its own way. */
const junk: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie("value")), { maxLength: 4 }).map(entries),
  ),
})).value;

/** An object whose `__proto__` is a key like any other. */
function entries(pairs: readonly [string, unknown][]): unknown {
  const object = Object.create(null);
  for (const [key, value] of pairs) {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true });
  }
  return object;
}

/** What a schema asks for, mostly. */
function valueFor(schema: JsonSchema): fc.Arbitrary<unknown> {
  const good = goodFor(schema);
  return fc.oneof({ weight: 6, arbitrary: good }, { weight: 1, arbitrary: junk });
}

function goodFor(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "string":
      return text;
    case "integer":
      return fc.oneof(fc.integer({ min: 0, max: 1000 }), text);
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(valueFor(schema.items as JsonSchema), { maxLength: 3 });
    default:
      return junk;
  }
}

/** Fields in which anything at all would reach beyond the test, or hold it up. */
const TAMED: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  path: fc.constantFrom("", "x", "../x", ":memory:", "/no/such/folder/x", "/dev/null", 1, null, []),
  wait_seconds: fc.constantFrom(0, -1, 301, 1e9, "0", "soon", null),
};

const argumentsOf = (schema: JsonSchema): fc.Arbitrary<unknown> => {
  const properties = schema.properties as Record<string, JsonSchema>;
  const required = (schema.required ?? []) as string[];
  const fields = Object.fromEntries(
    Object.entries(properties).map((
      [name, property],
    ) => [name, TAMED[name] ?? valueFor(property)]),
  );
  return fc.record(fields, { requiredKeys: required });
};

/** The operations with arguments that are nearly right, wrong, or nothing of the kind. */
const call = fc.oneof(
  ...OPERATIONS.map(({ name, inputSchema }) =>
    fc.record({
      name: fc.constant(name),
      args: fc.oneof(
        { weight: 5, arbitrary: argumentsOf(inputSchema) },
        { weight: 1, arbitrary: junk },
      ),
    })
  ),
);

const DEEP = 20_000;
const RAW_BODIES = [
  "",
  "{",
  "nul",
  "[]",
  "{}",
  "\ufeff{}",
  '{"a":1,"a":2}',
  '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
  '{"event_type":"t","payload":"\\ud800"}',
  '{"event_type":"t","payload":"\\u0000"}',
  `{"limit":${"9".repeat(400)}}`,
  `{"limit":1e400}`,
  "[".repeat(DEEP) + "]".repeat(DEEP),
  `${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}`,
  `{"event_type":"t","payload":${"[".repeat(DEEP)}${"]".repeat(DEEP)}}`,
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"notify","arguments":${
    '{"a":'.repeat(DEEP)
  }1${"}".repeat(DEEP)}}}`,
  `{"event_type":"t","payload":"${"x".repeat(300_000)}"}`,
  `[${"{},".repeat(5000)}{}]`,
];

const rawBody: fc.Arbitrary<string | Uint8Array<ArrayBuffer>> = fc.oneof(
  fc.constantFrom(...RAW_BODIES),
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from(bytes)),
  // Right until somewhere in the middle.
  fc.tuple(call, fc.nat(200)).map(([{ args }, end]) => JSON.stringify(args).slice(0, end)),
);

const JSON_TYPE = { "content-type": "application/json" };

/** Headers that change how a request is read. */
const oddHeaders = fc.record({
  "content-type": fc.constantFrom(
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    ";;;",
  ),
  accept: fc.constantFrom("*/*", "text/event-stream", "application/json", "image/png", ""),
  "mcp-protocol-version": fc.constantFrom("2025-11-25", "2024-11-05", "2026-07-28", "tomorrow"),
  "mcp-session-id": fc.constantFrom("nobody", "", "x".repeat(1000)),
  "last-event-id": fc.constantFrom("0", "-1", "x"),
}, { requiredKeys: [] });

const v1 = call.map(({ name, args }): Thrown => ({
  method: "POST",
  path: `/v1/${name}`,
  headers: JSON_TYPE,
  body: JSON.stringify(args),
}));

const raw = fc.record({
  method: fc.constant("POST"),
  path: fc.oneof(
    fc.constantFrom("/mcp", "/mcp/", "/publish/all", "/publish/session:fuzz"),
    fc.constantFrom(...OPERATIONS.map(({ name }) => `/v1/${name}`)),
    text.map((name) => `/v1/${encoded(name)}`),
  ),
  headers: fc.oneof(fc.constant(JSON_TYPE), oddHeaders.map(withoutAbsent)),
  body: rawBody,
});

const published = fc.record({
  method: fc.constant("POST"),
  path: fc.tuple(text, fc.array(fc.tuple(parameter(), text), { maxLength: 4 })).map((
    [channel, query],
  ) => `/publish/${encoded(channel)}?${query.map(([k, v]) => `${k}=${encoded(v)}`).join("&")}`),
  headers: fc.constant({}),
  body: fc.oneof(text.map((payload) => payload.toWellFormed()), rawBody),
});

function parameter(): fc.Arbitrary<string> {
  const known = [
    "type",
    "session_id",
    "title",
    "tags",
    "correlation_id",
    "signal_level",
    "payload",
  ];
  return fc.oneof(fc.constantFrom(...known), text.map(encoded));
}

/** As in an address, where half a character cannot be; sometimes not encoded at all. */
function encoded(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

/** Methods of MCP that answer and end; those that listen would not. */
const METHODS = [
  ...["tools/list", "resources/list", "resources/templates/list", "resources/read", "ping"],
  ...["initialize", "server/discover", "notifications/initialized", "notifications/cancelled"],
  ...["prompts/list", "completion/complete", "logging/setLevel", "tasks/list", "nothing"],
];

const rpcId = fc.oneof(fc.integer(), text, junk);

const MODERN = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "fuzz", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

const message = fc.oneof(
  fc.record({
    jsonrpc: fc.constant("2.0"),
    id: rpcId,
    method: fc.constant("tools/call"),
    params: fc.tuple(call, fc.boolean()).map(([{ name, args }, modern]) => ({
      name,
      arguments: args,
      ...(modern ? { _meta: MODERN } : {}),
    })),
  }),
  fc.record({
    jsonrpc: fc.oneof({ weight: 5, arbitrary: fc.constant("2.0") }, { weight: 1, arbitrary: junk }),
    id: rpcId,
    method: fc.oneof(fc.constantFrom(...METHODS), text),
    params: fc.oneof(
      junk,
      fc.record({ uri: text }),
      fc.record({ protocolVersion: text, capabilities: junk, clientInfo: junk }),
    ),
  }, { requiredKeys: [] }),
  junk,
);

const mcp = fc.record({
  method: fc.constant("POST"),
  path: fc.constantFrom("/mcp", "/mcp/"),
  headers: fc.oneof(fc.constant(JSON_TYPE), oddHeaders.map(withoutAbsent)),
  body: fc.oneof(message, fc.array(message, { maxLength: 3 })).map((m) => JSON.stringify(m) ?? ""),
});

const elsewhere = fc.record({
  method: fc.constantFrom("GET", "DELETE", "PUT", "PATCH", "OPTIONS", "HEAD"),
  path: fc.oneof(
    fc.constantFrom("/mcp", "/v1/notify", "/publish/all", "/health", "/openapi.json", "/"),
    text.map((name) => `/${encoded(name)}`),
  ),
  headers: oddHeaders.map(withoutAbsent),
  body: fc.constant(null),
});

function withoutAbsent(headers: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** What Claude Code tells a hook, nearly. */
const hook = fc.record({
  method: fc.constant("POST"),
  path: fc.constantFrom("/hooks/claude-code", "/hooks/claude-code/ack"),
  headers: fc.oneof(fc.constant(JSON_TYPE), oddHeaders.map(withoutAbsent)),
  body: fc.oneof(
    rawBody,
    fc.record({
      session_id: fc.oneof(fc.constant("fuzz"), text),
      hook_event_name: fc.oneof(
        fc.constantFrom("SessionStart", "UserPromptSubmit", "PostToolBatch", "Stop", "SessionEnd"),
        text,
      ),
      cwd: text,
      prompt: text,
      source: text,
      reason: text,
      tool_input: junk,
      tool_response: junk,
      ack: junk,
    }, { requiredKeys: ["hook_event_name"] }).map((value) => JSON.stringify(value)),
  ),
});

/** Any of it: through every door, from nearly right to noise. */
export const thrown: fc.Arbitrary<Thrown> = fc.oneof(
  { weight: 6, arbitrary: v1 },
  { weight: 5, arbitrary: mcp },
  { weight: 3, arbitrary: raw },
  { weight: 2, arbitrary: published },
  { weight: 1, arbitrary: hook },
  { weight: 1, arbitrary: elsewhere },
);
