/** Which events a reader is shown. The same filter decides in SQL and, for the record, in memory. */
import { type Event, levelRank, type SignalLevel } from "./event.ts";

export interface EventFilter {
  /** Exactly this channel. */
  channel?: string | undefined;
  /** Every channel that begins like this; for webhooks. */
  channel_prefix?: string | undefined;
  event_types?: readonly string[] | undefined;
  correlation_id?: string | undefined;
  min_level?: SignalLevel | undefined;
  exclude_types?: readonly string[] | undefined;
  /** Leaves out what this session sent. */
  not_from?: string | undefined;
  /** Only what cannot wait. */
  urgent?: Urgency | undefined;
  /** Leaves out what the urgent consumer has shown already. */
  shown?: { readonly urgency: Urgency; readonly through: number } | undefined;
}

/** What cannot wait for a session: direct messages, and actionable events on its channels. */
export interface Urgency {
  readonly direct: string;
  readonly channels: readonly string[];
}

/** Whether a filter lets an event pass; the same answer as the SQL of `store/events.ts`. */
export function matches(event: Event, filter: EventFilter): boolean {
  const { channel, channel_prefix, event_types, correlation_id, min_level, exclude_types } = filter;
  return (channel === undefined || event.channel === channel) &&
    (channel_prefix === undefined || event.channel.startsWith(channel_prefix)) &&
    ((event_types ?? []).length === 0 || event_types?.includes(event.event_type) === true) &&
    (correlation_id === undefined || event.correlation_id === correlation_id) &&
    levelRank(event.signal_level) >= levelRank(min_level ?? "lifecycle") &&
    exclude_types?.includes(event.event_type) !== true &&
    (filter.not_from === undefined || event.session_id !== filter.not_from) &&
    (filter.urgent === undefined || isUrgent(event, filter.urgent)) &&
    !(filter.shown !== undefined && event.id <= filter.shown.through &&
      isUrgent(event, filter.shown.urgency));
}

function isUrgent(event: Event, { direct, channels }: Urgency): boolean {
  return event.channel === direct ||
    (event.signal_level === "actionable" && channels.includes(event.channel));
}
