/** The operations as MCP tools: what a model sees of them, and how a result or refusal looks. */
import {
  type CallToolResult,
  ProtocolError,
  ProtocolErrorCode,
  type Tool,
} from "@modelcontextprotocol/server";
import type { Bus, Caller } from "../bus.ts";
import { errorBody, quoted } from "../errors.ts";
import type { JsonSchema, Operation } from "../operations/operation.ts";
import { perform } from "../operations/perform.ts";

export interface Tools {
  /** Made once: it is asked for more often than anything else, and never changes. */
  readonly list: readonly Tool[];
  /** Calls a tool. A refusal is a result that a model can read; an unknown name is an error. */
  call(name: string, args: unknown, caller: Caller): Promise<CallToolResult>;
}

/** The tools among `operations`, performed on `bus`. */
export function createTools(bus: Bus, operations: readonly Operation[]): Tools {
  const tools = operations.filter(({ tool }) => tool);
  const byName = new Map(tools.map((operation) => [operation.name, operation]));
  return {
    list: deepFreeze(tools.map(describe)),
    async call(name, args, caller) {
      const operation = byName.get(name);
      if (operation === undefined) {
        throw new ProtocolError(
          ProtocolErrorCode.InvalidParams,
          `No tool is called ${quoted(name)}; tools/list names them`,
        );
      }
      try {
        return succeeded(await perform(bus, operation, args, caller));
      } catch (refusal) {
        return refused(refusal);
      }
    },
  };
}

function describe({ name, title, description, inputSchema, outputSchema, annotations }: Operation) {
  return {
    name,
    title,
    description,
    inputSchema: withoutBounds(inputSchema),
    outputSchema: outputSchema.type === "array" ? wrapped(outputSchema) : outputSchema,
    annotations,
  } as Tool;
}

/** Who exceeds one is told the limit then; nobody else needs to read of it in every session. */
const BOUNDS = new Set(["minLength", "maxLength", "maxItems", "minimum"]);

function withoutBounds(schema: JsonSchema): JsonSchema {
  const rest = Object.entries(schema).filter(([keyword]) => !BOUNDS.has(keyword));
  return Object.fromEntries(rest.map(([keyword, value]) => {
    if (keyword === "items") return [keyword, withoutBounds(value as JsonSchema)];
    if (keyword !== "properties") return [keyword, value];
    const properties = Object.entries(value as Record<string, JsonSchema>)
      .filter(([, property]) => property["x-for-scripts"] !== true);
    return [keyword, Object.fromEntries(properties.map(([n, p]) => [n, withoutBounds(p)]))];
  }));
}

/** Structured content was always an object until 2026-07-28, so a list travels in one. */
function wrapped(list: JsonSchema): JsonSchema {
  return { type: "object", properties: { result: list }, required: ["result"] };
}

function succeeded(value: unknown): CallToolResult {
  return {
    content: [{ type: "text", text: JSON.stringify(value) }],
    structuredContent: Array.isArray(value) ? { result: value } : value as JsonSchema,
  };
}

/** Without structured content, because clients check that against the schema of a success. */
function refused(refusal: unknown): CallToolResult {
  return { content: [{ type: "text", text: JSON.stringify(errorBody(refusal)) }], isError: true };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
