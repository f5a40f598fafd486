/**
 * What an operation is: one capability, defined in one file, the same behind every door. It appears
 * as an MCP tool, as `POST /v1/<name>`, and the command line posts to it.
 */
import { z } from "zod";
import type { Bus, Call } from "../bus.ts";
import { BusError } from "../errors.ts";
import type { Scope } from "../token.ts";
import { errorsOf } from "./refusal.ts";

/** What a client may assume about a tool before it calls it, as MCP names it. */
export interface Annotations {
  readOnlyHint: boolean;
  destructiveHint: boolean;
  idempotentHint: boolean;
  openWorldHint: boolean;
}

const CLOSED = { destructiveHint: false, openWorldHint: false };
/** Looks, and changes nothing. */
export const READS: Annotations = { ...CLOSED, readOnlyHint: true, idempotentHint: true };
/** Adds something each time. */
export const APPENDS: Annotations = { ...CLOSED, readOnlyHint: false, idempotentHint: false };
/** Leaves the same state however often it is called. */
export const SETS: Annotations = { ...APPENDS, idempotentHint: true };
/** The same, and takes something away. */
export const ENDS: Annotations = { ...SETS, destructiveHint: true };

export type JsonSchema = Record<string, unknown>;

interface Definition<I extends z.ZodObject, O extends z.ZodType> {
  name: string;
  title: string;
  /** Every session pays for these words: say it shorter. */
  description: string;
  input: I;
  output: O;
  annotations: Annotations;
  /** What a caller must be allowed to do. */
  scope: Scope;
  /** Whether models see it as a tool; the others are for scripts. */
  tool: boolean;
  /** Whether a call with this input changes the log, a session or a position. */
  writes: boolean | ((input: z.output<I>) => boolean);
  /** Whether whoever has gone without telling is ended first, so that the answer is about the living. */
  endsTheGone?: boolean;
  /** What a call adds to the log, for the limits; an operation without it costs nothing. */
  spends?(input: z.output<I>): Spending;
  /** For an operation that can wait until there is something to answer. */
  waits?: {
    seconds(input: z.output<I>): number;
    isEmpty(output: z.output<O>, input: z.output<I>): boolean;
    /** The session that waits, if it says so. */
    as(input: z.output<I>): string | undefined;
    /** Whether everybody who asks this is told the same: it is about nobody's position. */
    alike(input: z.output<I>): boolean;
  };
  /** Synchronous, unless it writes nothing. */
  run(bus: Bus, input: z.output<I>, call: Call): z.output<O> | Promise<z.output<O>>;
}

export interface Spending {
  /** Whoever it claims to be; the limits of its principal hold as well. */
  readonly session: string | undefined;
  readonly bytes: number;
}

export interface Waiting {
  readonly seconds: number;
  readonly as: string | undefined;
  readonly alike: boolean;
}

export interface Operation {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: Annotations;
  readonly scope: Scope;
  readonly tool: boolean;
  readonly endsTheGone: boolean;
  /** The JSON Schemas of input and output, as tools and `/openapi.json` show them. */
  readonly inputSchema: JsonSchema;
  readonly outputSchema: JsonSchema;
  /** Checks raw arguments; throws `invalid_argument` with a sentence for each thing wrong. */
  parse(args: unknown): unknown;
  writes(input: unknown): boolean;
  /** How long a call waits for an answer that is not empty, and in whose name; 0 is not at all. */
  waiting(input: unknown): Waiting;
  isEmpty(output: unknown, input: unknown): boolean;
  /** What a call adds to the log; null for nothing. */
  spending(input: unknown): Spending | null;
  run(bus: Bus, input: unknown, call: Call): unknown;
}

/** Makes an operation of its definition; the types of `input` stay between `parse` and `run`. */
export function operation<I extends z.ZodObject, O extends z.ZodType>(
  definition: Definition<I, O>,
): Operation {
  const { name, title, description, annotations, scope, tool, input, output, writes } = definition;
  const inputSchema = schemaOf(input, "input");
  return {
    name,
    title,
    description,
    annotations,
    scope,
    tool,
    endsTheGone: definition.endsTheGone ?? false,
    inputSchema,
    outputSchema: schemaOf(output, "output"),
    parse(args) {
      const parsed = input.safeParse(lenient(name, args ?? {}, inputSchema));
      if (parsed.success) return parsed.data;
      throw new BusError("invalid_argument", `Cannot run ${name}: ${errorsOf(parsed.error)}`);
    },
    writes: (parsed) => typeof writes === "function" ? writes(parsed as z.output<I>) : writes,
    waiting: (parsed) => ({
      seconds: definition.waits?.seconds(parsed as z.output<I>) ?? 0,
      as: definition.waits?.as(parsed as z.output<I>),
      alike: definition.waits?.alike(parsed as z.output<I>) ?? false,
    }),
    isEmpty: (result, parsed) =>
      definition.waits?.isEmpty(result as z.output<O>, parsed as z.output<I>) ?? false,
    spending: (parsed) => definition.spends?.(parsed as z.output<I>) ?? null,
    run: (bus, parsed, call) => definition.run(bus, parsed as z.output<I>, call),
  };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io,
    override({ jsonSchema }) {
      // Noise that every session would pay for: the bounds of all safe integers.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  return json;
}

/**
 * Forgives what the original forgave: null for "not given", a number where a string is expected
 * (a bare cursor), and digits where an integer is.
 */
function lenient(name: string, args: unknown, schema: JsonSchema): unknown {
  if (typeof args !== "object" || args === null || Array.isArray(args)) return args;
  const properties = schema.properties as Record<string, { type?: string }> | undefined;
  const given = Object.entries(args).filter(([, value]) => value !== null);
  return Object.fromEntries(given.map(([key, value]) => {
    const type = Object.hasOwn(properties ?? {}, key) ? properties?.[key]?.type : undefined;
    if (type === "string" && typeof value === "number") return [key, String(value)];
    if (type === "integer" && typeof value === "string" && /^-?[0-9]{1,15}$/.test(value)) {
      return [key, Number(value)];
    }
    return [key, Array.isArray(value) ? value.map(storable) : storable(value)];
  }));

  /** The text as the database can keep it: half characters become the replacement character. */
  function storable(value: unknown): unknown {
    if (typeof value !== "string") return value;
    if (value.includes("\0")) {
      // SQLite's texts end there for everybody who reads them.
      throw new BusError("invalid_argument", `Cannot run ${name}: a text contains a NUL character`);
    }
    return value.toWellFormed();
  }
}
