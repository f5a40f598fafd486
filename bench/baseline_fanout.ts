/**
 * The least that a fan-out can do: the same bytes to everybody who listens or waits. With a file as
 * its argument they are kept there first, the way an acknowledged publish has to be.
 */
import { listen } from "./listen.ts";

const EVENT = {
  id: 1,
  event_id: 1,
  event_type: "done",
  payload: "Finished",
  session_id: "anonymous",
  timestamp: "2026-01-08T12:00:00.000Z",
  channel: "repo:bench",
  correlation_id: null,
  signal_level: "info",
};
const PAGE = { events: [EVENT], next_cursor: "1", has_more: false, unread: 0 };

const encoder = new TextEncoder();
const BLOCK = encoder.encode(`id: 1\ndata: ${JSON.stringify(EVENT)}\n\n`);
const START = encoder.encode("retry: 1000\nid: 0\n\n");

const [path] = Deno.args;
const file = path === undefined ? null : Deno.openSync(path, { create: true, append: true });

const streams = new Set<ReadableStreamDefaultController<Uint8Array>>();
let waiting: ((answer: Response) => void)[] = [];

function stream(): Response {
  let own: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      streams.add(own = controller);
      controller.enqueue(START);
    },
    cancel: () => void streams.delete(own),
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

function publish(): Response {
  if (file !== null) {
    file.writeSync(BLOCK);
    file.syncDataSync();
  }
  const woken = waiting;
  waiting = [];
  for (const controller of streams) controller.enqueue(BLOCK);
  for (const answer of woken) answer(Response.json(PAGE));
  return Response.json({ event_id: 1 });
}

listen(async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/v1/events/stream") return stream();
  if (pathname === "/health") return Response.json({});
  await request.arrayBuffer();
  if (pathname === "/v1/publish_event") return publish();
  return await new Promise<Response>((resolve) => waiting.push(resolve));
});
