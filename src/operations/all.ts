/** Every operation there is. A capability is added here, and every door has it. */
import { ackEvents } from "./ack_events.ts";
import { backup } from "./backup.ts";
import { exportEvents } from "./export_events.ts";
import { createToken } from "./create_token.ts";
import { getArchivedEvents } from "./get_archived_events.ts";
import { getDelivery } from "./get_delivery.ts";
import { getDeliveryTimes } from "./get_delivery_times.ts";
import { getDiagnosis } from "./get_diagnosis.ts";
import { getEvents } from "./get_events.ts";
import { getSession } from "./get_session.ts";
import { importDatabase } from "./import_database.ts";
import { importEvents } from "./import_events.ts";
import { listChannels } from "./list_channels.ts";
import { listSessions } from "./list_sessions.ts";
import { listTokens } from "./list_tokens.ts";
import { listWebhooks } from "./list_webhooks.ts";
import { notify } from "./notify.ts";
import type { Operation } from "./operation.ts";
import { prune } from "./prune.ts";
import { publishEvent } from "./publish_event.ts";
import { registerSession } from "./register_session.ts";
import { registerWebhook } from "./register_webhook.ts";
import { revokeToken } from "./revoke_token.ts";
import { rotateToken } from "./rotate_token.ts";
import { searchEvents } from "./search_events.ts";
import { setStatus } from "./set_status.ts";
import { setWebhookActive } from "./set_webhook_active.ts";
import { testWebhook } from "./test_webhook.ts";
import { unregisterSession } from "./unregister_session.ts";
import { unregisterWebhook } from "./unregister_webhook.ts";

export const OPERATIONS: readonly Operation[] = [
  registerSession,
  listSessions,
  listChannels,
  publishEvent,
  getEvents,
  searchEvents,
  ackEvents,
  setStatus,
  unregisterSession,
  notify,
  getDelivery,
  getDeliveryTimes,
  getSession,
  getDiagnosis,
  registerWebhook,
  listWebhooks,
  setWebhookActive,
  unregisterWebhook,
  testWebhook,
  prune,
  getArchivedEvents,
  backup,
  exportEvents,
  importEvents,
  importDatabase,
  createToken,
  listTokens,
  rotateToken,
  revokeToken,
];
