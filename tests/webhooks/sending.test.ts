/** Webhooks against a real receiver: what arrives, in which order, how often, and what is left. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { VERSION } from "../../src/build.ts";
import { retryDelay } from "../../src/bus/sending.ts";
import { consumerOfWebhook } from "../../src/bus/webhooks.ts";
import { createCourier } from "../../src/courier.ts";
import { deliveriesOf } from "../../src/store/deliveries.ts";
import { MAX_SCAN } from "../../src/store/events.ts";
import { receiver, until } from "../helpers/receiver.ts";
import { forever, HOUR_MS, sendingBus } from "../helpers/webhooks.ts";

const SECRET = "a secret nobody should see";
const refuses = (status: number) => () => new Response("no", { status });

Deno.test("webhook: an event arrives as the original sent it, with a delivery id and the time, signed", async () => {
  await using hook = receiver();
  await using b = sendingBus();
  const id = await b.register({ url: `${hook.url}?a=b`, secret: SECRET });
  const event_id = await b.publish({
    event_type: "täst \u0007",
    payload: "naïve ✓\n",
    channel: "repo:x",
    title: "T",
    tags: ["a", "b"],
    correlation_id: "thread",
  });
  await b.sent(id, event_id);
  const [post] = hook.posts;
  assert.ok(post);
  const at = new Date(b.bus.clock()).toISOString();
  assert.deepEqual(post.body, {
    id: event_id,
    event_id,
    event_type: "täst \u0007",
    payload: "naïve ✓\n",
    session_id: "anonymous",
    timestamp: at,
    channel: "repo:x",
    correlation_id: "thread",
    signal_level: "info",
    title: "T",
    tags: ["a", "b"],
    delivery_id: `${id}-${event_id}`,
    sent_at: at,
  });
  const signature = createHmac("sha256", SECRET).update(post.raw).digest("hex");
  const header = (name: string) => post.headers.get(name);
  assert.equal(header("x-event-bus-signature"), `sha256=${signature}`);
  assert.equal(header("x-event-bus-delivery"), `${id}-${event_id}`);
  assert.equal(header("x-event-bus-event"), "t?st??");
  assert.equal(header("content-type"), "application/json");
  assert.equal(header("user-agent"), `event-bus/${VERSION}`);
  assert.ok(!post.raw.includes(SECRET));
});

Deno.test("webhook: without a secret there is no signature; every kind of event comes, in order", async () => {
  await using hook = receiver();
  await using b = sendingBus();
  const id = await b.register({ url: hook.url });
  await b.bus.call("register_session", { name: "a", client_id: "c1", machine: "far" });
  await b.publish({ session_id: "c1", channel: "session:c1" });
  await b.bus.call("unregister_session", { session_id: "c1" });
  await b.sent(id, 3);
  assert.deepEqual(
    hook.posts.map(({ body }) => [body.event_id, body.event_type]),
    [[1, "session_registered"], [2, "note"], [3, "session_unregistered"]],
  );
  assert.equal(hook.posts[0]?.headers.has("x-event-bus-signature"), false);
});

Deno.test("webhook: a failing event is repeated under one delivery id and blocks those after it", async () => {
  const dues = [503, 404, 302, 500];
  await using hook = receiver((_post, count) =>
    new Response(null, {
      status: dues[count - 1] ?? 204,
      headers: count === 3 ? { location: "/elsewhere" } : {},
    })
  );
  await using b = sendingBus();
  const id = await b.register({ url: hook.url });
  const first = await b.publish();
  const last = await b.publish();
  await b.sent(id, last);
  assert.deepEqual(hook.ids(), [first, first, first, first, first, last]);
  assert.deepEqual(new Set(hook.posts.map(({ path }) => path)), new Set(["/hook"]));
  assert.deepEqual(
    new Set(hook.posts.map(({ body }) => body.delivery_id)),
    new Set([`${id}-${first}`, `${id}-${last}`]),
  );
  assert.equal(b.waits.length, 4);
  b.waits.forEach((wait, n) => {
    assert.ok(wait >= 500 * 2 ** n && wait <= 1000 * 2 ** n, `wait ${n}: ${wait}`);
  });
  const { attempts, failing_since, retry_at, last_error, active } = b.webhook(id);
  assert.deepEqual([attempts, failing_since, retry_at, last_error, active], [
    0,
    null,
    null,
    null,
    true,
  ]);
});

for (
  const [what, status, error] of [
    ["an error of the receiver", 503, "HTTP 503"],
    ["a refusal", 401, "HTTP 401"],
    ["a redirect", 307, "HTTP 307, a redirect, which is not followed"],
  ] as const
) {
  Deno.test(`webhook: ${what} is a failure, and the listing says so`, async () => {
    const headers = { location: "http://127.0.0.1:9/" };
    await using hook = receiver(() => new Response(null, { status, headers }));
    await using b = sendingBus({ sleep: forever });
    const id = await b.register({ url: hook.url, secret: SECRET });
    await b.publish();
    await b.publish();
    await until(() => b.waits.length === 1);
    const [listed] = await b.bus.call("list_webhooks");
    const now = b.bus.clock();
    const { created_at: _, retry_at, ...rest } = listed;
    assert.deepEqual(rest, {
      webhook_id: id,
      url: hook.url,
      channel: null,
      event_types: null,
      active: true,
      has_secret: true,
      delivered_at: null,
      attempts: 1,
      failing_since: new Date(now).toISOString(),
      last_error: error,
      paused_reason: null,
      unread: 2,
    });
    const wait = Date.parse(retry_at) - now;
    assert.ok(wait >= 500 && wait <= 1000);
    assert.equal(hook.posts.length, 1);
  });
}

Deno.test("webhook: a receiver that hangs is left after its time, and one that answers late gets a repeat", async () => {
  const late = Promise.withResolvers<Response>();
  await using hook = receiver((_post, count) => count === 1 ? late.promise : new Response());
  await using b = sendingBus({ courier: createCourier({ timeoutMs: 300 }), sleep: forever });
  const id = await b.register({ url: hook.url });
  const event = await b.publish();
  await until(() => b.waits.length === 1);
  assert.equal(b.webhook(id).last_error, "no answer within 0.3 s");
  late.resolve(new Response());
  assert.equal(b.position(id), event - 1, "an answer that nobody waited for counts for nothing");
  await b.bus.call("set_webhook_active", { webhook_id: id, active: true });
  await b.sent(id, event);
  assert.deepEqual(hook.ids(), [event, event]);
  assert.equal(new Set(hook.posts.map(({ body }) => body.delivery_id)).size, 1);
});

Deno.test("webhook: a receiver that restarts gets what it missed, in order", async () => {
  const before = receiver();
  await using b = sendingBus({ sleep: forever });
  const id = await b.register({ url: before.url });
  const first = await b.publish();
  await b.sent(id, first);
  await before[Symbol.asyncDispose]();
  const missed = [await b.publish(), await b.publish()];
  await until(() => b.waits.length === 1);
  assert.match(b.webhook(id).last_error ?? "", /refused|reset|closed/i);

  await using after = receiver(undefined, before.port);
  await b.bus.call("set_webhook_active", { webhook_id: id, active: true });
  await b.sent(id, missed[1] as number);
  assert.deepEqual(before.ids(), [first]);
  assert.deepEqual(after.ids(), missed);
});

Deno.test("webhook: over a restart of the bus nothing is lost, and its failures and waits go on", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/data.db`;
    await using hook = receiver((_post, count) =>
      new Response(null, { status: count <= 2 ? 500 : 200 })
    );
    let id: number;
    let failing: number | null;
    {
      await using b = sendingBus({
        path,
        // The first wait ends, the second is cut short by the end of the bus.
        sleep: (ms, signal, bus) => {
          if (hook.posts.length > 1) return forever(ms, signal);
          bus.pass(ms);
          return Promise.resolve();
        },
      });
      id = await b.register({ url: hook.url, secret: SECRET });
      await b.publish({ payload: "one" });
      await b.publish({ payload: "two" });
      await until(() => b.waits.length === 2);
      failing = b.webhook(id).failing_since;
      assert.equal(b.webhook(id).attempts, 2);
    }
    await using again = sendingBus({ path, later: 1000 });
    assert.equal(again.webhook(id).attempts, 2);
    assert.equal(again.webhook(id).failing_since, failing);
    const three = await again.publish({ payload: "three" });
    await again.sent(id, three);
    assert.equal(again.waits.length, 1, "the wait that was due went on");
    assert.ok((again.waits[0] ?? 0) <= 2000);
    assert.deepEqual(hook.posts.map(({ body }) => body.payload), [
      "one",
      "one",
      "one",
      "two",
      "three",
    ]);
    assert.equal(new Set(hook.posts.map(({ body }) => body.delivery_id)).size, 3);
    const record = deliveriesOf(again.bus.store, consumerOfWebhook(id), 1);
    assert.deepEqual(record.map((row) => [row.from_id, row.path, row.count]), [[0, "webhook", 1]]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("webhook: an attempt that the end of the bus cuts is repeated after its restart", async () => {
  const folder = Deno.makeTempDirSync();
  const never = Promise.withResolvers<Response>();
  try {
    const path = `${folder}/data.db`;
    await using hook = receiver((_post, count) => count === 1 ? never.promise : new Response());
    let id: number;
    {
      await using b = sendingBus({ path });
      id = await b.register({ url: hook.url });
      await b.publish();
      await until(() => hook.posts.length === 1);
    }
    await using again = sendingBus({ path });
    await again.sent(id, 1);
    assert.deepEqual(hook.ids(), [1, 1]);
    assert.equal(again.webhook(id).attempts, 0, "nobody knows that it failed");
    never.resolve(new Response());
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("webhook: after hours of failures it is paused for all to see, and resumed it loses nothing", async () => {
  await using hook = receiver(refuses(502));
  await using b = sendingBus({ giveUpMs: 2 * HOUR_MS });
  const id = await b.register({ url: `${hook.url}/path-token`, secret: SECRET });
  const began = b.bus.clock();
  const first = await b.publish();
  await b.paused(id);
  const failed = b.bus.clock() - began;
  assert.ok(failed >= 2 * HOUR_MS && failed < 2 * HOUR_MS + 6 * 60_000, `${failed} ms`);
  assert.deepEqual(new Set(hook.ids()), new Set([first]));
  const { paused_reason, attempts, retry_at } = b.webhook(id);
  assert.match(paused_reason ?? "", /^gave up after 2(\.1)? hours of failures: HTTP 502$/);
  assert.equal(attempts, hook.posts.length);
  assert.equal(retry_at, null);
  assert.deepEqual(await b.bus.call("list_webhooks"), []);
  const [listed] = await b.bus.call("list_webhooks", { active_only: false });
  assert.deepEqual([listed.active, listed.paused_reason], [false, paused_reason]);

  const { events: [told] } = await b.bus.call("get_events", { event_types: ["webhook_paused"] });
  assert.equal(told.channel, "all");
  assert.equal(told.signal_level, "actionable");
  assert.match(
    told.payload,
    new RegExp(`^Webhook ${id} to http://127.0.0.1:${hook.port} is paused`),
  );
  assert.doesNotMatch(told.payload, /path-token|secret/, "only its host is told to everybody");

  hook.answers(() => new Response());
  const tried = hook.posts.length;
  const last = await b.publish();
  await b.bus.call("set_webhook_active", { webhook_id: id, active: true });
  await b.sent(id, last);
  assert.deepEqual(hook.ids().slice(tried), [first, told.id, last]);
  assert.equal(b.webhook(id).paused_reason, null);
});

Deno.test("webhook: the time that the bus slept does not count as patience", async () => {
  await using hook = receiver(refuses(500));
  let asleep = true;
  await using b = sendingBus({
    sleep(ms, _signal, bus) {
      bus.pass(asleep ? 48 * HOUR_MS : ms);
      asleep = false;
      return Promise.resolve();
    },
  });
  const id = await b.register({ url: hook.url });
  await b.publish();
  await b.paused(id);
  assert.equal(hook.posts.length, 3, "the attempt after the sleep is followed by one more");
});

Deno.test("webhook: a paused one is sent nothing and continues where it stopped", async () => {
  await using hook = receiver();
  await using b = sendingBus();
  const id = await b.register({ url: hook.url });
  const other = await b.register({ url: hook.url });
  const first = await b.publish();
  await b.sent(id, first);
  await b.bus.call("set_webhook_active", { webhook_id: id, active: false });
  const missed = [await b.publish(), await b.publish()];
  await b.sent(other, missed[1] as number);
  assert.equal(b.position(id), first);
  const [, listed] = await b.bus.call("list_webhooks", { active_only: false });
  assert.deepEqual([listed.active, listed.unread, listed.paused_reason], [false, 2, null]);
  await b.bus.call("set_webhook_active", { webhook_id: id, active: true });
  await b.sent(id, missed[1] as number);
  const mine = hook.posts.filter(({ body }) => body.delivery_id.startsWith(`${id}-`));
  assert.deepEqual(mine.map(({ body }) => body.event_id), [first, ...missed]);
});

Deno.test("webhook: pausing and resuming while an attempt runs neither skips nor doubles it", async () => {
  const answer = Promise.withResolvers<Response>();
  await using hook = receiver((_post, count) => count === 1 ? answer.promise : new Response());
  await using b = sendingBus();
  const id = await b.register({ url: hook.url });
  const [first, second] = [await b.publish(), await b.publish()];
  await until(() => hook.posts.length === 1);
  for (const active of [false, true, false, true]) {
    await b.bus.call("set_webhook_active", { webhook_id: id, active });
  }
  answer.resolve(new Response());
  await b.sent(id, second);
  assert.deepEqual(hook.ids(), [first, second]);
});

Deno.test("webhook: one that is removed in the middle of an attempt leaves nothing behind", async () => {
  const answer = Promise.withResolvers<Response>();
  await using hook = receiver(() => answer.promise);
  await using b = sendingBus();
  const id = await b.register({ url: hook.url });
  await b.publish();
  await until(() => hook.posts.length === 1);
  await b.bus.call("unregister_webhook", { webhook_id: id });
  answer.resolve(new Response());
  const next = await b.register({ url: hook.url });
  await b.sent(next, await b.publish());
  assert.equal(b.position(id), null);
  assert.equal(deliveriesOf(b.bus.store, consumerOfWebhook(id), 1).length, 0);
});

Deno.test("webhook: what its filter leaves out is passed without a row each, and once when it is much", async () => {
  await using hook = receiver();
  await using b = sendingBus();
  const id = await b.register({ url: hook.url, channel: "repo:*" });
  const rows = () =>
    b.bus.store.db.prepare("SELECT from_id, through_id, count FROM delivery").all()
      .map((row) => ({ ...row }));
  await b.publish();
  await b.publish();
  const wanted = await b.publish({ channel: "repo:x" });
  await b.sent(id, wanted);
  assert.deepEqual(rows(), [{ from_id: 0, through_id: wanted, count: 1 }]);

  await b.bus.store.inBatch(() => {
    const insert = b.bus.store.db.prepare(
      "INSERT INTO event (event_type, payload, channel, session_id, at, signal_level) VALUES ('t', '', 'all', 'x', 0, 1)",
    );
    for (let n = 0; n < MAX_SCAN; n++) insert.run();
  });
  b.bus.bell.ring();
  await b.sent(id, wanted + MAX_SCAN);
  assert.deepEqual(rows()[1], { from_id: wanted, through_id: wanted + MAX_SCAN, count: 0 });
  assert.deepEqual(hook.ids(), [wanted]);
});

Deno.test("webhook: one that is paused, or waits to try again, runs no query when something is published", async () => {
  await using hook = receiver(refuses(500));
  await using b = sendingBus({ sleep: forever });
  const queries = async () => {
    const { store } = b.bus;
    const real = store.sql;
    let count = 0;
    const counted = (text: string) => {
      count++;
      return real(text);
    };
    Object.assign(store, { sql: counted });
    await b.publish();
    // Whoever was woken has had its turn.
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    Object.assign(store, { sql: real });
    return count;
  };
  const without = await queries();
  const failing = await b.register({ url: hook.url });
  await b.publish();
  await until(() => b.waits.length === 1);
  const paused = await b.register({ url: hook.url });
  await until(() => b.waits.length === 2);
  await b.bus.call("set_webhook_active", { webhook_id: paused, active: false });
  await until(() => b.waits.length === 3);
  assert.equal(b.webhook(failing).attempts, 1);
  assert.equal(await queries(), without);

  hook.answers(() => new Response());
  await b.bus.call("set_webhook_active", { webhook_id: failing, active: true });
  await b.sent(failing, await b.publish());
  assert.ok(await queries() > without, "one that works looks");
});

Deno.test("webhook: a bad URL that was carried over is paused at its first event, with the reason", async () => {
  await using b = sendingBus();
  const insert = (url: string) =>
    b.bus.store.db.prepare("INSERT INTO webhook (url, created_at) VALUES (?, 0)").run(url);
  await b.publish();
  insert("file:///etc/passwd");
  insert("http://169.254.169.254/latest");
  b.bus.webhookBell.ring();
  await until(() => b.position(2) !== null);
  assert.deepEqual([b.position(1), b.position(2)], [1, 1], "they begin where they are first seen");
  await b.publish();
  await b.paused(1);
  await b.paused(2);
  assert.match(b.webhook(1).paused_reason ?? "", /an http or https URL is expected/);
  assert.match(b.webhook(2).paused_reason ?? "", /its host is a cloud's metadata service$/);
  assert.equal(b.waits.length, 0, "trying again is of no use");
});

Deno.test("webhook: a fault of our own blames no receiver and is tried again", async () => {
  await using hook = receiver();
  let broken = true;
  await using b = sendingBus();
  const { inBatch } = b.bus.store;
  const id = await b.register({ url: hook.url });
  Object.assign(b.bus.store, {
    inBatch(write: Parameters<typeof inBatch>[0]) {
      if (!broken || hook.posts.length === 0) return inBatch(write);
      broken = false;
      return Promise.reject(new Error("disk full"));
    },
  });
  const event = await b.publish();
  await b.sent(id, event);
  assert.deepEqual(hook.ids(), [event, event], "it was not written down, so it is sent again");
  assert.equal(b.webhook(id).attempts, 0);
});

Deno.test("retryDelay doubles from a second to five minutes, each between half and all of it", () => {
  const full = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 40, 2000].map((n) => retryDelay(n, 1 - 1e-9));
  assert.deepEqual(full, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300].map((s) => s * 1000));
  assert.deepEqual([1, 2, 9, 10].map((n) => retryDelay(n, 0)), [500, 1000, 128_000, 150_000]);
  assert.equal(retryDelay(1, 0.5), 750);
});
