import { z } from "zod";
import { countUnseen } from "../bus/handing.ts";
import { deafnessOf, pathsOf, stateOf } from "../bus/presence.ts";
import { livingSessions } from "../bus/sessions.ts";
import { VERSION } from "../build.ts";
import { countStored } from "../store/events.ts";
import { SCHEMA_VERSION } from "../store/open.ts";
import { spaceOf } from "../store/space.ts";
import { operation, READS } from "./operation.ts";
import { sessionState } from "./session_wire.ts";
import { iso } from "./wire.ts";

const diagnosedSession = z.object({
  session_id: z.string(),
  display_id: z.string(),
  name: z.string(),
  machine: z.string(),
  client_id: z.string().nullable(),
  state: sessionState,
  state_since: z.string(),
  unseen: z.int(),
  paths: z.array(z.object({
    path: z.string(),
    last_at: z.string().nullable(),
    listening: z.boolean(),
  })),
  deaf: z.boolean(),
  why: z.string().optional(),
});

export const getDiagnosis = operation({
  name: "get_diagnosis",
  title: "Get diagnosis",
  description: "What only the bus knows of itself: its database, its clock, and by which paths " +
    "each session is reached and when each last worked.",
  input: z.strictObject({}),
  output: z.object({
    version: z.string(),
    schema: z.int(),
    now: z.string(),
    started_at: z.string(),
    uptime_seconds: z.int(),
    database: z.object({
      path: z.string(),
      bytes: z.int(),
      wal_bytes: z.int(),
      free_bytes: z.int().nullable(),
      total_bytes: z.int().nullable(),
      /** When it was last found undamaged; one that is damaged is not served. */
      checked_at: z.string().nullable(),
    }),
    events: z.int(),
    sessions: z.array(diagnosedSession),
  }),
  annotations: READS,
  scope: "read",
  tool: false,
  writes: false,
  endsTheGone: true,
  run(bus, _input, call) {
    const { path, checkedAt } = bus.store;
    return {
      version: VERSION,
      schema: SCHEMA_VERSION,
      now: iso(call.now),
      started_at: iso(bus.startedAt),
      uptime_seconds: Math.max(0, Math.floor((call.now - bus.startedAt) / 1000)),
      database: {
        path,
        ...spaceOf(path),
        checked_at: checkedAt === null ? null : iso(checkedAt),
      },
      events: countStored(bus.store),
      sessions: livingSessions(bus).map((session) => {
        const { state, since } = stateOf(session, call.now);
        const paths = pathsOf(bus, session);
        const why = deafnessOf(session, paths);
        return {
          session_id: session.id,
          display_id: session.display_id,
          name: session.name,
          machine: session.machine,
          client_id: session.client_id,
          state,
          state_since: iso(since),
          unseen: countUnseen(bus, session),
          paths: paths.map(({ last_at, ...rest }) => ({
            ...rest,
            last_at: last_at === null ? null : iso(last_at),
          })),
          deaf: why !== null,
          ...(why === null ? {} : { why }),
        };
      }),
    };
  },
});
