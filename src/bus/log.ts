/** The one way into the log: append, then ring. */
import type { Bus, Call } from "../bus.ts";
import { DEFAULT_CHANNEL } from "../channel.ts";
import { ANONYMOUS, deriveSignalLevel, type NewEvent } from "../event.ts";
import { insertEvent } from "../store/events.ts";

/** What is appended beside the type and the payload, when it is not the usual. */
type Draft =
  & Pick<NewEvent, "event_type" | "payload">
  & {
    [K in keyof Omit<NewEvent, "event_type" | "payload" | "at">]?: NewEvent[K] | undefined;
  };

/** Appends an event to the log, and rings once it is durable. Answers its id. */
export function append(bus: Bus, draft: Draft, call: Call): number {
  const channel = draft.channel ?? DEFAULT_CHANNEL;
  const id = insertEvent(bus.store, {
    event_type: draft.event_type,
    payload: draft.payload,
    channel,
    session_id: draft.session_id ?? ANONYMOUS,
    at: call.now,
    signal_level: draft.signal_level ?? deriveSignalLevel(draft.event_type, channel),
    correlation_id: draft.correlation_id ?? null,
    title: draft.title ?? null,
    tags: draft.tags ?? [],
    principal: call.caller.principal,
    reply_to: draft.reply_to ?? null,
    dedupe_key: draft.dedupe_key ?? null,
    sent_at: draft.sent_at ?? null,
    quiet: draft.quiet ?? false,
  });
  call.afterCommit(() => bus.bell.ring());
  return id;
}
