/** The guide as MCP resources: one text, under our name and the original's later one. */
import {
  type ReadResourceResult,
  type Resource,
  ResourceNotFoundError,
} from "@modelcontextprotocol/server";
import text from "./guide.md" with { type: "text" };

const URI = "event-bus://guide";
/** The original's later name; answered because its users have it written down, not advertised. */
const ALIAS = "agent-event-bus://guide";
const MIME_TYPE = "text/plain";

/** The resources that clients may discover. */
export const RESOURCES: readonly Resource[] = Object.freeze([
  Object.freeze({
    uri: URI,
    name: "usage_guide",
    title: "Event bus guide",
    description: "Usage guide and best practices",
    mimeType: MIME_TYPE,
  }),
]);

/** The content of a resource; throws the protocol's error for one that does not exist. */
export function readResource(uri: string): ReadResourceResult {
  if (uri !== URI && uri !== ALIAS) throw new ResourceNotFoundError(uri);
  return { contents: [{ uri, mimeType: MIME_TYPE, text }] };
}
