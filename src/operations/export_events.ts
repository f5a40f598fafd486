import { z } from "zod";
import { parseCursor } from "../event.ts";
import { tip } from "../store/events.ts";
import { logName as nameOf } from "../store/meta.ts";
import { eventsToMove, sessionsToMove } from "../store/moving.ts";
import { operation, READS } from "./operation.ts";
import { checkMayOperate } from "./operating.ts";
import { eventToLine, EXPORT_VERSION, logName, sessionToLine } from "./moving_wire.ts";

/** Pages are held as a whole on both sides. */
const PAGE = { limit: 500, maxBytes: 512 * 1024 };

export const exportEvents = operation({
  name: "export_events",
  title: "Export events",
  description: "The log, or who wrote to it, page by page, as the lines of an export.",
  input: z.strictObject({
    kind: z.enum(["event", "session"]).default("event"),
    after: z.string().max(512).default(""),
    through: z.int().min(0).optional(),
    since: z.iso.datetime({ offset: true }).optional(),
  }),
  output: z.object({
    version: z.int(),
    log: logName,
    machine: z.string(),
    through: z.int(),
    lines: z.array(z.record(z.string(), z.unknown())),
    next: z.string().nullable(),
  }),
  annotations: READS,
  scope: "admin",
  tool: false,
  writes: false,
  run(bus, { kind, after, since, ...input }, { caller }) {
    checkMayOperate("export", caller);
    const { store } = bus;
    const through = Math.min(input.through ?? Infinity, tip(store));
    const part = {
      ...PAGE,
      after: kind === "session" ? after : String(parseCursor(after, tip(store))),
    };
    const { items, next } = kind === "session"
      ? map(sessionsToMove(store, part), sessionToLine)
      : map(
        eventsToMove(store, part, { through, since: since === undefined ? 0 : Date.parse(since) }),
        eventToLine,
      );
    const from = { version: EXPORT_VERSION, log: nameOf(store), machine: bus.machine };
    return { ...from, through, lines: items, next };
  },
});

const map = <T, R>(
  { items, next }: { items: readonly T[]; next: string | null },
  as: (item: T) => R,
) => ({
  items: items.map(as),
  next,
});
