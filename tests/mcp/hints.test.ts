/** The rules of change hints: who is told what, when, and what it costs. */
import assert from "node:assert/strict";
import { Follower, MAX_FOLLOWED } from "../../src/mcp/follower.ts";
import { createHints } from "../../src/mcp/hints.ts";
import { tip } from "../../src/store/events.ts";
import type { Store } from "../../src/store/open.ts";
import { type TestBus, testBus } from "../helpers/bus.ts";
import { turn } from "./streams.ts";

const register = (bus: TestBus, id: string) =>
  bus.call("register_session", { name: id, client_id: id });

const publish = (bus: TestBus, session_id?: string) =>
  bus.call("publish_event", { event_type: "x", payload: "p", session_id });

/** A bus with the sessions `a` and `b`, and what each was told. */
async function watching() {
  const bus = testBus();
  await register(bus, "a");
  await register(bus, "b");
  const hints = createHints(bus);
  const told: Record<string, number> = { a: 0, b: 0 };
  const stops = ["a", "b"].map((id) =>
    hints.watch(id, tip(bus.store), () => void (told[id] = (told[id] ?? 0) + 1))
  );
  return {
    bus,
    told,
    async [Symbol.asyncDispose]() {
      for (const stop of stops) stop();
      await turn();
      bus[Symbol.dispose]();
    },
  };
}

Deno.test("watch tells of what others sent, and of nothing that one sent oneself", async () => {
  await using room = await watching();
  const { bus, told } = room;
  await publish(bus, "a");
  await turn();
  assert.deepEqual(told, { a: 0, b: 1 });
  await publish(bus);
  await turn();
  assert.deepEqual(told, { a: 1, b: 2 });
});

Deno.test("watch tells once of all that one commit brought, whoever came first", async () => {
  await using room = await watching();
  const { bus, told } = room;
  await Promise.all([
    ...Array.from({ length: 20 }, () => publish(bus, "a")),
    ...Array.from({ length: 20 }, () => publish(bus, "b")),
  ]);
  await turn();
  assert.deepEqual(told, { a: 1, b: 1 });
});

Deno.test("watch tells nothing before a commit, and nothing of what was refused or only read", async () => {
  await using room = await watching();
  const { bus, told } = room;
  const published = publish(bus);
  const meanwhile = bus.store.inBatch(() => ({ ...told }));
  assert.deepEqual(await meanwhile, { a: 0, b: 0 });
  await published;
  await turn();
  assert.deepEqual(told, { a: 1, b: 1 });
  await bus.refusal("publish_event", { event_type: "x", payload: "x".repeat(300_000) });
  await bus.call("get_events", { session_id: "a", resume: true });
  await turn();
  assert.deepEqual(told, { a: 1, b: 1 });
});

Deno.test("watch from an earlier event tells at once, if something for the session came since", async () => {
  using bus = testBus();
  await register(bus, "a");
  const hints = createHints(bus);
  const before = tip(bus.store);
  let told = 0;
  await publish(bus, "a");
  hints.watch("a", before, () => told++)();
  assert.equal(told, 0);
  await publish(bus);
  hints.watch("a", before, () => told++)();
  assert.equal(told, 1);
  await turn();
});

Deno.test("watch tells of a session's end once, is silent then, and speaks again when it is back", async () => {
  await using room = await watching();
  const { bus, told } = room;
  await bus.call("unregister_session", { session_id: "a" });
  await turn();
  assert.deepEqual(told, { a: 1, b: 1 });
  await publish(bus, "b");
  await turn();
  assert.deepEqual(told, { a: 1, b: 1 });
  await register(bus, "a");
  await publish(bus, "b");
  await turn();
  assert.deepEqual(told, { a: 2, b: 1 });
});

Deno.test("watch lets everybody look for themselves when the log cannot be read", async () => {
  using bus = testBus();
  await register(bus, "a");
  let broken = false;
  const sql: Store["sql"] = (text) => {
    if (broken) throw new Error("disk on fire");
    return bus.store.sql(text);
  };
  const hints = createHints({ ...bus, store: { ...bus.store, sql } });
  let told = 0;
  const stop = hints.watch("a", tip(bus.store), () => told++);
  broken = true;
  await publish(bus, "a");
  await turn();
  assert.equal(told, 1);
  broken = false;
  await publish(bus, "a");
  await turn();
  assert.equal(told, 1);
  stop();
  await turn();
});

Deno.test("while nobody watches nothing runs, and a watcher that left is forgotten", async () => {
  using bus = testBus();
  await register(bus, "a");
  let [queries, waits] = [0, 0];
  const store = {
    ...bus.store,
    sql: (text: string) => {
      queries++;
      return bus.store.sql(text);
    },
  };
  const bell = {
    ...bus.bell,
    get rings() {
      return bus.bell.rings;
    },
    wait: (seen: number, signal: AbortSignal) => {
      waits++;
      return bus.bell.wait(seen, signal).finally(() => waits--);
    },
  };
  const hints = createHints({ ...bus, store, bell });
  await publish(bus);
  await turn();
  assert.deepEqual([queries, waits], [0, 0]);

  let told = 0;
  const stops = [1, 2].map(() => hints.watch("a", tip(bus.store), () => told++));
  assert.deepEqual(bus.readers.pathsTo("a"), ["subscription"]);
  await publish(bus);
  await turn();
  assert.equal(told, 2);
  assert.equal(waits, 1);
  for (const stop of stops) assert.equal(stop(), tip(bus.store));
  await turn();
  assert.deepEqual(bus.readers.pathsTo("a"), []);
  queries = 0;
  await publish(bus);
  await turn();
  assert.deepEqual([queries, waits, told], [0, 0, 2]);
});

Deno.test("a hundred watchers cost one look at the log and one at each session", async () => {
  using bus = testBus();
  const reads: string[] = [];
  const store = {
    ...bus.store,
    sql: (text: string) => {
      reads.push(text);
      return bus.store.sql(text);
    },
  };
  const hints = createHints({ ...bus, store });
  const stops: (() => number)[] = [];
  for (let i = 0; i < 50; i++) {
    await register(bus, `s-${i}`);
    for (let twice = 0; twice < 2; twice++) {
      stops.push(hints.watch(`s-${i}`, tip(bus.store), () => {}));
    }
  }
  await turn();
  reads.length = 0;
  await publish(bus);
  await turn();
  const ofEvents = reads.filter((text) => text.includes("FROM event"));
  assert.equal(ofEvents.length, 1);
  assert.ok(reads.length <= 50 + 5, `${reads.length} reads`);
  for (const stop of stops) stop();
  await turn();
});

/** A follower of fake hints, whose stream the test reads by hand. */
function following() {
  const tells = new Map<string, () => void>();
  const sent: string[] = [];
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  const watch = (sessionId: string, _after: number, tell: () => void) => {
    tells.set(sessionId, tell);
    return () => {
      tells.delete(sessionId);
      return 7;
    };
  };
  const follower = new Follower({ watch }, (uri) => {
    sent.push(uri);
    stream?.enqueue(new TextEncoder().encode(uri));
  });
  const open = () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (stream = controller),
    });
    return follower.carriedBy(new Response(body)).body!.getReader();
  };
  return { follower, tells, sent, open };
}

Deno.test("a follower that does not read has one hint in its stream and a flag for the rest", async () => {
  const { follower, tells, sent, open } = following();
  follower.follow("u:a", "a", 0);
  follower.follow("u:b", "b", 0);
  const reader = open();
  await turn();
  for (let i = 0; i < 1000; i++) {
    tells.get("a")?.();
    tells.get("b")?.();
    await Promise.resolve();
  }
  await turn();
  assert.deepEqual(sent, ["u:a"]);
  const read = async () => new TextDecoder().decode((await reader.read()).value);
  assert.deepEqual([await read(), await read(), await read()], ["u:a", "u:b", "u:a"]);
  await turn();
  tells.get("b")?.();
  assert.equal(await read(), "u:b");
  await reader.cancel();
  assert.equal(tells.size, 0);
});

Deno.test("a follower goes on with its next stream where the last one ended", async () => {
  const { follower, tells, sent, open } = following();
  follower.follow("u:a", "a", 3);
  assert.equal(tells.size, 0);
  const first = open();
  assert.equal(tells.size, 1);
  await first.cancel();
  assert.equal(tells.size, 0);
  const next = open();
  tells.get("a")?.();
  await next.read();
  assert.deepEqual(sent, ["u:a"]);
  follower.unfollow("u:a");
  assert.equal(tells.size, 0);
  await next.cancel();
});

Deno.test("a hint that nobody took before the stream ended is told on the next one", async () => {
  const { follower, tells, sent, open } = following();
  follower.follow("u:a", "a", 0);
  const first = open();
  await turn();
  tells.get("a")?.();
  await turn();
  await first.cancel();
  const next = open();
  assert.equal(new TextDecoder().decode((await next.read()).value), "u:a");
  assert.deepEqual(sent, ["u:a", "u:a"]);
  await turn();
  await next.cancel();
  const third = open();
  await turn();
  assert.equal(sent.length, 2);
  await third.cancel();
});

Deno.test(`a follower follows ${MAX_FOLLOWED} resources and no more`, () => {
  const { follower } = following();
  for (let i = 0; i < MAX_FOLLOWED; i++) {
    assert.equal(follower.canFollow(`u:${i}`), true);
    follower.follow(`u:${i}`, `${i}`, 0);
  }
  assert.equal(follower.canFollow("u:new"), false);
  assert.equal(follower.canFollow("u:0"), true);
  follower.unfollow("u:0");
  assert.equal(follower.canFollow("u:new"), true);
});
