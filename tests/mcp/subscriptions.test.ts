/** Subscriptions to inboxes, in both eras, over sockets and by hand. */
import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client as OldClient } from "@modelcontextprotocol/sdk/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport as OldTransport } from "@modelcontextprotocol/sdk/streamable-http";
import { MAX_FOLLOWED } from "../../src/mcp/follower.ts";
import { IDLE_MS } from "../../src/mcp/sessions.ts";
import {
  firstMessage,
  type Harness,
  harness,
  listen,
  post,
  toolCall,
  URL_OF_DOOR,
} from "./harness.ts";
import {
  LEGS,
  type Message,
  send,
  sessionOf,
  type Stream,
  streamOf,
  turn,
  until,
} from "./streams.ts";

const call = async (bus: Harness, name: string, args: unknown) =>
  (await firstMessage(await post(bus, toolCall(name, args)))).result.structuredContent;

const register = (bus: Harness, id: string) =>
  call(bus, "register_session", { name: id, client_id: id });
const publish = (bus: Harness, session_id?: string) =>
  call(bus, "publish_event", { event_type: "x", payload: "p", session_id });

const inbox = (id: string) => `event-bus://inbox/${id}`;
const isFollowed = ({ bus }: Harness, id: string) =>
  bus.readers.pathsTo(id).includes("subscription");

/** What every client can do here, whatever its era. */
interface Subscriber {
  connect(url: string): Promise<unknown>;
  /** Follows; answers how to stop. */
  follow(uri: string): Promise<() => Promise<unknown>>;
  read(uri: string): Promise<{ contents: unknown[] }>;
  close(): Promise<void>;
}

function oldClient(hints: string[]): Subscriber {
  const client = new OldClient({ name: "old", version: "1" });
  client.fallbackNotificationHandler = ({ method, params }) => {
    assert.equal(method, "notifications/resources/updated");
    hints.push(String(params?.uri));
    return Promise.resolve();
  };
  return {
    // deno-lint-ignore no-explicit-any
    connect: (url) => client.connect(new OldTransport(new URL(url)) as any),
    async follow(uri) {
      await client.subscribeResource({ uri });
      return () => client.unsubscribeResource({ uri });
    },
    read: (uri) => client.readResource({ uri }),
    close: () => client.close(),
  };
}

function newClient(hints: string[], mode: "legacy" | { pin: string }): Subscriber {
  const client = new Client({ name: "new", version: "2" }, { versionNegotiation: { mode } });
  client.setNotificationHandler(
    "notifications/resources/updated",
    ({ params }) => void hints.push(params.uri),
  );
  // Deno forgets to close a stream whose signal aborts when its response was collected before.
  const kept: Response[] = [];
  const keeping: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    kept.push(response);
    return response;
  };
  const transport = (url: string) =>
    new StreamableHTTPClientTransport(new URL(url), { fetch: keeping });
  return {
    connect: (url) => client.connect(transport(url)),
    async follow(uri) {
      if (mode === "legacy") {
        await client.subscribeResource({ uri });
        return () => client.unsubscribeResource({ uri });
      }
      const subscription = await client.listen({ resourceSubscriptions: [uri] });
      assert.deepEqual(subscription.honoredFilter, { resourceSubscriptions: [uri] });
      return () => subscription.close();
    },
    read: (uri) => client.readResource({ uri }),
    async close() {
      await client.close();
      kept.length = 0;
    },
  };
}

const CLIENTS: Record<string, (hints: string[]) => Subscriber> = {
  "the 1.x client": oldClient,
  "the 2.x client in the 2025 era": (hints) => newClient(hints, "legacy"),
  "the 2.x client in the 2026-07-28 era": (hints) => newClient(hints, { pin: "2026-07-28" }),
};

for (const [name, make] of Object.entries(CLIENTS)) {
  Deno.test(`createMcpDoor hints ${name} at what is new in an inbox, until it has enough`, async () => {
    await using bus = harness();
    await using server = listen(bus);
    await register(bus, "me");
    const hints: string[] = [];
    const client = make(hints);
    await client.connect(server.url);
    const stop = await client.follow(inbox("me"));
    await until("the subscription", () => isFollowed(bus, "me"));

    await publish(bus, "me");
    await publish(bus);
    await until("a hint", () => hints.length > 0);
    assert.deepEqual(hints, [inbox("me")]);
    const [content] = (await client.read(inbox("me"))).contents as { text: string }[];
    assert.equal(JSON.parse(content?.text ?? "").unread, 1);

    await stop();
    await until("the end", () => !isFollowed(bus, "me"));
    await publish(bus);
    // An answer that comes after what would have been a hint.
    await client.read("event-bus://guide");
    assert.equal(hints.length, 1);
    await client.close();
  });

  Deno.test(`createMcpDoor forgets ${name} when it goes without a word`, async () => {
    await using bus = harness();
    await using server = listen(bus);
    await register(bus, "me");
    const client = make([]);
    await client.connect(server.url);
    await client.follow(inbox("me"));
    await until("the subscription", () => isFollowed(bus, "me"));
    await client.close();
    await until("the end", () => !isFollowed(bus, "me"));
  });
}

/** Opens the stream of a session. */
const streamFor = async (bus: Harness, opened: Record<string, string>): Promise<Stream> =>
  streamOf(await bus.fetch(URL_OF_DOOR, { headers: opened }));

/** Sends a request of the 2025 revisions and answers what came back. */
const ask = async (
  bus: Harness,
  opened: Record<string, string>,
  method: string,
  uri: string,
): Promise<Message> =>
  await firstMessage(
    await post(bus, { jsonrpc: "2.0", id: "s", method, params: { uri } }, opened),
  );

const subscribe = (bus: Harness, opened: Record<string, string>, uri: string) =>
  ask(bus, opened, "resources/subscribe", uri);

Deno.test("a hint of a session names the address that was subscribed to, and nothing else", async () => {
  await using bus = harness();
  await register(bus, "a b");
  const opened = await sessionOf(bus);
  const stream = await streamFor(bus, opened);
  assert.deepEqual((await subscribe(bus, opened, inbox("a%20b"))).result, {});
  await publish(bus);
  assert.deepEqual(await stream.next(), {
    jsonrpc: "2.0",
    method: "notifications/resources/updated",
    params: { uri: inbox("a%20b") },
  });
  await stream.leave();
});

Deno.test("what happens while a session has no stream is told on the next one", async () => {
  await using bus = harness();
  await register(bus, "me");
  const opened = await sessionOf(bus);
  await subscribe(bus, opened, inbox("me"));
  assert.equal(isFollowed(bus, "me"), false);
  await publish(bus);
  const first = await streamFor(bus, opened);
  assert.equal((await first.next())?.params.uri, inbox("me"));
  assert.equal(isFollowed(bus, "me"), true);
  await first.leave();
  assert.equal(isFollowed(bus, "me"), false);
  await publish(bus, "me");
  const second = await streamFor(bus, opened);
  await turn();
  await publish(bus);
  assert.equal((await second.next())?.params.uri, inbox("me"));
  await second.leave();
});

Deno.test("a stream that is not read holds up nobody, and has few hints when it is", async () => {
  await using bus = harness();
  await register(bus, "me");
  const opened = await sessionOf(bus);
  const [lazy, keen] = [await streamFor(bus, opened), await listenTo(bus, [inbox("me")])];
  await subscribe(bus, opened, inbox("me"));
  await keen.next();
  for (let i = 0; i < 50; i++) {
    await publish(bus);
    assert.equal((await keen.next())?.params.uri, inbox("me"));
  }
  let hints = 0;
  const count = async () => {
    while (await lazy.next() !== null) hints++;
  };
  const counted = count();
  await turn();
  await bus.door.close();
  await counted;
  assert.ok(hints >= 1 && hints <= 4, `${hints} hints`);
  await keen.leave();
});

Deno.test("a session that ends, by its client or by age, is forgotten with its subscriptions", async () => {
  const time = { now: 0 };
  await using bus = harness({ sessions: { clock: () => time.now } });
  await register(bus, "me");
  const opened = await sessionOf(bus);
  const stream = await streamFor(bus, opened);
  await subscribe(bus, opened, inbox("me"));
  assert.equal(isFollowed(bus, "me"), true);
  await bus.fetch(URL_OF_DOOR, { method: "DELETE", headers: opened });
  assert.equal(isFollowed(bus, "me"), false);
  assert.equal(await stream.next(), null);

  const other = await sessionOf(bus);
  await subscribe(bus, other, inbox("me"));
  time.now += IDLE_MS;
  const late = await subscribe(bus, other, inbox("me"));
  assert.match(late.error?.message ?? "", /Cannot subscribe without a session/);
});

Deno.test("a subscription that cannot work is refused, and says why", async () => {
  await using bus = harness({ sessions: { max: 1 } });
  await register(bus, "me");
  await register(bus, "gone");
  await call(bus, "unregister_session", { session_id: "gone" });
  const opened = await sessionOf(bus);
  const refusal = async (headers: Record<string, string>, uri: string, method = "subscribe") =>
    (await ask(bus, headers, `resources/${method}`, uri)).error;

  for (const method of ["subscribe", "unsubscribe"]) {
    const alone = await refusal({}, inbox("me"), method);
    assert.equal(alone?.code, -32600);
    assert.match(alone.message, /Cannot subscribe without a session.*initialize one/);
  }
  const nobody = await refusal(opened, inbox("nobody"));
  assert.equal(nobody?.code, -32602);
  assert.match(nobody.message, /Resource not found: event-bus:\/\/inbox\/nobody/);
  const ended = await refusal(opened, inbox("gone"));
  assert.equal(ended?.code, -32602);
  assert.equal((ended.data as { session_deleted: boolean }).session_deleted, true);
  for (const uri of ["event-bus://inbox/", "event-bus://inbox/%E0%A4%A", "event-bus://nothing"]) {
    assert.match((await refusal(opened, uri))?.message ?? "", /Resource not found/, uri);
  }
  // Never changes: there is nothing to refuse and nothing to tell.
  assert.equal(await refusal(opened, "event-bus://guide"), undefined);
});

Deno.test("an initialize without room for a session promises no subscriptions", async () => {
  await using bus = harness({ sessions: { max: 1 } });
  const opened = await sessionOf(bus);
  const stream = await streamFor(bus, opened);
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: CLIENT };
  const { result } = await firstMessage(
    await post(bus, { jsonrpc: "2.0", id: 1, method: "initialize", params }),
  );
  assert.deepEqual(result.capabilities.resources, {});
  await stream.leave();
});

const CLIENT = { name: "t", version: "1" };

Deno.test(`a session subscribes to ${MAX_FOLLOWED} inboxes and no more`, async () => {
  await using bus = harness();
  const opened = await sessionOf(bus);
  for (let i = 0; i <= MAX_FOLLOWED; i++) await register(bus, `s-${i}`);
  for (let i = 0; i < MAX_FOLLOWED; i++) {
    assert.deepEqual((await subscribe(bus, opened, inbox(`s-${i}`))).result, {});
  }
  const last = inbox(`s-${MAX_FOLLOWED}`);
  const { error } = await subscribe(bus, opened, last);
  assert.match(error?.message ?? "", new RegExp(`more than ${MAX_FOLLOWED} inboxes`));
  await ask(bus, opened, "resources/unsubscribe", inbox("s-0"));
  assert.deepEqual((await subscribe(bus, opened, last)).result, {});
});

/** Asks for a stream of 2026-07-28 in process. */
function askToListen(bus: Harness, resourceSubscriptions: unknown): Promise<Response> {
  const { headers, body } = LEGS["of 2026-07-28"]!.request(
    "subscriptions/listen",
    { notifications: { resourceSubscriptions } },
    {},
  );
  return bus.fetch(URL_OF_DOOR, { method: "POST", headers, body });
}

const listenTo = async (bus: Harness, uris: unknown): Promise<Stream> =>
  streamOf(await askToListen(bus, uris));

Deno.test("listen acknowledges what it can tell of, and ends at once when that is nothing", async () => {
  await using bus = harness();
  await register(bus, "me");
  await register(bus, "gone");
  await call(bus, "unregister_session", { session_id: "gone" });
  const hopeless = ["event-bus://guide", "test://x", inbox("nobody"), inbox("gone")];
  const some = await listenTo(bus, [inbox("me"), ...hopeless]);
  const acknowledged = await some.next();
  assert.equal(acknowledged?.method, "notifications/subscriptions/acknowledged");
  assert.deepEqual(acknowledged.params.notifications, { resourceSubscriptions: [inbox("me")] });
  assert.equal(isFollowed(bus, "me"), true);
  await some.leave();
  assert.equal(isFollowed(bus, "me"), false);

  const none = await listenTo(bus, hopeless);
  assert.deepEqual((await none.next())?.params.notifications, {});
  assert.equal((await none.next())?.result.resultType, "complete");
  assert.equal(await none.next(), null);
});

Deno.test("listen refuses what is no list of addresses, and then follows nothing", async () => {
  await using bus = harness();
  await register(bus, "me");
  for (const nonsense of [[7, inbox("me")], "event-bus://inbox/me", { 0: "x" }]) {
    const response = await askToListen(bus, nonsense);
    assert.equal((await response.json()).error.code, -32602);
    assert.equal(isFollowed(bus, "me"), false);
  }
});

Deno.test("every stream of listen is told in its own name", async () => {
  await using bus = harness();
  await register(bus, "a");
  await register(bus, "b");
  const streams = [await listenTo(bus, [inbox("a")]), await listenTo(bus, [inbox("b")])];
  for (const stream of streams) await stream.next();
  await publish(bus, "a");
  assert.equal((await streams[1]?.next())?.params.uri, inbox("b"));
  await publish(bus, "b");
  const told = await streams[0]?.next();
  assert.equal(told?.params.uri, inbox("a"));
  assert.equal(told.params._meta["io.modelcontextprotocol/subscriptionId"], "r-1");
  for (const stream of streams) await stream.leave();
});

Deno.test("listen has room for so many streams, and a place that becomes free is taken", async () => {
  await using bus = harness({ maxListeners: 2 });
  await register(bus, "me");
  const [first, second] = [await listenTo(bus, [inbox("me")]), await listenTo(bus, [inbox("me")])];
  const refused = await (await askToListen(bus, [inbox("me")])).json();
  assert.equal(refused.error.code, -32603);
  assert.match(refused.error.message, /2 are open, which is the limit/);
  await first.leave();
  const third = await listenTo(bus, [inbox("me")]);
  assert.equal((await third.next())?.method, "notifications/subscriptions/acknowledged");
  await second.leave();
  await third.leave();
});

Deno.test("close ends the streams of listen with an answer", async () => {
  const bus = harness();
  await register(bus, "me");
  const stream = await listenTo(bus, [inbox("me")]);
  await stream.next();
  await bus.door.close();
  assert.equal((await stream.next())?.result.resultType, "complete");
  assert.equal(await stream.next(), null);
  assert.equal(isFollowed(bus, "me"), false);
  await bus[Symbol.asyncDispose]();
});

Deno.test("a client whose connection breaks is forgotten, in both eras", async () => {
  await using bus = harness();
  await using server = listen(bus);
  await register(bus, "me");
  const opened = await sessionOf(bus);
  await subscribe(bus, opened, inbox("me"));
  const notifications = { resourceSubscriptions: [inbox("me")] };
  const ways: ((signal: AbortSignal) => Promise<Stream>)[] = [
    async (signal) =>
      streamOf(
        await fetch(server.url, { headers: { Accept: "text/event-stream", ...opened }, signal }),
      ),
    (signal) =>
      send(
        server.url,
        LEGS["of 2026-07-28"]!,
        {},
        "subscriptions/listen",
        { notifications },
        signal,
      ),
  ];
  for (const open of ways) {
    const client = new AbortController();
    await open(client.signal);
    await until("the subscription", () => isFollowed(bus, "me"));
    client.abort();
    await until("the end", () => !isFollowed(bus, "me"));
  }
});
