/** Reads server-sent events the way a careful client does. */
import type { WireEvent } from "../../cli/format.ts";

export interface Block {
  /** The fields of the block by name; comments under the empty one. */
  readonly fields: ReadonlyMap<string, string>;
  /** What was sent, as it is. */
  readonly text: string;
}

export interface TestStream extends AsyncDisposable {
  /** The next block; null once the stream has ended. */
  next(): Promise<Block | null>;
  /** The next `count` events, whatever else is between them; fewer when the stream ends. */
  events(count: number): Promise<WireEvent[]>;
  /** Leaves. */
  cancel(): Promise<void>;
}

export function streamOf(response: Response): TestStream {
  if (response.body === null) throw new Error("A stream has a body");
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let ended = false;
  const stream: TestStream = {
    async next() {
      for (let end = rest.indexOf("\n\n"); end === -1; end = rest.indexOf("\n\n")) {
        const { done, value } = await reader.read();
        if (done) {
          ended = true;
          return null;
        }
        rest += decoder.decode(value, { stream: true });
      }
      const text = rest.slice(0, rest.indexOf("\n\n"));
      rest = rest.slice(text.length + 2);
      return { text, fields: fieldsOf(text) };
    },
    async events(count) {
      const events: WireEvent[] = [];
      while (events.length < count) {
        const block = await stream.next();
        if (block === null) break;
        const data = block.fields.get("data");
        if (data !== undefined && !block.fields.has("event")) events.push(JSON.parse(data));
      }
      return events;
    },
    async cancel() {
      if (!ended) await reader.cancel();
      ended = true;
    },
    [Symbol.asyncDispose]: () => stream.cancel(),
  };
  return stream;
}

function fieldsOf(text: string): Map<string, string> {
  return new Map(
    text.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
    }),
  );
}
