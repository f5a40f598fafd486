/** Describes the doors for programs, from the same schemas that check them. */
import type { JsonSchema, Operation } from "../operations/operation.ts";
import { streamEvents } from "../operations/stream_events.ts";

/** An OpenAPI 3.1 document of every operation, the stream, `/publish`, `/health` and `/metrics`. */
export function openApi(operations: readonly Operation[], version: string): JsonSchema {
  const publish = operations.find(({ name }) => name === "publish_event");
  const paths = Object.fromEntries(operations.map((operation) => [`/v1/${operation.name}`, {
    post: {
      operationId: operation.name,
      summary: operation.title,
      description: operation.description,
      security: securityOf(operation),
      requestBody: { required: false, content: json(operation.inputSchema) },
      responses: answers(operation.outputSchema),
    },
  }]));
  return {
    openapi: "3.1.0",
    info: { title: "event-bus", version },
    paths: {
      ...paths,
      "/publish/{channel}": {
        post: {
          operationId: "publish_text",
          summary: "Publish the body as an event",
          ...(publish && { security: securityOf(publish) }),
          parameters: [
            { name: "channel", in: "path", required: true, schema: { type: "string" } },
            ...PUBLISH_PARAMETERS.map((name) => ({
              name,
              in: "query",
              schema: { type: "string" },
            })),
          ],
          requestBody: { content: { "*/*": { schema: { type: "string" } } } },
          responses: answers(publish?.outputSchema ?? {}),
        },
      },
      "/v1/events/stream": {
        get: {
          operationId: streamEvents.name,
          summary: streamEvents.title,
          description: streamEvents.description,
          security: securityOf(streamEvents),
          parameters: [
            { name: "Last-Event-ID", in: "header", schema: { type: "string" } },
            ...Object.entries(streamEvents.inputSchema.properties as JsonSchema).map(
              // A list is one parameter, its items separated by commas.
              ([name, schema]) => ({ name, in: "query", explode: false, schema }),
            ),
          ],
          responses: {
            ...answers({}),
            200: { description: "The stream", content: { "text/event-stream": {} } },
          },
        },
      },
      "/health": {
        get: {
          operationId: "health",
          summary: "Whether the bus works (ok), can only be read (degraded), or neither",
          responses: answers({ type: "object" }),
        },
      },
      "/metrics": {
        get: {
          operationId: "metrics",
          summary: "What is counted, in Prometheus' text format",
          security: [{}, { token: ["admin"] }],
          responses: {
            ...answers({}),
            200: { description: "The metrics", content: { "text/plain": {} } },
          },
        },
      },
    },
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    security: [{}, { token: [] }],
  };
}

/** Callers of the bus's own machine mostly need no token; a token needs the operation's scope. */
const securityOf = ({ scope }: Operation) => [{}, { token: [scope] }];

const PUBLISH_PARAMETERS = [
  "type",
  "session_id",
  "title",
  "tags",
  "correlation_id",
  "signal_level",
  "reply_to",
  "dedupe_key",
];

const json = (schema: JsonSchema) => ({ "application/json": { schema } });

function answers(schema: JsonSchema) {
  const refusal = {
    type: "object",
    required: ["error", "code"],
    properties: { error: { type: "string" }, code: { type: "string" } },
  };
  return {
    200: { description: "Done", content: json(schema) },
    default: { description: "Refused", content: json(refusal) },
  };
}
