/**
 * The rules of reading as a plain model: the log is an array, a position is an index into it, and a
 * filter is a function. Slow, obvious, and without a database.
 */
import { levelRank, type SignalLevel } from "../../src/event.ts";

export interface Entry {
  readonly id: number;
  readonly event_type: string;
  readonly channel: string;
  readonly sender: string;
  readonly level: SignalLevel;
  readonly thread: string | null;
}

/** What a read asks to see, as it is sent. */
export interface Asked {
  channel?: string;
  event_types?: string[];
  exclude_types?: string[];
  correlation_id?: string;
  min_level?: SignalLevel;
  include_own?: boolean;
}

/** A consumer, and how it is named in a call. */
export interface Reader {
  /** Null for one that belongs to a principal. */
  readonly session: string | null;
  readonly name: string;
  readonly principal: string;
}

export interface Row {
  readonly from: number;
  readonly through: number;
  readonly count: number;
  readonly path: string;
}

export interface Reading {
  readonly limit: number;
  readonly order: "asc" | "desc";
  readonly mode: "consume" | "peek" | "leave";
  /** Where to look instead; where a consumer of a principal begins. */
  readonly cursor: number | null;
  readonly path: string;
}

export interface Page {
  readonly ids: number[];
  readonly next_cursor: number;
  readonly has_more: boolean;
  readonly unread: number;
}

interface Session {
  repo: string;
  readonly start: number;
  ended: boolean;
}

interface Filter {
  passes(entry: Entry): boolean;
  /** Equal for equal filters. */
  readonly key: string;
}

export class Model {
  readonly log: Entry[] = [];
  readonly sessions = new Map<string, Session>();
  readonly rows = new Map<Reader, Row[]>();
  readonly #stored = new Map<Reader, number>();
  readonly #peeks = new Map<Reader, { through: number; filter: Filter }>();
  /** What each urgent consumer has shown since it began to read with the filter it has now. */
  readonly #shown = new Map<string, { from: number; key: string; ids: Set<number> }>();

  constructor(readonly readers: readonly Reader[]) {
    for (const reader of readers) this.rows.set(reader, []);
  }

  get tip(): number {
    return this.log.at(-1)?.id ?? 0;
  }

  register(id: string, repo: string, start: number): void {
    this.sessions.set(id, { repo, start, ended: false });
    this.#stored.set(this.#reader(id, "main"), start);
  }

  standing(reader: Reader): number | null {
    const stored = this.#stored.get(reader);
    if (reader.session === null) return stored ?? null;
    const main = this.#main(reader.session);
    if (reader.name === "urgent") return Math.max(stored ?? 0, main);
    return stored ?? this.#session(reader.session).start;
  }

  isEnded({ session }: Reader): boolean {
    return session !== null && this.#session(session).ended;
  }

  /** Reads, and changes what a read changes; null when there is nobody to hand the page to. */
  read(reader: Reader, asked: Asked, reading: Reading): Page | null {
    const { limit, order, mode, path } = reading;
    const position = this.standing(reader);
    const resumed = reading.cursor === null || position === null;
    const start = resumed && position !== null ? position : reading.cursor ?? this.tip;
    const unheard = this.#filter(reader, asked);
    const { passes } = resumed ? unheard : { passes: (entry: Entry) => wanted(entry, asked) };
    const newest = !resumed && order === "desc";
    const visible = this.log.filter((entry) => entry.id > start && passes(entry));
    if (newest) visible.reverse();
    const shown = visible.slice(0, limit).map(({ id }) => id);
    const has_more = visible.length > limit;
    const through = has_more && !newest ? shown.at(-1) ?? start : this.tip;
    const consumes = resumed && mode !== "peek" && (isNamed(reader) || !isNarrowed(asked));
    // A read that moves nothing takes nothing from whoever left.
    if (consumes && mode === "leave") return null;
    if (resumed && position === null) this.#stored.set(reader, start);
    if (consumes && through > start) {
      this.#move(reader, { from: start, through, count: shown.length, path }, unheard);
    } else if (resumed && through > start) {
      this.#peeks.set(reader, { through, filter: unheard });
    }
    const stands = consumes ? through : resumed ? start : position ?? through;
    return {
      ids: resumed && order === "desc" ? shown.toReversed() : shown,
      next_cursor: through,
      has_more,
      unread: this.log.filter((entry) => entry.id > stands && unheard.passes(entry)).length,
    };
  }

  /** Acknowledges; answers where the reader stood, or "conflict". */
  ack(reader: Reader, cursor: number, rewind: boolean, path: string): number | null | "conflict" {
    const previous = this.standing(reader);
    const from = previous ?? cursor;
    if (cursor < from && !rewind) return "conflict";
    if (
      reader.session !== null && reader.name === "urgent" && cursor < this.#main(reader.session)
    ) {
      return "conflict";
    }
    if (previous === null) this.#stored.set(reader, cursor);
    else if (cursor !== from) {
      const filter = this.#acknowledged(reader, cursor);
      const handed = this.log.filter((e) => e.id > from && e.id <= cursor && filter.passes(e));
      this.#move(reader, { from, through: cursor, count: handed.length, path }, filter);
      // Who moves main back wants to see it all; what nobody knows to be shown, main shows.
      const isForgotten = cursor > from && !this.#wasPeeked(reader, cursor);
      const isBack = reader.name === "main" && cursor < from;
      if (reader.session !== null && (isBack || (reader.name === "urgent" && isForgotten))) {
        this.#shown.delete(reader.session);
      }
    }
    if ((this.#peeks.get(reader)?.through ?? 0) <= cursor) this.#peeks.delete(reader);
    return previous;
  }

  #wasPeeked(reader: Reader, cursor: number): boolean {
    return cursor <= (this.#peeks.get(reader)?.through ?? 0);
  }

  #acknowledged(reader: Reader, cursor: number): Filter {
    const peek = this.#peeks.get(reader);
    if (peek !== undefined && cursor <= peek.through) return peek.filter;
    return reader.name === "urgent"
      ? this.#filter(reader, {})
      : { key: "everything", passes: () => true };
  }

  #move(reader: Reader, row: Row, filter: Filter): void {
    this.rows.get(reader)?.push(row);
    if (reader.session !== null && reader.name === "urgent") {
      this.#noteShown(reader.session, row, filter, this.#stored.get(reader));
    }
    this.#stored.set(reader, row.through);
  }

  #noteShown(session: string, { from, through }: Row, filter: Filter, stored?: number): void {
    const before = this.#shown.get(session);
    if (through < from) {
      if (before === undefined || before.from >= through) this.#shown.delete(session);
      else for (const id of before.ids) if (id > through) before.ids.delete(id);
      return;
    }
    const goesOn = before !== undefined && before.key === filter.key && stored === from;
    const span = goesOn ? before : { from, key: filter.key, ids: new Set<number>() };
    for (const entry of this.log) {
      if (entry.id > from && entry.id <= through && filter.passes(entry)) span.ids.add(entry.id);
    }
    this.#shown.set(session, span);
  }

  #filter({ session, name }: Reader, asked: Asked): Filter {
    if (session === null) return { key: "", passes: (entry) => wanted(entry, asked) };
    const { repo } = this.#session(session);
    const main = this.#main(session);
    const shown = [...this.#shown.get(session)?.ids ?? []].filter((id) => id > main);
    const seen = new Set(name === "main" ? shown : []);
    return {
      key: JSON.stringify([repo, asked]),
      passes: (entry) =>
        wanted(entry, asked) &&
        (asked.include_own === true || entry.sender !== session) &&
        (name !== "urgent" || isUrgent(entry, session, repo)) &&
        !seen.has(entry.id),
    };
  }

  #reader(session: string, name: string): Reader {
    const found = this.readers.find((one) => one.session === session && one.name === name);
    if (found === undefined) throw new Error(`No reader ${session} ${name}`);
    return found;
  }

  #session(id: string): Session {
    const session = this.sessions.get(id);
    if (session === undefined) throw new Error(`No session ${id}`);
    return session;
  }

  #main(session: string): number {
    return this.#stored.get(this.#reader(session, "main")) ?? 0;
  }
}

export function isNamed({ session, name }: Reader): boolean {
  return session === null || (name !== "main" && name !== "urgent");
}

export function isNarrowed(asked: Asked): boolean {
  return asked.channel !== undefined || asked.correlation_id !== undefined ||
    (asked.event_types ?? []).length > 0;
}

/** Whether what a read asks for, by itself, lets an event pass. */
export function wanted(entry: Entry, asked: Asked): boolean {
  const types = asked.event_types ?? [];
  return (asked.channel === undefined || entry.channel === asked.channel) &&
    (types.length === 0 || types.includes(entry.event_type)) &&
    (asked.correlation_id === undefined || entry.thread === asked.correlation_id) &&
    !(asked.exclude_types ?? []).includes(entry.event_type) &&
    levelRank(entry.level) >= levelRank(asked.min_level ?? "lifecycle");
}

export function isUrgent({ channel, level }: Entry, session: string, repo: string): boolean {
  if (channel === `session:${session}`) return true;
  return level === "actionable" && ["all", `repo:${repo}`, "machine:home"].includes(channel);
}
