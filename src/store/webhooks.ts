/** Queries of the webhooks. Their positions are those of consumers, in `positions.ts`. */
import type { Store } from "./open.ts";

export interface Webhook {
  readonly id: number;
  readonly url: string;
  /** Exactly this channel; with `*` at its end, every channel that begins like it; null is all. */
  readonly channel: string | null;
  readonly event_types: readonly string[] | null;
  readonly secret: string | null;
  readonly active: boolean;
  readonly created_at: number;
  /** Failed attempts in a row, and since when; 0 and null while it works. */
  readonly attempts: number;
  readonly failing_since: number | null;
  readonly retry_at: number | null;
  readonly last_error: string | null;
  readonly delivered_at: number | null;
  /** Why it was paused by the bus itself. */
  readonly paused_reason: string | null;
}

type Row = Omit<Webhook, "event_types" | "active"> & { event_types: string | null; active: number };

function webhookOf(row: unknown): Webhook {
  const { event_types, active, ...rest } = row as Row;
  return {
    ...rest,
    event_types: event_types === null ? null : JSON.parse(event_types) as string[],
    active: active === 1,
  };
}

export function insertWebhook(
  store: Store,
  webhook:
    & Pick<Webhook, "url" | "channel" | "event_types" | "secret" | "created_at">
    & { principal: string },
): number {
  const { lastInsertRowid } = store.sql(
    `INSERT INTO webhook (url, channel, event_types, secret, created_at, principal)
     VALUES (?, ?, ?, ?, ?, ?)`,
  ).run(
    webhook.url,
    webhook.channel,
    webhook.event_types === null ? null : JSON.stringify(webhook.event_types),
    webhook.secret,
    webhook.created_at,
    webhook.principal,
  );
  return Number(lastInsertRowid);
}

export function findWebhook(store: Store, id: number): Webhook | null {
  const row = store.sql("SELECT * FROM webhook WHERE id = ?").get(id);
  return row === undefined ? null : webhookOf(row);
}

/** All webhooks, newest first. */
export function allWebhooks(store: Store): Webhook[] {
  return store.sql("SELECT * FROM webhook ORDER BY id DESC").all().map(webhookOf);
}

export function countWebhooks(store: Store, principal: string): number {
  const row = store.sql("SELECT count(*) AS n FROM webhook WHERE ifnull(principal, ?1) = ?1")
    .get(principal);
  return (row as { n: number }).n;
}

/** The ids of those to send to. */
export function activeWebhooks(store: Store): number[] {
  const rows = store.sql("SELECT id FROM webhook WHERE active = 1 ORDER BY id").all();
  return rows.map((row) => (row as { id: number }).id);
}

/** Whether an active webhook whose receiver answers is sent every event of a channel. */
export function hasWebhookFor(store: Store, channel: string): boolean {
  return store.sql(
    `SELECT 1 FROM webhook
     WHERE active = 1 AND failing_since IS NULL AND event_types IS NULL
       AND (channel IS NULL OR channel = ? OR (channel LIKE '%*'
         AND substr(?, 1, length(channel) - 1) = substr(channel, 1, length(channel) - 1)))`,
  ).get(channel, channel) !== undefined;
}

/** Answers whether there was one. */
export function deleteWebhook(store: Store, id: number): boolean {
  return store.sql("DELETE FROM webhook WHERE id = ?").run(id).changes === 1;
}

/** Pauses or resumes; resuming forgets the failures. Only inside a batch. */
export function setWebhookActive(
  store: Store,
  id: number,
  active: boolean,
  reason: string | null = null,
): void {
  store.sql(
    `UPDATE webhook SET active = ?1, paused_reason = ?2,
       attempts = iif(?1, 0, attempts), failing_since = iif(?1, NULL, failing_since), retry_at = NULL
     WHERE id = ?3`,
  ).run(active ? 1 : 0, reason, id);
}

/** Notes a delivery that arrived. */
export function webhookSucceeded(store: Store, id: number, at: number): void {
  store.sql(
    `UPDATE webhook SET delivered_at = ?, attempts = 0, failing_since = NULL, retry_at = NULL,
       last_error = NULL WHERE id = ?`,
  ).run(at, id);
}

/** Notes an attempt that failed, and when the next one is due. */
export function webhookFailed(
  store: Store,
  id: number,
  failure: { at: number; error: string; retry_at: number | null },
): void {
  store.sql(
    `UPDATE webhook SET attempts = attempts + 1, failing_since = coalesce(failing_since, ?),
       last_error = ?, retry_at = ? WHERE id = ?`,
  ).run(failure.at, failure.error, failure.retry_at, id);
}
