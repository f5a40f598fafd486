/**
 * Many readers of one server, each with a connection of its own. They read from the socket itself:
 * `fetch` would cost more than what is measured.
 */
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface Readers extends Disposable {
  /** Publishes once and answers after how many milliseconds each reader had it. */
  publish(): Promise<number[]>;
}

/** How readers of one kind listen, and how they know that they have been told. */
export interface Kind {
  readonly name: string;
  /** Makes them listen once; for a kind that must ask again, also after each event. */
  listen(connection: Deno.Conn, host: string, cursor: string): Promise<void>;
  readonly asksAgain: boolean;
  /** What stands at the end of an event on the wire. */
  readonly end: string;
}

export const STREAMS: Kind = {
  name: "streams",
  asksAgain: false,
  end: "\n\n",
  async listen(connection, host) {
    await send(connection, `GET /v1/events/stream HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await until(connection, "id: ");
  },
};

export const POLLS: Kind = {
  name: "long-polls",
  asksAgain: true,
  end: '"unread":0}',
  async listen(connection, host, cursor) {
    await post(connection, host, "get_events", { cursor, order: "asc", wait_seconds: 60 });
  },
};

/** Opens so many readers; all of them listen when this resolves. */
export async function openReaders(url: string, kind: Kind, count: number): Promise<Readers> {
  const { hostname, port, host } = new URL(url);
  const connect = () => Deno.connect({ hostname, port: Number(port) });
  const publisher = await connect();
  let cursor = await publishBy(publisher, host);
  const readers = await Promise.all(Array.from({ length: count }, connect));
  const listen = async () => {
    await Promise.all(readers.map((reader) => kind.listen(reader, host, cursor)));
    await settled(publisher, host);
  };
  await listen();
  return {
    async publish() {
      const started = performance.now();
      const published = publishBy(publisher, host);
      const times = await Promise.all(readers.map(async (reader) => {
        await until(reader, kind.end);
        return performance.now() - started;
      }));
      cursor = await published;
      if (kind.asksAgain) await listen();
      return times;
    },
    [Symbol.dispose]() {
      for (const connection of [publisher, ...readers]) connection.close();
    },
  };
}

async function publishBy(connection: Deno.Conn, host: string): Promise<string> {
  const event = { event_type: "done", payload: "Finished", channel: "repo:bench" };
  await post(connection, host, "publish_event", event);
  const answer = await until(connection, "}");
  const id = answer.match(/"event_id":([0-9]+)/)?.[1];
  if (id === undefined) throw new Error(`Cannot publish: ${answer}`);
  return id;
}

/** Whoever asks after the others is answered after they were heard. */
async function settled(connection: Deno.Conn, host: string): Promise<void> {
  await send(connection, `GET /health HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await until(connection, "}");
  // What was heard last may still be on its way to where it waits.
  await new Promise((resolve) => setTimeout(resolve, 50));
}

async function post(
  connection: Deno.Conn,
  host: string,
  operation: string,
  args: Record<string, unknown>,
): Promise<void> {
  const body = JSON.stringify(args);
  await send(
    connection,
    `POST /v1/${operation} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
}

async function send(connection: Deno.Conn, text: string): Promise<void> {
  const bytes = encoder.encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Reads until what came contains `end`; nothing may follow it. */
async function until(connection: Deno.Conn, end: string): Promise<string> {
  const buffer = new Uint8Array(4096);
  let text = "";
  while (!text.includes(end)) {
    const size = await connection.read(buffer);
    if (size === null) throw new Error(`The server closed the connection: ${text}`);
    text += decoder.decode(buffer.subarray(0, size));
  }
  return text;
}
