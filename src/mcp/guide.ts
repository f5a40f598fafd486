/** The guide as an MCP resource: one text, under our name and the original's later one. */
import type { ReadResourceResult, Resource } from "@modelcontextprotocol/server";
import text from "./guide.md" with { type: "text" };

/** The original's later name is answered because its users have it written down, not advertised. */
const URIS = new Set(["event-bus://guide", "agent-event-bus://guide"]);
const MIME_TYPE = "text/plain";

/** The guide, as clients discover it. */
export const GUIDE: Resource = Object.freeze({
  uri: "event-bus://guide",
  name: "usage_guide",
  title: "Event bus guide",
  description: "Usage guide and best practices",
  mimeType: MIME_TYPE,
});

/** Whether an address is one of the guide's. */
export const isGuide = (uri: string): boolean => URIS.has(uri);

/** The guide under one of its addresses. */
export function readGuide(uri: string): ReadResourceResult {
  return { contents: [{ uri, mimeType: MIME_TYPE, text }] };
}
