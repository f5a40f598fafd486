/** What whoever watches the bus is shown: what was counted, and how things stand now. */
import { getLogger } from "@logtape/logtape";
import type { Bus, Caller } from "../bus.ts";
import { webhooks } from "../bus/webhooks.ts";
import { BUILD, VERSION } from "../build.ts";
import { type Family, metricsText, type Sample } from "../metrics.ts";
import { tip } from "../store/events.ts";
import { SCHEMA_VERSION } from "../store/open.ts";
import { databaseBytes } from "../store/size.ts";
import { checkScope } from "./access.ts";

const STARTED = Math.round(performance.timeOrigin / 1000);

const log = getLogger(["event-bus", "operations"]);

/** The metrics as text, for callers that may operate the bus. Without a database, what is left. */
export function metrics(bus: Bus, caller: Caller): string {
  checkScope(caller, "metrics", "admin");
  return metricsText([...bus.metrics.families(), ...readersOf(bus), ...databaseOf(bus), ...ours()]);
}

const gauge = (name: string, help: string, samples: readonly Sample[]): Family => ({
  name,
  type: "gauge",
  help,
  samples,
});
const one = (value: number): Sample[] => [{ value }];

function readersOf({ limits, readers }: Bus): Family[] {
  return [
    gauge("event_bus_streams", "Streams of events that are open", one(limits.there("streams"))),
    gauge("event_bus_waits", "Calls that wait for events", one(limits.there("waits"))),
    gauge(
      "event_bus_subscriptions",
      "Inboxes that MCP clients follow on an open stream",
      one(readers.count("subscription")),
    ),
  ];
}

function databaseOf(bus: Bus): Family[] {
  const up = (value: 0 | 1) =>
    gauge("event_bus_database_up", "Whether the database can be read", one(value));
  try {
    return [...stored(bus), up(1)];
  } catch (failure) {
    // Whoever watches wants to know above all when this happens.
    log.error("the metrics of the database cannot be read: {failure}", { failure });
    return [up(0)];
  }
}

function stored(bus: Bus): Family[] {
  const { main, wal } = databaseBytes(bus.store);
  // At most as many as there may be, and each is counted to a bound.
  const all = webhooks(bus, false);
  return [
    gauge("event_bus_last_event_id", "The id of the newest event", one(tip(bus.store))),
    gauge("event_bus_database_bytes", "Size of the database, and of its write-ahead log", [
      { labels: { file: "main" }, value: main },
      { labels: { file: "wal" }, value: wal },
    ]),
    gauge(
      "event_bus_webhook_backlog",
      "Events that wait for a webhook, counted to 1000",
      all.map(({ id, unread }) => ({ labels: { webhook: String(id) }, value: unread })),
    ),
    gauge(
      "event_bus_webhook_up",
      "1 while a webhook is sent to, 0 while its receiver fails or it is paused",
      all.map(({ id, active, failing_since }) => ({
        labels: { webhook: String(id) },
        value: active && failing_since === null ? 1 : 0,
      })),
    ),
  ];
}

function ours(): Family[] {
  const labels = { version: VERSION, build: BUILD, schema: String(SCHEMA_VERSION) };
  return [
    gauge("event_bus_build_info", "Which build this is", [{ labels, value: 1 }]),
    gauge("process_start_time_seconds", "When the server was started", one(STARTED)),
    gauge("process_resident_memory_bytes", "Memory of the server", one(Deno.memoryUsage().rss)),
  ];
}
