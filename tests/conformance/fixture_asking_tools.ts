/**
 * The fixtures that ask the client for something: by a request of their own in the 2025 revisions,
 * by a result that names what is missing in 2026-07-28.
 */
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  createRequestStateCodec,
  type ElicitRequestFormParams,
  inputRequired,
  inputResponse,
  type InputResponses,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { type FixtureTool, text } from "./samples.ts";

type Form = ElicitRequestFormParams["requestedSchema"];

/** A form with one required field. */
const form = (field: string, type: "string" | "boolean" = "string"): Form => ({
  type: "object",
  properties: { [field]: type === "string" ? { type } : { type } },
  required: [field],
});
const elicit = (message: string, field: string, type?: "string" | "boolean") =>
  inputRequired.elicit({ message, requestedSchema: form(field, type) });
const sample = (question: string, maxTokens: number) =>
  inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: question } }],
    maxTokens,
  });

const ask = {
  name: () => elicit("What is your name?", "name"),
  capital: () => sample("What is the capital of France?", 100),
  greeting: () => sample("Generate a greeting", 50),
};

/** State that comes back through the client, and must be what was given to it. */
const codec = createRequestStateCodec({ key: crypto.getRandomValues(new Uint8Array(32)) });

async function stateOf(context: ServerContext): Promise<string | undefined> {
  const state = context.mcpReq.requestState<string>();
  if (state === undefined) return undefined;
  try {
    return await codec.verify(state, context) as string;
  } catch {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, "The request state was tampered with");
  }
}

const answered = (
  responses: InputResponses | Record<string, unknown> | undefined,
  keys: string[],
) => keys.every((key) => inputResponse(responses, key).kind !== "missing");

const capabilitiesOf = ({ mcpReq }: ServerContext): ClientCapabilities =>
  (mcpReq.envelope as Record<string, ClientCapabilities> | undefined)
    ?.[CLIENT_CAPABILITIES_META_KEY] ?? {};

/** Asks with a signed state first, and is content once every answer has come back with it. */
function withState(
  keys: string[],
  requests: () => Parameters<typeof inputRequired>[0]["inputRequests"],
): FixtureTool {
  return {
    async run(_args, context) {
      const state = await stateOf(context);
      if (state === "asked" && answered(context.mcpReq.inputResponses, keys)) {
        return text("state-ok");
      }
      return inputRequired({
        inputRequests: requests() ?? {},
        requestState: await codec.mint("asked", context),
      });
    },
  };
}

/** Elicits in the manner of the 2025 revisions and says what came of it. */
function elicits(said: string, formOf: (args: Record<string, unknown>) => [string, Form]) {
  return async (args: Record<string, unknown>, { mcpReq }: ServerContext) => {
    const [message, requestedSchema] = formOf(args);
    const { action, content } = await mcpReq.elicitInput({ message, requestedSchema });
    return text(`${said}: action=${action}, content=${JSON.stringify(content ?? {})}`);
  };
}

const titled = (count: number) =>
  ["First", "Second", "Third"].slice(0, count).map((word, i) => ({
    const: `value${i + 1}`,
    title: `${word} Option`,
  }));

export const ASKING_TOOLS: Record<string, FixtureTool> = {
  test_sampling: {
    needs: ["prompt"],
    async run({ prompt }, { mcpReq }) {
      const { content } = await mcpReq.requestSampling({
        messages: [{ role: "user", content: { type: "text", text: String(prompt) } }],
        maxTokens: 100,
      });
      return text(`LLM response: ${JSON.stringify(content)}`);
    },
  },
  test_elicitation: {
    needs: ["message"],
    run: elicits("User response", ({ message }) => [String(message), {
      type: "object",
      properties: {
        username: { type: "string", description: "User's response" },
        email: { type: "string", description: "User's email address" },
      },
      required: ["username", "email"],
    }]),
  },
  test_elicitation_sep1034_defaults: {
    run: elicits("Elicitation completed", () => ["Who are you?", {
      type: "object",
      properties: {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      },
    }]),
  },
  test_elicitation_sep1330_enums: {
    run: elicits("Elicitation completed", () => ["Which ones?", {
      type: "object",
      properties: {
        untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
        titledSingle: { type: "string", oneOf: titled(3) },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti: {
          type: "array",
          items: { type: "string", enum: ["option1", "option2", "option3"] },
        },
        titledMulti: { type: "array", items: { anyOf: titled(3) } },
      },
    }]),
  },
  test_missing_capability: {
    run(_args, context) {
      if (capabilitiesOf(context).sampling !== undefined) return text("Sampling is there");
      throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
    },
  },
  test_streaming_elicitation: {
    run: () => inputRequired({ inputRequests: { user_name: ask.name() } }),
  },
  test_input_required_result_elicitation: {
    run(_args, { mcpReq }) {
      const name = acceptedContent(mcpReq.inputResponses, "user_name")?.name;
      return typeof name === "string"
        ? text(`Hello, ${name}!`)
        : inputRequired({ inputRequests: { user_name: ask.name() } });
    },
  },
  test_input_required_result_sampling: {
    run(_args, { mcpReq }) {
      const answer = inputResponse(mcpReq.inputResponses, "capital_question");
      return answer.kind === "sampling"
        ? text(JSON.stringify(answer.result.content))
        : inputRequired({ inputRequests: { capital_question: ask.capital() } });
    },
  },
  test_input_required_result_list_roots: {
    run(_args, { mcpReq }) {
      const answer = inputResponse(mcpReq.inputResponses, "client_roots");
      return answer.kind === "roots"
        ? text(JSON.stringify(answer.roots))
        : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    },
  },
  test_input_required_result_request_state: withState(["confirm"], () => ({
    confirm: elicit("Please confirm", "ok", "boolean"),
  })),
  test_input_required_result_tampered_state: withState(["confirm"], () => ({
    confirm: elicit("Please confirm", "ok", "boolean"),
  })),
  test_input_required_result_multiple_inputs: withState(
    ["user_name", "greeting", "client_roots"],
    () => ({
      user_name: ask.name(),
      greeting: ask.greeting(),
      client_roots: inputRequired.listRoots(),
    }),
  ),
  test_input_required_result_multi_round: {
    async run(_args, context) {
      const { inputResponses } = context.mcpReq;
      const state = await stateOf(context);
      if (state === "two" && answered(inputResponses, ["step2"])) return text("Both steps done");
      const second = state === "one" && answered(inputResponses, ["step1"]);
      return inputRequired({
        inputRequests: second
          ? { step2: elicit("Step 2: What is your favorite color?", "color") }
          : { step1: elicit("Step 1: What is your name?", "name") },
        requestState: await codec.mint(second ? "two" : "one", context),
      });
    },
  },
  test_input_required_result_capabilities: {
    run(_args, context) {
      const { elicitation, sampling } = capabilitiesOf(context);
      const inputRequests = {
        ...(elicitation === undefined ? {} : { user_name: ask.name() }),
        ...(sampling === undefined ? {} : { capital_question: ask.capital() }),
      };
      return Object.keys(inputRequests).length === 0
        ? text("Nothing to ask")
        : inputRequired({ inputRequests });
    },
  },
};
