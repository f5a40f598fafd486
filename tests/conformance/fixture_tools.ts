/** The tools that the conformance suite asks for; those that need input are in a file of their own. */
import type { CallToolResult, ServerContext } from "@modelcontextprotocol/server";
import { ASKING_TOOLS } from "./fixture_asking_tools.ts";
import { type FixtureTool, PIXEL, SILENCE, text } from "./samples.ts";

const image = { type: "image" as const, data: PIXEL, mimeType: "image/png" };

export const FIXTURE_TOOLS: Record<string, FixtureTool> = {
  ...ASKING_TOOLS,
  test_simple_text: { run: () => text("This is a simple text response for testing.") },
  test_image_content: { run: () => ({ content: [image] }) },
  test_audio_content: {
    run: () => ({ content: [{ type: "audio", data: SILENCE, mimeType: "audio/wav" }] }),
  },
  test_embedded_resource: {
    run: () => ({
      content: [{
        type: "resource",
        resource: {
          uri: "test://embedded-resource",
          mimeType: "text/plain",
          text: "This is an embedded resource content.",
        },
      }],
    }),
  },
  test_multiple_content_types: {
    run: () => ({
      content: [{ type: "text", text: "Multiple content types test:" }, image, {
        type: "resource",
        resource: {
          uri: "test://mixed-content-resource",
          mimeType: "application/json",
          text: JSON.stringify({ test: "data", value: 123 }),
        },
      }],
    }),
  },
  test_error_handling: {
    run: () => ({ ...text("This tool intentionally returns an error for testing"), isError: true }),
  },
  test_tool_with_logging: { run: (_args, context) => logs(context) },
  test_logging_tool: { run: (_args, context) => logs(context) },
  test_tool_with_progress: {
    async run(_args, { mcpReq }) {
      const progressToken = mcpReq._meta?.progressToken;
      if (progressToken === undefined) return text("Done");
      for (const progress of [0, 50, 100]) {
        await mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress, total: 100 },
        });
      }
      return text("Done");
    },
  },
};

async function logs({ mcpReq }: ServerContext): Promise<CallToolResult> {
  for (const line of ["started", "processing data", "completed"]) {
    await mcpReq.log(
      "info",
      line === "processing data" ? `Tool ${line}` : `Tool execution ${line}`,
    );
  }
  return text("Done");
}
