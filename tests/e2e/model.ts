/**
 * A scripted model: a loopback HTTP server that speaks enough of Anthropic's Messages API for a real
 * Claude Code session to run against it, and keeps every request it was sent.
 *
 * Its replies are steps that were set down before. `play` answers a word; whoever types that word, or
 * gives it to a subagent, gets the steps, one for each reply. To anything else it says "ok".
 */

/** One content block the model can answer with. */
export type Block =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_use"; readonly name: string; readonly input: object };

/** One reply; a function may look at the request, and may wait. */
export type Step = Block | ((request: MessagesRequest) => Block | Promise<Block>);

/** A request to /v1/messages, as far as anybody looks at it. */
export interface MessagesRequest {
  readonly model?: string;
  readonly stream?: boolean;
  readonly tools?: readonly { readonly name: string }[];
  readonly messages: readonly Message[];
}

interface Message {
  readonly role: string;
  readonly content: string | readonly Content[];
}

interface Content {
  readonly type: string;
  readonly text?: string;
  readonly content?: unknown;
}

/** A turn of a conversation: when it reached the model (epoch milliseconds), whose it is, and what. */
export interface Turn {
  readonly at: number;
  readonly session: string;
  readonly request: MessagesRequest;
}

export interface Model extends AsyncDisposable {
  /** For ANTHROPIC_BASE_URL. */
  readonly url: string;
  /** Every request that offers tools, oldest first: no probes, no titles. */
  readonly turns: readonly Turn[];
  /** Sets steps down, and answers the word that plays them. */
  play(...steps: readonly Step[]): string;
}

/** Starts a model on a free loopback port. */
export function startModel(): Model {
  const turns: Turn[] = [];
  const plays = new Map<string, readonly Step[]>();
  // A step may wait for what never comes, when the test that waits failed before.
  const closing = Promise.withResolvers<Block>();

  const answer = async (request: Request): Promise<Response> => {
    const at = Date.now();
    const { pathname } = new URL(request.url);
    if (pathname.endsWith("/count_tokens")) return Response.json({ input_tokens: 10 });
    if (request.method !== "POST" || pathname !== "/v1/messages") {
      await request.body?.cancel();
      return Response.json({ data: [] });
    }
    const body = await request.json() as MessagesRequest;
    const offersTools = (body.tools?.length ?? 0) > 0;
    if (offersTools) {
      const session = request.headers.get("x-claude-code-session-id") ?? "";
      turns.push({ at, session, request: body });
    }
    const block = offersTools
      ? await Promise.race([next(plays, body), closing.promise])
      : say("ok");
    return body.stream === true ? streamed(body, block) : Response.json(whole(body, block));
  };

  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    turns,
    play(...steps) {
      const word = `play-${plays.size + 1}`;
      plays.set(word, steps);
      return word;
    },
    async [Symbol.asyncDispose]() {
      closing.resolve(say("ok"));
      await server.shutdown();
    },
  };
}

/** A reply that ends the turn. */
export const say = (text: string): Block => ({ type: "text", text });

/** A reply that calls a tool. */
export const use = (name: string, input: object): Block => ({ type: "tool_use", name, input });

/** A reply that runs a command. */
export const bash = (command: string): Block => use("Bash", { command, description: "scripted" });

/** The step that a conversation has come to: counted from the last word that was typed. */
async function next(
  plays: ReadonlyMap<string, readonly Step[]>,
  request: MessagesRequest,
): Promise<Block> {
  const { messages } = request;
  const start = messages.findLastIndex((message) => wordOf(message) !== undefined);
  const steps = plays.get(wordOf(messages[start]) ?? "");
  const played = messages.slice(start + 1).filter(({ role }) => role === "assistant").length;
  const step = steps?.[played] ?? say("ok");
  return typeof step === "function" ? await step(request) : step;
}

/** The word in a message that was typed: a user's, and no result of a tool. */
function wordOf(message: Message | undefined): string | undefined {
  if (message?.role !== "user") return undefined;
  const { content } = message;
  if (typeof content !== "string" && content.some(({ type }) => type === "tool_result")) {
    return undefined;
  }
  return textOf(content).match(/play-\d+\b/g)?.at(-1);
}

/** All text of a message's content, results of tools included. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((block: Content) => block.text ?? textOf(block.content)).join("\n");
}

function envelope(request: MessagesRequest) {
  return {
    id: id("msg"),
    type: "message",
    role: "assistant",
    model: request.model ?? "scripted",
    stop_sequence: null,
    usage: {
      input_tokens: 10,
      output_tokens: 10,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
    },
  };
}

function whole(request: MessagesRequest, block: Block) {
  return { ...envelope(request), content: [numbered(block)], stop_reason: reasonOf(block) };
}

function streamed(request: MessagesRequest, block: Block): Response {
  const full = numbered(block);
  const [content_block, delta] = full.type === "text"
    ? [{ ...full, text: "" }, { type: "text_delta", text: full.text }]
    : [
      { ...full, input: {} },
      { type: "input_json_delta", partial_json: JSON.stringify(full.input) },
    ];
  const events = [
    {
      type: "message_start",
      message: { ...envelope(request), content: [], stop_reason: null },
    },
    { type: "content_block_start", index: 0, content_block },
    { type: "content_block_delta", index: 0, delta },
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason: reasonOf(block), stop_sequence: null },
      usage: { output_tokens: 10 },
    },
    { type: "message_stop" },
  ];
  const text = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  return new Response(text.join(""), { headers: { "content-type": "text/event-stream" } });
}

function numbered(block: Block) {
  return block.type === "text" ? block : { ...block, id: id("toolu") };
}

const reasonOf = ({ type }: Block): string => type === "tool_use" ? "tool_use" : "end_turn";

const id = (prefix: string): string => `${prefix}_${crypto.randomUUID().replaceAll("-", "")}`;
