/** The least that the MCP SDK can do: a tool that always answers the same, its body parsed before. */
import { createMcpHandler, Server } from "@modelcontextprotocol/server";
import { listen } from "./listen.ts";

const published = { event_id: 1, event_type: "done", payload: "Finished", channel: "repo:bench" };
const result = {
  content: [{ type: "text" as const, text: JSON.stringify(published) }],
  structuredContent: published,
};
const handler = createMcpHandler(() => {
  const server = new Server(
    { name: "constant", version: "1" },
    { capabilities: { tools: {} } },
  );
  server.setRequestHandler("tools/call", () => result);
  return server;
}, { legacy: "reject" });

listen(async (request) => await handler.fetch(request, { parsedBody: await request.json() }));
