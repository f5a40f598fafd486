/** What every session pays for. */
import assert from "node:assert/strict";
import { OPERATIONS } from "../../src/operations/all.ts";
import { readGuide } from "../../src/mcp/guide.ts";
import { firstMessage, harness, INITIALIZE, post, toolCall } from "./harness.ts";

/** Bytes of JSON that a model sees: name, description, input schema of tools, and the instructions. */
const MAX_BYTES = 7000;
/** The same of the seven that every session uses, as the original named them. */
const MAX_BYTES_OF_SEVEN = 3600;
const SEVEN = new Set([
  ...["register_session", "list_sessions", "list_channels", "publish_event", "get_events"],
  ...["unregister_session", "notify"],
]);
const MAX_GUIDE_WORDS = 900;

interface Seen {
  name: string;
  description: string;
  inputSchema: unknown;
}

Deno.test("tools/list and the instructions stay within the bytes that a session can spare", async () => {
  await using bus = harness();
  const list = await firstMessage(
    await post(bus, { jsonrpc: "2.0", id: 1, method: "tools/list" }),
  );
  const { instructions } = (await firstMessage(await post(bus, INITIALIZE))).result;
  const tools: Seen[] = list.result.tools.map(({ name, description, inputSchema }: Seen) => ({
    name,
    description,
    inputSchema,
  }));
  const bytes = (tools: Seen[]) =>
    new TextEncoder().encode(JSON.stringify({ instructions, tools })).length;
  assert.equal(tools.length, OPERATIONS.filter(({ tool }) => tool).length);
  assert.ok(bytes(tools) <= MAX_BYTES, `${bytes(tools)} bytes`);
  const seven = tools.filter(({ name }) => SEVEN.has(name));
  assert.equal(seven.length, SEVEN.size);
  assert.ok(bytes(seven) <= MAX_BYTES_OF_SEVEN, `${bytes(seven)} bytes`);
});

Deno.test("a bound that tools/list does not show is still told to who exceeds it", async () => {
  await using bus = harness();
  const args = { event_type: "x".repeat(201), payload: "" };
  const { result } = await firstMessage(await post(bus, toolCall("publish_event", args)));
  assert.equal(result.isError, true);
  assert.match(JSON.parse(result.content[0].text).error, /event_type.*200/);
});

Deno.test("tools/list describes every tool in full, with schemas that are objects", async () => {
  await using bus = harness();
  const { result } = await firstMessage(
    await post(bus, { jsonrpc: "2.0", id: 1, method: "tools/list" }),
  );
  assert.deepEqual(
    result.tools.map((tool: { name: string }) => tool.name),
    OPERATIONS.filter(({ tool }) => tool).map(({ name }) => name),
  );
  for (const tool of result.tools) {
    assert.ok(tool.title && tool.description, tool.name);
    assert.equal(tool.inputSchema.type, "object", tool.name);
    assert.equal(tool.inputSchema.additionalProperties, false, tool.name);
    assert.equal(tool.outputSchema.type, "object", tool.name);
    assert.equal(typeof tool.annotations.readOnlyHint, "boolean", tool.name);
  }
  const lists = result.tools.filter((tool: { name: string }) => tool.name.startsWith("list_"));
  for (const { outputSchema } of lists) {
    assert.equal(outputSchema.properties.result.type, "array");
    assert.deepEqual(outputSchema.required, ["result"]);
  }
});

Deno.test("event-bus://guide is short and names every tool and convention", () => {
  const [content] = readGuide("event-bus://guide").contents as { text: string }[];
  const text = content?.text ?? "";
  assert.ok(text.split(/\s+/).length < MAX_GUIDE_WORDS);
  const named = [
    ...OPERATIONS.filter(({ tool }) => tool).map(({ name }) => name),
    ...["wait_seconds", "urgent", "main", "reply_to", "dedupe_key", "event-bus://inbox/"],
    ...["task_started", "task_completed", "ci_completed", "help_needed", "gotcha_discovered"],
    ...["pattern_found", "test_flaky", "blocker_found", "error_broadcast", "never instructions"],
  ];
  for (const word of named) assert.ok(text.includes(word), word);
});
