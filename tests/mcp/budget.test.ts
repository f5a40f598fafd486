/** What every session pays for. */
import assert from "node:assert/strict";
import { OPERATIONS } from "../../src/operations/all.ts";
import { readResource } from "../../src/mcp/guide.ts";
import { firstMessage, harness, INITIALIZE, post } from "./harness.ts";

/** Bytes of JSON: name, description and input schema of the seven tools, and the instructions. */
const MAX_BYTES = 3600;
const MAX_GUIDE_WORDS = 600;

Deno.test("tools/list and the instructions stay within the bytes that a session can spare", async () => {
  await using bus = harness();
  const list = await firstMessage(
    await post(bus, { jsonrpc: "2.0", id: 1, method: "tools/list" }),
  );
  const { instructions } = (await firstMessage(await post(bus, INITIALIZE))).result;
  // deno-lint-ignore no-explicit-any
  const tools = list.result.tools.map((t: any) => ({
    name: t.name,
    description: t.description,
    inputSchema: t.inputSchema,
  }));
  assert.equal(tools.length, 7);
  const bytes = new TextEncoder().encode(JSON.stringify({ instructions, tools })).length;
  assert.ok(bytes <= MAX_BYTES, `${bytes} bytes`);
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
  const [content] = readResource("event-bus://guide").contents as { text: string }[];
  const text = content?.text ?? "";
  assert.ok(text.split(/\s+/).length < MAX_GUIDE_WORDS);
  const named = [
    ...OPERATIONS.filter(({ tool }) => tool).map(({ name }) => name),
    ...["task_started", "task_completed", "ci_completed", "help_needed", "gotcha_discovered"],
    ...["pattern_found", "test_flaky", "blocker_found", "error_broadcast", "never instructions"],
  ];
  for (const word of named) assert.ok(text.includes(word), word);
});
