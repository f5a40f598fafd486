/** What the fixtures are made of. */
import type {
  CallToolResult,
  InputRequiredResult,
  ServerContext,
} from "@modelcontextprotocol/server";

export interface FixtureTool {
  /** Names of its arguments, all strings and all required. */
  needs?: string[];
  run(
    args: Record<string, unknown>,
    context: ServerContext,
  ): FixtureResult | Promise<FixtureResult>;
}

export type FixtureResult = CallToolResult | InputRequiredResult;

export const text = (text: string): CallToolResult => ({ content: [{ type: "text", text }] });

/** A PNG of one pixel, in base64. */
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

/** A WAV of no samples at all, in base64. */
export const SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";
