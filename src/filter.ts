/** Which events a reader is shown. The same filter decides in SQL and, for the record, in memory. */
import { addressee, channelOfSession, channelsOf } from "./channel.ts";
import { type Event, levelRank, type SignalLevel } from "./event.ts";

export interface EventFilter {
  /** Exactly this channel. */
  channel?: string | undefined;
  /** One of these. */
  channels?: readonly string[] | undefined;
  /** Every channel that begins like this; for webhooks. */
  channel_prefix?: string | undefined;
  event_types?: readonly string[] | undefined;
  correlation_id?: string | undefined;
  min_level?: SignalLevel | undefined;
  exclude_types?: readonly string[] | undefined;
  /** Leaves out what this session sent. */
  not_from?: string | undefined;
  /** Leaves out direct messages to others; this is the reader's own channel. */
  not_to_others?: string | undefined;
  /** Leaves out what was imported as history. */
  not_imported?: true | undefined;
  /** Only what cannot wait. */
  urgent?: Urgency | undefined;
  /** Leaves out what the urgent consumer has shown already. */
  shown?: Shown | undefined;
}

/** What was shown by another consumer: from one event, exclusive, through another what passed its filter. */
export interface Shown {
  readonly from: number;
  readonly through: number;
  readonly filter: EventFilter;
}

/**
 * What cannot wait for a session: what is addressed to it (directly, or on a channel that it asked
 * to be woken for, but for lifecycle noise), and actionable events on its channels.
 */
export interface Urgency {
  readonly direct: string;
  readonly channels: readonly string[];
  readonly wake_on?: readonly string[];
}

/** Of whom what cannot wait is told. */
export interface Hearer {
  readonly id: string;
  readonly repo: string;
  readonly machine: string;
  readonly wake_on: readonly string[];
}

/** What cannot wait for this session, where it works now. */
export function urgencyOf(session: Hearer): Urgency {
  const direct = channelOfSession(session.id);
  const channels = channelsOf(session).filter((channel) => channel !== direct);
  return { direct, channels, ...wakeOn(session) };
}

/** What is addressed to this session: what it is woken for. */
export function addressedTo(session: Hearer): Urgency {
  return { direct: channelOfSession(session.id), channels: [], ...wakeOn(session) };
}

/** Absent when empty: filters are stored with the record. */
function wakeOn({ wake_on }: Hearer): Pick<Urgency, "wake_on"> {
  return wake_on.length === 0 ? {} : { wake_on };
}

/** Whether a filter lets an event pass; the same answer as the SQL of `store/events.ts`. */
export function matches(event: Event, filter: EventFilter): boolean {
  const { channel, channel_prefix, event_types, correlation_id, min_level, exclude_types } = filter;
  return (channel === undefined || event.channel === channel) &&
    filter.channels?.includes(event.channel) !== false &&
    (channel_prefix === undefined || event.channel.startsWith(channel_prefix)) &&
    ((event_types ?? []).length === 0 || event_types?.includes(event.event_type) === true) &&
    (correlation_id === undefined || event.correlation_id === correlation_id) &&
    levelRank(event.signal_level) >= levelRank(min_level ?? "lifecycle") &&
    exclude_types?.includes(event.event_type) !== true &&
    (filter.not_from === undefined || event.session_id !== filter.not_from) &&
    (filter.not_to_others === undefined || event.channel === filter.not_to_others ||
      addressee(event.channel) === null) &&
    !(filter.not_imported === true && (event.imported_at ?? null) !== null) &&
    (filter.urgent === undefined || isUrgent(event, filter.urgent)) &&
    !(filter.shown !== undefined && wasShown(event, filter.shown));
}

function wasShown(event: Event, { from, through, filter }: Shown): boolean {
  return event.id > from && event.id <= through && matches(event, filter);
}

function isUrgent(event: Event, { direct, channels, wake_on }: Urgency): boolean {
  if (event.quiet) return false;
  return event.channel === direct ||
    (event.signal_level !== "lifecycle" && wake_on?.includes(event.channel) === true) ||
    (event.signal_level === "actionable" && channels.includes(event.channel));
}
