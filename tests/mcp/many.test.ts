/** Many who wait: one publish wakes them all, whatever way they wait. */
import assert from "node:assert/strict";
import { TORTURE } from "../helpers/torture.ts";
import { firstMessage, type Harness, harness, listen, post, toolCall } from "./harness.ts";
import { LEGS, send, sessionOf, type Stream, streamOf, turn, until } from "./streams.ts";

const WAITS = TORTURE ? 1000 : 100;
const SUBSCRIPTIONS = 100;

const call = async (bus: Harness, name: string, args: unknown) =>
  (await firstMessage(await post(bus, toolCall(name, args)))).result.structuredContent;

const ids = (what: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${what}-${i}`);

/** Opens what `open` opens for each, a handful at a time: a client's listen backlog is short. */
async function openAll<T>(
  each: string[],
  open: (id: string, i: number) => Promise<T>,
): Promise<T[]> {
  const opened: T[] = [];
  for (let i = 0; i < each.length; i += 50) {
    opened.push(...await Promise.all(each.slice(i, i + 50).map((id, j) => open(id, i + j))));
  }
  return opened;
}

const inbox = (id: string) => `event-bus://inbox/${id}`;

Deno.test(`one publish wakes ${WAITS} waits and ${SUBSCRIPTIONS} subscriptions, and then nothing is left of them`, async () => {
  await using bus = harness();
  await using server = listen(bus);
  const [waiters, subscribers] = [ids("w", WAITS), ids("s", SUBSCRIPTIONS)];
  for (const id of [...waiters, ...subscribers]) {
    await call(bus, "register_session", { name: id, client_id: id });
  }
  const legs = Object.values(LEGS);
  const waits = await openAll(waiters, async (session_id, i) => {
    const leg = legs[i % legs.length]!;
    const args = { session_id, resume: true, wait_seconds: 300, event_types: ["wake"] };
    const opened = await leg.open(bus);
    return await send(server.url, leg, opened, "tools/call", {
      name: "get_events",
      // On a consumer of its own a narrowed read is a subscription.
      arguments: { ...args, consumer: "waker" },
    });
  });
  const streams = await openAll(subscribers, async (id, i): Promise<Stream> => {
    if (i % 2 === 0) {
      const notifications = { resourceSubscriptions: [inbox(id)] };
      const leg = LEGS["of 2026-07-28"]!;
      const stream = await send(server.url, leg, {}, "subscriptions/listen", { notifications });
      await stream.next();
      return stream;
    }
    const opened = await sessionOf(bus);
    const subscribe = {
      jsonrpc: "2.0",
      id: 1,
      method: "resources/subscribe",
      params: { uri: inbox(id) },
    };
    await (await post(bus, subscribe, opened)).text();
    const headers = { Accept: "text/event-stream", ...opened };
    return streamOf(await fetch(server.url, { headers }));
  });
  const { readers } = bus.bus;
  const listening = () =>
    [...waiters, ...subscribers].filter((id) => readers.pathsTo(id).length > 0).length;
  await until("everybody", () => listening() === WAITS + SUBSCRIPTIONS);

  const { event_id } = await call(bus, "publish_event", { event_type: "wake", payload: "up" });
  const pages = await Promise.all(waits.map((wait) => wait.next()));
  const woken = pages.filter((page) => page?.result.structuredContent.events[0]?.id === event_id);
  assert.equal(woken.length, WAITS);
  const hints = await Promise.all(streams.map((stream) => stream.next()));
  assert.deepEqual(hints.map((hint) => hint?.params.uri), subscribers.map(inbox));

  for (const wait of waits) assert.equal(await wait.next(), null);
  for (const stream of streams) await stream.leave();
  await until("nobody", () => listening() === 0);
  await turn();
});
