/** The prompts that the conformance suite asks for. */
import {
  acceptedContent,
  type GetPromptResult,
  inputRequired,
  type InputRequiredResult,
  type PromptMessage,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { PIXEL } from "./samples.ts";

export interface FixturePrompt {
  needs?: string[];
  run(
    args: Record<string, string>,
    context: ServerContext,
  ): GetPromptResult | InputRequiredResult;
}

const says = (text: string): PromptMessage => ({ role: "user", content: { type: "text", text } });

export const FIXTURE_PROMPTS: Record<string, FixturePrompt> = {
  test_simple_prompt: {
    run: () => ({ messages: [says("This is a simple prompt for testing.")] }),
  },
  test_prompt_with_arguments: {
    needs: ["arg1", "arg2"],
    run: ({ arg1, arg2 }) => ({
      messages: [says(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
    }),
  },
  test_prompt_with_embedded_resource: {
    needs: ["resourceUri"],
    run: ({ resourceUri = "" }) => ({
      messages: [{
        role: "user",
        content: {
          type: "resource",
          resource: {
            uri: resourceUri,
            mimeType: "text/plain",
            text: "Embedded resource content for testing.",
          },
        },
      }, says("Please process the embedded resource above.")],
    }),
  },
  test_prompt_with_image: {
    run: () => ({
      messages: [
        { role: "user", content: { type: "image", data: PIXEL, mimeType: "image/png" } },
        says("Please analyze the image above."),
      ],
    }),
  },
  test_input_required_result_prompt: {
    run(_args, { mcpReq }) {
      const given = acceptedContent(mcpReq.inputResponses, "user_context");
      if (given !== undefined) return { messages: [says(`Context: ${given.context}`)] };
      return inputRequired({
        inputRequests: {
          user_context: inputRequired.elicit({
            message: "What context should the prompt use?",
            requestedSchema: {
              type: "object",
              properties: { context: { type: "string" } },
              required: ["context"],
            },
          }),
        },
      });
    },
  },
};
