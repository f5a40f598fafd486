/** Real clients of both generations against the real door, over a socket. */
import assert from "node:assert/strict";
import {
  Client,
  type ClientOptions,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client as OldClient } from "@modelcontextprotocol/sdk/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport as OldTransport } from "@modelcontextprotocol/sdk/streamable-http";
import { OPERATIONS } from "../../src/operations/all.ts";
import { harness, listen, VERSION } from "./harness.ts";

interface Result {
  structuredContent?: Record<string, unknown>;
  content: { type: string; text: string }[];
  isError?: boolean;
}

/** What the tests need of a client, whatever its generation. */
interface AnyClient {
  tools(): Promise<{ name: string }[]>;
  call(name: string, args?: Record<string, unknown>): Promise<Result>;
  resources(): Promise<{ uri: string }[]>;
  templates(): Promise<{ uriTemplate: string }[]>;
  read(uri: string): Promise<{ contents: unknown[] }>;
  facts(): { instructions?: string; server?: unknown; capabilities?: unknown };
  close(): Promise<void>;
}

async function oldClient(url: string): Promise<AnyClient> {
  const client = new OldClient({ name: "old", version: "1" });
  const transport = new OldTransport(new URL(url));
  // deno-lint-ignore no-explicit-any
  await client.connect(transport as any);
  return {
    tools: async () => (await client.listTools()).tools,
    call: async (name, args = {}) =>
      await client.callTool({ name, arguments: args }) as unknown as Result,
    resources: async () => (await client.listResources()).resources,
    templates: async () => (await client.listResourceTemplates()).resourceTemplates,
    read: (uri) => client.readResource({ uri }),
    facts: () => factsOf(client),
    close: () => client.close(),
  };
}

function newClient(mode: NonNullable<ClientOptions["versionNegotiation"]>["mode"]) {
  return async (url: string): Promise<AnyClient> => {
    const options: ClientOptions = mode === undefined ? {} : { versionNegotiation: { mode } };
    const client = new Client({ name: "new", version: "2" }, options);
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    return {
      tools: async () => (await client.listTools()).tools,
      call: async (name, args = {}) =>
        await client.callTool({ name, arguments: args }) as unknown as Result,
      resources: async () => (await client.listResources()).resources,
      templates: async () => (await client.listResourceTemplates()).resourceTemplates,
      read: (uri) => client.readResource({ uri }),
      facts: () => factsOf(client),
      close: () => client.close(),
    };
  };
}

function factsOf(client: {
  getInstructions(): string | undefined;
  getServerVersion(): unknown;
  getServerCapabilities(): unknown;
}) {
  return {
    instructions: client.getInstructions() ?? "",
    server: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
  };
}

const CLIENTS: Record<string, (url: string) => Promise<AnyClient>> = {
  "the 1.x client": oldClient,
  "the 2.x client in the 2025 era": newClient("legacy"),
  "the 2.x client in the 2026-07-28 era": newClient({ pin: "2026-07-28" }),
  "the 2.x client that finds the era out": newClient("auto"),
};

for (const [name, connect] of Object.entries(CLIENTS)) {
  const scenario = (what: string, run: (client: AnyClient) => Promise<void>) =>
    Deno.test(`createMcpDoor lets ${name} ${what}`, async () => {
      await using bus = harness();
      await using server = listen(bus);
      const client = await connect(server.url);
      try {
        await run(client);
      } finally {
        await client.close();
      }
    });

  scenario("learn who serves and what, and nothing that is not served", (client) => {
    const { instructions, server, capabilities } = client.facts();
    assert.match(instructions ?? "", /never instructions/);
    assert.deepEqual(server, { name: "event-bus", title: "Event bus", version: VERSION });
    assert.deepEqual(capabilities, { tools: {}, resources: { subscribe: true } });
    return Promise.resolve();
  });

  scenario("list and call every tool, each answer fitting its schema", async (client) => {
    const names = (await client.tools()).map((tool) => tool.name);
    assert.deepEqual(names, OPERATIONS.filter((op) => op.tool).map((op) => op.name));

    const called = new Set<string>();
    // Having listed the tools, the clients check structured content against the output schemas.
    const call = async (tool: string, args: Record<string, unknown> = {}) => {
      called.add(tool);
      const result = await client.call(tool, args);
      assert.equal(result.isError ?? false, false, JSON.stringify(result));
      assert.equal(result.content.length, 1);
      const text = JSON.parse(result.content[0]?.text ?? "");
      const structured = result.structuredContent;
      assert.deepEqual(Array.isArray(text) ? { result: text } : text, structured);
      // deno-lint-ignore no-explicit-any
      return text as any;
    };
    const me = await call("register_session", { name: "me", client_id: "c-1" });
    const other = await call("register_session", { name: "other", client_id: "c-2" });
    const event = await call("publish_event", {
      event_type: "help_needed",
      payload: "naïve 日本語 ✉️",
      channel: `session:${me.display_id}`,
      session_id: other.session_id,
      title: "t",
      tags: ["a"],
      correlation_id: "x",
    });
    assert.equal(event.channel, `session:${me.session_id}`);
    const page = await call("get_events", { session_id: me.session_id, resume: true });
    assert.equal(
      page.events.find((e: { id: number }) => e.id === event.event_id).payload,
      event.payload,
    );
    const found = await call("search_events", { query: "naive 日本語" });
    assert.deepEqual(found.events.map((e: { id: number }) => e.id), [event.event_id]);
    await call("ack_events", { session_id: me.session_id, cursor: String(event.event_id) });
    const receipt = await call("get_delivery", { event_id: event.event_id });
    assert.equal(receipt.audience[0].session_id, me.session_id);
    await call("set_status", { session_id: me.session_id, status: "testing", state: "working" });
    assert.equal((await call("list_sessions")).length, 2);
    assert.equal((await call("list_channels"))[0].channel, "all");
    assert.equal((await call("notify", { title: "t", message: "m" })).success, true);
    const { webhook_id } = await call("register_webhook", { url: "https://example.com/hook" });
    assert.equal((await call("list_webhooks")).length, 1);
    await call("set_webhook_active", { webhook_id, active: false });
    await call("unregister_webhook", { webhook_id });
    await call("unregister_session", { session_id: other.session_id });
    assert.deepEqual([...called].sort(), [...names].sort());
  });

  scenario("read a refusal as a result with its code", async (client) => {
    await client.tools();
    const refusals = [
      await client.call("publish_event", { event_type: "x" }),
      await client.call("get_events", { session_id: "nobody", resume: true }),
      await client.call("list_sessions", { surprise: 1 }),
    ];
    const codes = refusals.map((refusal) => {
      assert.equal(refusal.isError, true);
      assert.equal(refusal.structuredContent, undefined);
      const body = JSON.parse(refusal.content[0]?.text ?? "");
      assert.equal(typeof body.error, "string");
      return body.code;
    });
    assert.deepEqual(codes, ["invalid_argument", "not_found", "invalid_argument"]);
  });

  scenario("be told that a tool does not exist", async (client) => {
    await assert.rejects(
      client.call("no_such_tool"),
      (error: { code?: unknown; message: string }) =>
        error.code === -32602 && /No tool is called "no_such_tool"/.test(error.message),
    );
  });

  scenario("find and read an inbox, as often as it likes", async (client) => {
    const templates = (await client.templates()).map(({ uriTemplate }) => uriTemplate);
    assert.deepEqual(templates, ["event-bus://inbox/{session_id}"]);
    const uri = "event-bus://inbox/a%40b%2Fc";
    await assert.rejects(client.read(uri), /Resource not found.*Session not found/);
    await client.call("register_session", { name: "me", client_id: "a@b/c" });
    const args = { session_id: "a@b/c", resume: true, peek: true };
    await client.call("publish_event", { event_type: "x", payload: "1" });
    await client.call("publish_event", { event_type: "x", payload: "2", session_id: "a@b/c" });
    const peeked = (await client.call("get_events", args)).structuredContent;
    for (let i = 0; i < 2; i++) {
      const [content] = (await client.read(uri)).contents as Record<string, string>[];
      assert.equal(content?.uri, uri);
      assert.equal(content.mimeType, "application/json");
      const page = JSON.parse(content.text ?? "");
      assert.deepEqual(page.events.map((event: { payload: string }) => event.payload), ["1"]);
      assert.equal(page.unread, 1);
      assert.deepEqual(page, peeked);
    }
    await client.call("unregister_session", { session_id: "a@b/c" });
    await assert.rejects(client.read(uri), /Cannot read .*: Session deleted/);
  });

  scenario("find and read the guide, under both of its names", async (client) => {
    assert.deepEqual((await client.resources()).map((r) => r.uri), ["event-bus://guide"]);
    for (const uri of ["event-bus://guide", "agent-event-bus://guide"]) {
      const [content] = (await client.read(uri)).contents as { uri: string; text: string }[];
      assert.equal(content?.uri, uri);
      assert.match(content.text, /^# Event bus/);
    }
    await assert.rejects(client.read("event-bus://nothing"), /Resource not found/);
  });
}
