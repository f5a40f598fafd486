/**
 * What the conformance suite expects a server to have: tools, prompts and resources with prescribed
 * names and answers. They are mounted on our own servers, behind our own door, so that the suite
 * judges our wiring. Written from the suite's descriptions of its scenarios.
 */
import type { Server, ServerContext } from "@modelcontextprotocol/server";
import type { Answers } from "../../src/mcp/server.ts";
import { FIXTURE_TOOLS } from "./fixture_tools.ts";
import { FIXTURE_PROMPTS } from "./fixture_prompts.ts";
import { PIXEL } from "./samples.ts";

/** Adds the fixtures to a server that has our tools and resources; ours stay. */
export function mountFixtures(server: Server, ours: Answers): void {
  server.registerCapabilities({
    prompts: {},
    completions: {},
    logging: {},
  });
  mountTools(server, ours);
  mountResources(server, ours);
  mountPrompts(server);
}

function mountTools(server: Server, ours: Answers): void {
  const listed = Object.entries(FIXTURE_TOOLS).map(([name, { needs = [] }]) => ({
    name,
    description: "A fixture of the conformance suite",
    inputSchema: {
      type: "object" as const,
      properties: Object.fromEntries(needs.map((argument) => [argument, { type: "string" }])),
      required: needs,
    },
  }));
  server.setRequestHandler("tools/list", () => ({
    tools: [...ours.listTools().tools, ...listed],
  }));
  server.setRequestHandler("tools/call", ({ params }, context: ServerContext) => {
    const fixture = FIXTURE_TOOLS[params.name];
    return fixture === undefined
      ? ours.callTool(params, context)
      : fixture.run(params.arguments ?? {}, context);
  });
}

const WATCHED = "test://watched-resource";
const STATIC: Record<
  string,
  { mimeType: string; text: string } | { mimeType: string; blob: string }
> = {
  "test://static-text": {
    mimeType: "text/plain",
    text: "This is the content of the static text resource.",
  },
  "test://static-binary": { mimeType: "image/png", blob: PIXEL },
  [WATCHED]: { mimeType: "text/plain", text: "Watched" },
};

function mountResources(server: Server, ours: Answers): void {
  server.setRequestHandler("resources/list", () => ({
    resources: [
      ...ours.listResources().resources,
      ...Object.keys(STATIC).map((uri) => ({ uri, name: uri })),
    ],
  }));
  server.setRequestHandler("resources/templates/list", () => ({
    resourceTemplates: [{ uriTemplate: "test://template/{id}/data", name: "template" }],
  }));
  server.setRequestHandler("resources/read", ({ params: { uri } }, context) => {
    const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
    if (id !== undefined) {
      const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
      return { contents: [{ uri, mimeType: "application/json", text }] };
    }
    const content = STATIC[uri];
    if (content !== undefined) return { contents: [{ uri, ...content }] };
    return ours.readResource(uri, context);
  });
}

function mountPrompts(server: Server): void {
  server.setRequestHandler("prompts/list", () => ({
    prompts: Object.entries(FIXTURE_PROMPTS).map(([name, { needs = [] }]) => ({
      name,
      description: "A fixture of the conformance suite",
      arguments: needs.map((argument) => ({ name: argument, required: true })),
    })),
  }));
  server.setRequestHandler("prompts/get", ({ params }, context) => {
    const fixture = FIXTURE_PROMPTS[params.name];
    if (fixture === undefined) throw new Error(`No prompt is called ${params.name}`);
    return fixture.run(params.arguments ?? {}, context);
  });
  server.setRequestHandler("completion/complete", ({ params: { argument } }) => ({
    completion: { values: [`${argument.value}is`, `${argument.value}k`], total: 2, hasMore: false },
  }));
}
