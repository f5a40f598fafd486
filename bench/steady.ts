/** A steady load with a little of everything: what comes and goes is what leaks where something does. */
import { join } from "node:path";

export interface Load {
  /** How many calls were answered. */
  readonly calls: number;
  /** What went wrong; mostly nothing. */
  readonly failures: readonly string[];
  /** Ends it, when everything under way is done. */
  stop(): Promise<void>;
}

const TICK_MS = 50;
const TICKS_A_SECOND = 1000 / TICK_MS;
/** Sessions that publish and read on. */
const SESSIONS = 10;
const PRUNE_EVERY_S = 30;
const BACKUP_EVERY_S = 60;

/** Starts the load on a bus, twenty events a second and some ten other calls; files go to `folder`. */
export async function startLoad(url: string, folder: string): Promise<Load> {
  const failures: string[] = [];
  const over = new AbortController();
  const running = new Set<Promise<void>>();
  let calls = 0;

  async function post(path: string, body: unknown, expected = 200): Promise<unknown> {
    const response = await fetch(url + path, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
      },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (response.status !== expected) throw new Error(`${path}: ${response.status} ${text}`);
    calls++;
    return text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : null;
  }
  const call = (operation: string, args: object = {}, expected?: number) =>
    post(`/v1/${operation}`, args, expected);

  /** Lets something go on by itself; that it fails is told, unless the load is over. */
  function begin(job: Promise<unknown>): void {
    const one = job.then(() => {}, (failure) => {
      if (!over.signal.aborted) failures.push(String(failure));
    }).finally(() => running.delete(one));
    running.add(one);
  }

  const receiver = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      await request.arrayBuffer();
      return new Response();
    },
  );

  async function follow(signal: AbortSignal, query: string): Promise<void> {
    const response = await fetch(`${url}/v1/events/stream?${query}`, { signal });
    const reader = response.body?.getReader();
    signal.addEventListener("abort", () => void reader?.cancel().catch(() => {}), { once: true });
    while (reader !== undefined && !(await reader.read()).done);
  }

  async function readOn(session_id: string): Promise<void> {
    while (!over.signal.aborted) {
      await call("get_events", { session_id, resume: true, order: "asc", wait_seconds: 2 });
    }
  }

  const names = Array.from({ length: SESSIONS }, (_, n) => `steady-${n}`);
  for (const name of names) await call("register_session", { name, client_id: name });
  await call("register_webhook", { url: `http://127.0.0.1:${receiver.addr.port}/` });
  for (const name of names) begin(readOn(name));
  for (const name of names.slice(0, 5)) begin(follow(over.signal, `channel=session:${name}`));
  begin(follow(over.signal, "event_types=steady"));

  /** What happens once a second, beside the events. */
  function everySecond(second: number): void {
    const passing = `passing-${second}`;
    begin((async () => {
      await call("register_session", { name: passing, client_id: passing });
      const leave = new AbortController();
      const followed = follow(leave.signal, `session_id=${passing}`).catch(() => {});
      await call("publish_event", {
        event_type: "dm",
        payload: "hi",
        channel: `session:${passing}`,
      });
      await call("get_events", { session_id: passing, resume: true });
      leave.abort();
      await followed;
      await call("unregister_session", { session_id: passing });
    })());
    begin(call("list_sessions"));
    begin(call("search_events", { query: `steady ${second}` }));
    begin(call("get_events", { session_id: passing, cursor: "soon" }, 400));
    begin(post("/mcp", {
      jsonrpc: "2.0",
      id: second,
      method: "tools/call",
      params: { name: "list_channels", arguments: {} },
    }));
    if (second % PRUNE_EVERY_S === 0) begin(call("prune", { older_than_seconds: 60 }));
    if (second % BACKUP_EVERY_S === 0) {
      begin(call("backup", { path: join(folder, "soak-backup.db"), force: true }));
    }
  }

  let ticks = 0;
  const timer = setInterval(() => {
    const session_id = names[ticks % SESSIONS];
    const payload = `steady ${ticks} ${"x".repeat(400)}`;
    begin(call("publish_event", { event_type: "steady", payload, session_id }));
    if (++ticks % TICKS_A_SECOND === 0) everySecond(ticks / TICKS_A_SECOND);
  }, TICK_MS);

  return {
    get calls() {
      return calls;
    },
    failures,
    async stop() {
      clearInterval(timer);
      over.abort();
      await Promise.all(running);
      await receiver.shutdown();
    },
  };
}
