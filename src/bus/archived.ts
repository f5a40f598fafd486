/** The rules of reading the archive: the same filters as for the log, and no position. */
import type { ArchivePage } from "../archive.ts";
import type { Bus } from "../bus.ts";
import type { SignalLevel } from "../event.ts";
import { matches } from "../filter.ts";
import { resolveChannel } from "./publishing.ts";
import { MAX_PAGE_BYTES } from "./reading.ts";

export interface ArchivedWanted {
  readonly cursor?: string | undefined;
  readonly channel?: string | undefined;
  readonly event_types?: readonly string[] | undefined;
  readonly exclude_types?: readonly string[] | undefined;
  readonly correlation_id?: string | undefined;
  readonly min_level?: SignalLevel | undefined;
  /** Epoch milliseconds: from, inclusive, and up to, exclusive. */
  readonly since: number;
  readonly until: number;
  readonly limit: number;
}

const NOTHING: ArchivePage = { events: [], next: null, damaged: [] };

/** A part of the archived events, oldest first; empty where there is no archive. */
export async function readArchive(bus: Bus, wanted: ArchivedWanted): Promise<ArchivePage> {
  const { cursor = null, since, until, limit, channel, ...narrowing } = wanted;
  const filter = {
    ...narrowing,
    channel: channel === undefined ? undefined : resolveChannel(bus.store, channel).channel,
  };
  return await bus.archive?.read({
    cursor: cursor || null,
    since,
    until,
    matches: (event) => matches(event, filter),
    limit,
    maxBytes: MAX_PAGE_BYTES,
  }) ?? NOTHING;
}
