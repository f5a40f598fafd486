/** A real receiver of webhooks, on a port of the system's choice, that answers as a test wants. */

export interface Post {
  readonly path: string;
  readonly headers: Headers;
  /** The body as it came, which is what the signature is over. */
  readonly raw: string;
  // deno-lint-ignore no-explicit-any -- looked at field by field
  readonly body: any;
}

export type Answering = (post: Post, count: number) => Response | Promise<Response>;

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Everything that came, in order. */
  readonly posts: Post[];
  /** From now on it answers so. */
  answers(how: Answering): void;
  /** The ids of the events that came, in order, repeats included. */
  ids(): number[];
}

const taken: Answering = () => new Response("taken");

/** A receiver; on a given port when it is to be found again after a restart. */
export function receiver(answer: Answering = taken, port = 0): Receiver {
  const posts: Post[] = [];
  const end = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port, signal: end.signal, onListen() {} },
    async (request) => {
      const raw = await request.text();
      const { pathname: path } = new URL(request.url);
      const post = { path, headers: request.headers, raw, body: JSON.parse(raw) };
      posts.push(post);
      return await answer(post, posts.length);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/hook`,
    port: server.addr.port,
    posts,
    answers: (how) => void (answer = how),
    ids: () => posts.map(({ body }) => body.event_id),
    async [Symbol.asyncDispose]() {
      end.abort();
      await server.finished;
    },
  };
}

/** Far beyond what a loaded machine needs; it only ends a test that would never end. */
const PATIENCE_MS = 20_000;

/** Resolves as soon as a condition holds; looks again at every turn of the loop. */
export async function until(condition: () => boolean, what = "it never came to be"): Promise<void> {
  const started = performance.now();
  while (!condition()) {
    if (performance.now() - started > PATIENCE_MS) throw new Error(what);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
