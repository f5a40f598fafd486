/** Webhooks of a real server: started with it, stopped with it, and silent about secrets in its log. */
import assert from "node:assert/strict";
import { configure, reset } from "@logtape/logtape";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { envOf, tempHome } from "../helpers/home.ts";
import { receiver, until } from "../helpers/receiver.ts";

const SECRET = "a-secret-for-signing";

Deno.test("server: webhooks go on where they stood after a restart; neither log nor answers know secrets", async () => {
  using home = tempHome();
  await using hook = receiver();
  const logged: string[] = [];
  await configure({
    sinks: {
      memory: (record) => void logged.push(JSON.stringify([record.message, record.properties])),
    },
    loggers: [{ category: "event-bus", sinks: ["memory"], lowestLevel: "debug" }],
  });
  try {
    const told: string[] = [];
    const during = async (
      work: (call: (name: string, args: object) => Promise<unknown>) => Promise<void>,
    ) => {
      const server = startServer(loadConfig({ port: "0", machine: "home" }, envOf(home)));
      try {
        await work(async (name, args) => {
          const response = await fetch(`${server.url}/v1/${name}`, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(args),
          });
          const text = await response.text();
          told.push(text);
          return JSON.parse(text);
        });
      } finally {
        await server.close();
      }
    };
    const publish = { event_type: "t", payload: "p" };
    await during(async (call) => {
      await call("register_webhook", { url: `${hook.url}/url-token`, secret: SECRET });
      await call("publish_event", publish);
      await until(() => hook.posts.length === 1);
      await call("set_webhook_active", { webhook_id: 1, active: false });
      await call("publish_event", publish);
    });
    await during(async (call) => {
      await call("set_webhook_active", { webhook_id: 1, active: true });
      await until(() => hook.posts.length === 2);
      hook.answers(() => new Response(SECRET, { status: 500 }));
      await call("publish_event", publish);
      await until(() => logged.some((line) => line.includes("HTTP 500")));
      await call("list_webhooks", {});
    });
    hook.answers(() => new Response());
    await during(async (call) => {
      await call("set_webhook_active", { webhook_id: 1, active: true });
      await until(() => hook.ids().length > 3);
    });
    assert.deepEqual([...new Set(hook.ids())], [1, 2, 3]);
    assert.ok(logged.some((line) => line.includes("register_webhook ok")));
    assert.ok(!logged.join().includes(SECRET), "in the log");
    assert.ok(!logged.join().includes("url-token"), "in the log");
    assert.ok(!told.join().includes(SECRET), "in an answer");
  } finally {
    await reset();
  }
});

Deno.test("loadConfig: webhook_give_up_hours is a day unless it is set, and more than nothing", () => {
  using home = tempHome();
  const hours = (value?: string) =>
    loadConfig(
      {},
      envOf(home, value === undefined ? {} : { EVENT_BUS_WEBHOOK_GIVE_UP_HOURS: value }),
    )
      .webhook_give_up_hours;
  assert.equal(hours(), 24);
  assert.equal(hours("0.5"), 0.5);
  for (const wrong of ["0", "-1", "day", "1e9", "99999", "."]) {
    assert.throws(() => hours(wrong), /Cannot use webhook_give_up_hours .* from the environment/);
  }
});
