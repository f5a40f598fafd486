/** The rules of webhooks, as operations show them, and what a filter lets pass against a plain model. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { dueIn, next, type Outlook } from "../../src/bus/sending.ts";
import { consumerOfWebhook, filterOfWebhook } from "../../src/bus/webhooks.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import type { Courier } from "../../src/courier.ts";
import { MAX_CHANNEL_LENGTH } from "../../src/channel.ts";
import { matches } from "../../src/filter.ts";
import { OPERATIONS } from "../../src/operations/all.ts";
import { deliveriesOf } from "../../src/store/deliveries.ts";
import { findEvent } from "../../src/store/events.ts";
import { findPosition } from "../../src/store/positions.ts";
import { findWebhook, type Webhook } from "../../src/store/webhooks.ts";
import { START, testBus } from "../helpers/bus.ts";

const URL_A = "http://127.0.0.1:9000/hook";
const SECRET = "s3cret-of-a-webhook";
const AT = new Date(START).toISOString();

Deno.test("register_webhook answers as the original did, and begins at the tip", async () => {
  using bus = testBus();
  await bus.call("publish_event", { event_type: "t", payload: "before" });
  assert.deepEqual(await bus.call("register_webhook", { url: URL_A }), {
    webhook_id: 1,
    url: URL_A,
    channel: null,
    event_types: null,
    created_at: AT,
  });
  const wanted = { url: URL_A, channel: "repo:*", event_types: ["a", "b,c"] };
  assert.deepEqual(await bus.call("register_webhook", { ...wanted, secret: SECRET }), {
    webhook_id: 2,
    ...wanted,
    created_at: AT,
  });
  await bus.call("publish_event", { event_type: "b,c", payload: "after", channel: "repo:x" });
  const state = { delivered_at: null, attempts: 0, failing_since: null, retry_at: null };
  const well = { ...state, last_error: null, paused_reason: null };
  assert.deepEqual(await bus.call("list_webhooks"), [
    {
      webhook_id: 2,
      ...wanted,
      active: true,
      created_at: AT,
      has_secret: true,
      ...well,
      unread: 1,
    },
    {
      ...{ webhook_id: 1, url: URL_A, channel: null, event_types: null, active: true },
      ...{ created_at: AT, has_secret: false, ...well, unread: 1 },
    },
  ]);
});

Deno.test("set_webhook_active and unregister_webhook answer as the original did", async () => {
  using bus = testBus();
  for (let n = 0; n < 2; n++) await bus.call("register_webhook", { url: URL_A });
  const set = (webhook_id: number, active: boolean) =>
    bus.call("set_webhook_active", { webhook_id, active });
  const ids = async (args = {}) =>
    (await bus.call("list_webhooks", args)).map(({ webhook_id }: { webhook_id: number }) =>
      webhook_id
    );
  assert.deepEqual(await set(1, false), { success: true, webhook_id: 1, active: false });
  assert.deepEqual(await ids(), [2]);
  assert.deepEqual(await ids({ active_only: false }), [2, 1]);
  assert.deepEqual(await set(1, true), { success: true, webhook_id: 1, active: true });
  assert.deepEqual(await bus.call("unregister_webhook", { webhook_id: 2 }), {
    success: true,
    webhook_id: 2,
  });
  assert.deepEqual(await ids(), [1]);
  assert.equal(findPosition(bus.store, consumerOfWebhook(2)), null);
  const again = await bus.call("register_webhook", { url: URL_A });
  assert.equal(again.webhook_id, 3, "an id means one webhook for ever");
});

Deno.test("an unknown webhook is refused with the original's fields, by every operation that names one", async () => {
  using bus = testBus();
  for (
    const [name, more] of [
      ["set_webhook_active", { active: true }],
      ["unregister_webhook", {}],
      ["test_webhook", {}],
    ] as const
  ) {
    for (const webhook_id of [7, 0, -1]) {
      const refusal = await bus.refusal(name, { webhook_id, ...more });
      assert.deepEqual([refusal.code, refusal.message, refusal.details], [
        "not_found",
        "Webhook not found",
        { success: false, webhook_id },
      ]);
    }
  }
});

Deno.test("register_webhook refuses what it must not call, too long texts, and one too many", async () => {
  using bus = testBus();
  const refused = async (args: Record<string, unknown>) => {
    const refusal = await bus.refusal("register_webhook", { url: URL_A, ...args });
    assert.doesNotMatch(refusal.message, new RegExp(SECRET));
    return refusal.code;
  };
  for (
    const args of [
      { url: "file:///etc/passwd" },
      { url: `http://a:${SECRET}@b/` },
      { url: "http://169.254.169.254/" },
      { url: `http://a/${"x".repeat(2048)}` },
      { channel: "x".repeat(MAX_CHANNEL_LENGTH + 1) },
      { channel: "a\nb" },
      { event_types: [""] },
      { event_types: "a,b" },
      { secret: SECRET.repeat(100) },
      { secret: [SECRET] },
    ]
  ) assert.equal(await refused(args), "invalid_argument", JSON.stringify(args));
  for (let n = 0; n < DEFAULT_LIMITS.principal_webhooks; n++) {
    await bus.call("register_webhook", { url: URL_A });
  }
  assert.equal(await refused({}), "conflict");
  await bus.call("unregister_webhook", { webhook_id: 50 });
  await bus.call("register_webhook", { url: URL_A });
});

Deno.test("a webhook's channel: a display id stands for its session, and a kind alone for all of it", async () => {
  using bus = testBus();
  const { display_id } = await bus.call("register_session", { name: "a", client_id: "c1" });
  const channel = async (wanted: string) =>
    (await bus.call("register_webhook", { url: URL_A, channel: wanted })).channel;
  assert.equal(await channel(`session:${display_id}`), "session:c1");
  assert.equal(await channel("session:"), "session:*");
  assert.equal(await channel("repo:"), "repo:*");
  assert.equal(await channel("repo:x"), "repo:x");
  assert.equal(await channel("*"), "*");
  assert.equal(await channel(""), null);
});

Deno.test("no operation that tells of webhooks tells a secret", async () => {
  using bus = testBus();
  const courier: Courier = {
    post: () => Promise.resolve({ taken: false, status: 500, error: "HTTP 500", hopeless: false }),
  };
  Object.assign(bus, { courier });
  const told = [
    await bus.call("register_webhook", { url: URL_A, secret: SECRET }),
    await bus.call("list_webhooks"),
    await bus.call("set_webhook_active", { webhook_id: 1, active: false }),
    await bus.call("list_webhooks", { active_only: false }),
    await bus.call("test_webhook", { webhook_id: 1 }),
    await bus.call("get_events"),
    await bus.call("unregister_webhook", { webhook_id: 1 }),
  ];
  assert.ok(!JSON.stringify(told).includes(SECRET));
  const shown = JSON.stringify(OPERATIONS.map(({ outputSchema }) => outputSchema));
  assert.ok(!shown.includes('"secret"'));
});

Deno.test("test_webhook sends one event outside the log, also to a paused webhook, and moves nothing", async () => {
  using bus = testBus();
  const sent: Record<string, unknown>[] = [];
  Object.assign(bus, {
    courier: {
      post(letter) {
        sent.push({ ...JSON.parse(letter.body), url: letter.url });
        return Promise.resolve({ taken: true, status: 204, error: null, hopeless: false });
      },
    } satisfies Courier,
  });
  await bus.call("register_webhook", { url: URL_A });
  await bus.call("set_webhook_active", { webhook_id: 1, active: false });
  await bus.call("publish_event", { event_type: "t", payload: "p" });
  assert.deepEqual(await bus.call("test_webhook", { webhook_id: 1 }), {
    success: true,
    webhook_id: 1,
    status: 204,
  });
  assert.equal(sent.length, 1);
  const [{ url, event_id, event_type, delivery_id, sent_at } = {}] = sent;
  assert.deepEqual([url, event_id, event_type, sent_at], [URL_A, 0, "webhook_test", AT]);
  assert.match(String(delivery_id), /^1-test-uuid-/);
  const [{ unread, delivered_at }] = await bus.call("list_webhooks", { active_only: false });
  assert.deepEqual([unread, delivered_at], [1, null]);
  assert.equal((await bus.call("get_events")).events.length, 1);
});

Deno.test("a direct message says that a webhook would take it, but not one that fails or takes some types", async () => {
  using bus = testBus();
  await bus.call("register_session", { name: "a", client_id: "c1" });
  const reach = async () => {
    const message = { event_type: "t", payload: "p", channel: "session:c1" };
    const { recipients: [recipient] } = await bus.call("publish_event", message);
    return recipient.reachable_by;
  };
  assert.deepEqual(await reach(), []);
  await bus.call("register_webhook", { url: URL_A, event_types: ["ci_failed"] });
  assert.deepEqual(await reach(), []);
  await bus.call("register_webhook", { url: URL_A, channel: "session:*" });
  assert.deepEqual(await reach(), ["webhook"]);
  bus.store.db.exec("UPDATE webhook SET failing_since = 1");
  assert.deepEqual(await reach(), []);
});

Deno.test("dueIn: the wait goes on over a restart, and a clock set back ends it", () => {
  const due = (retry_at: number | null, now: number) => dueIn({ retry_at } as Webhook, now);
  assert.equal(due(null, 5000), 0);
  assert.equal(due(4000, 5000), 0);
  assert.equal(due(5700, 5000), 700);
  assert.equal(due(5000 + 300_000, 5000), 300_000);
  assert.equal(due(5000 + 300_001, 5000), 0);
});

const CHANNELS = ["all", "repo:foo", "repo:foobar", "repo:Foo", "repo:f*o", "machine:m", "ünï:x"];
const TYPES = ["note", "a,b", "A", "session_registered"];

Deno.test("a webhook is sent exactly what its channel and types say, in order, whatever the filter", async () => {
  const text = fc.oneof(
    fc.constantFrom(...CHANNELS, "repo:*", "repo:f*", "*", "repo:foo*", "%*", "_*", "ü*"),
    fc.string({ maxLength: 4 }).map((s) => s.replace(/\p{Cc}/gu, "").toWellFormed()),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.option(text, { nil: undefined }),
      fc.option(fc.subarray(TYPES), { nil: undefined }),
      fc.array(
        fc.record({ channel: fc.constantFrom(...CHANNELS), type: fc.constantFrom(...TYPES) }),
      ),
      async (channel, types, events) => {
        using bus = testBus();
        await bus.call("register_webhook", { url: URL_A, channel, event_types: types });
        const expected: number[] = [];
        for (const event of events) {
          const { event_id } = await bus.call("publish_event", {
            event_type: event.type,
            payload: "",
            channel: event.channel,
          });
          const pattern = channel === undefined || channel === "" ? "*" : channel;
          const hears = pattern.endsWith("*")
            ? event.channel.startsWith(pattern.slice(0, -1))
            : event.channel === pattern;
          const wants = types === undefined || types.length === 0 || types.includes(event.type);
          if (hears && wants) expected.push(event_id);
        }
        const webhook = findWebhook(bus.store, 1);
        assert.ok(webhook);
        const got: number[] = [];
        let outlook: Outlook = { webhook, position: 0, scanned: 0 };
        for (;;) {
          const { event, through } = next(bus, outlook);
          if (event === null) break;
          got.push(event.id);
          assert.ok(through >= event.id);
          outlook = { webhook, position: through, scanned: through };
        }
        assert.deepEqual(got, expected);
        for (let id = 1; id <= events.length; id++) {
          const event = findEvent(bus.store, id);
          assert.ok(event);
          assert.equal(matches(event, filterOfWebhook(webhook)), expected.includes(id));
        }
        assert.deepEqual(
          deliveriesOf(bus.store, consumerOfWebhook(1), 1),
          [],
          "looking moves nothing",
        );
      },
    ),
    { numRuns: 150 },
  );
});
