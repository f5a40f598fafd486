/**
 * What the torture tests know from outside of the server: every acknowledgement, and what each reader was
 * shown. The server's own word is never asked for what it should have kept.
 */
import assert from "node:assert/strict";
import { streamOf, type TestStream } from "../helpers/streams.ts";

/** An event as an answer shows it. */
export interface Shown {
  readonly id: number;
  readonly event_type: string;
  readonly payload: string;
  readonly session_id: string;
}

// deno-lint-ignore no-explicit-any -- answers are looked at field by field
export type Ask = (operation: string, args?: Record<string, unknown>) => Promise<any>;

/** The server is not there any more; what it did with the question nobody knows. */
export class Gone extends Error {}

/** Asks a server. Throws Gone when no answer came, and fails when the answer is a refusal. */
export function asking(
  url: string,
  note: (what: "asked" | "answered", operation: string) => void = () => {},
): Ask {
  return async (operation, args = {}) => {
    note("asked", operation);
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${url}/v1/${operation}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(args),
      });
      status = response.status;
      text = await response.text();
    } catch {
      throw new Gone();
    }
    assert.equal(status, 200, `${operation}: ${text}`);
    note("answered", operation);
    return JSON.parse(text);
  };
}

/** Does one thing again and again until the server is gone. */
export async function untilGone(step: () => Promise<void>): Promise<void> {
  try {
    for (;;) await step();
  } catch (failure) {
    if (!(failure instanceof Gone)) throw failure;
  }
}

/** Everything that was acknowledged, in order of the acknowledgements. */
export class Ledger {
  readonly payloads = new Map<number, string>();
  readonly ids: number[] = [];

  /** Notes an acknowledgement; the same id for another event would be the end of all cursors. */
  note(id: number, payload: string): void {
    assert.equal(this.payloads.get(id) ?? payload, payload, `id ${id} was given out twice`);
    if (this.payloads.has(id)) return;
    this.payloads.set(id, payload);
    this.ids.push(id);
  }
}

export interface Publisher {
  /** Publishes one more; first again what was not answered, when that can be recognised. */
  publish(ask: Ask, isKeyed: boolean): Promise<void>;
}

/** A publisher of texts that nobody else publishes, and none of them twice on purpose. */
export function createPublisher(ledger: Ledger, session_id: string): Publisher {
  let count = 0;
  let unanswered: Record<string, unknown> | null = null;
  return {
    async publish(ask, isKeyed) {
      const payload = `${session_id} says ${++count}`;
      const args = unanswered ?? {
        payload,
        session_id,
        event_type: count % 3 === 0 ? "odd" : "note",
        channel: count % 2 === 0 ? "all" : "repo:torture",
        ...(isKeyed ? { dedupe_key: payload } : {}),
      };
      // Without a key nobody could tell the second from the first.
      unanswered = args.dedupe_key === undefined ? null : args;
      const { event_id } = await ask("publish_event", args);
      unanswered = null;
      ledger.note(event_id, String(args.payload));
    },
  };
}

/** A stretch of the log that was marked as read by an answer which never came. */
export interface Lost {
  readonly after: number;
  readonly through: number;
}

/** What one reader was shown, and where it knows that it stands. */
export abstract class Reader {
  readonly seen: number[] = [];
  readonly lost: Lost[] = [];

  constructor(
    readonly name: string,
    /** Where it stands, as far as it was told. */
    public at: number,
    readonly hears: (event: Shown) => boolean,
  ) {}

  /** After a start of the server and before anything else: puts right what the last end left open. */
  async recover(_ask: Ask): Promise<void> {}

  /** Reads on, waiting when there is nothing. */
  abstract read(ask: Ask, waitSeconds: number): Promise<void>;

  /** How often it may be shown the same event. */
  readonly mayRepeat: boolean = false;

  protected take(events: readonly Shown[]): void {
    for (const { id } of events) {
      if (!this.mayRepeat) {
        const last = this.seen.at(-1) ?? 0;
        assert.ok(id > last, `${this.name} was shown ${id} after ${last}`);
      }
      assert.ok(id > this.at, `${this.name} stands at ${this.at} and was shown ${id} again`);
      this.seen.push(id);
    }
  }
}

type Who = { session_id: string } | { consumer: string };
/** No page of a reader is larger. */
const PAGE_EVENTS = 50;

const somePage = () => 1 + Math.floor(Math.random() * PAGE_EVENTS);

/** Reads with resume. When an answer was lost it goes back to what it saw, as `ack_events` allows. */
export class ResumingReader extends Reader {
  #isOpen = false;

  constructor(
    name: string,
    at: number,
    hears: Reader["hears"],
    readonly who: Who,
    readonly narrowing: Record<string, unknown> = {},
  ) {
    super(name, at, hears);
  }

  override async recover(ask: Ask): Promise<void> {
    if (!this.#isOpen) return;
    const cursor = String(this.at);
    const { previous_cursor } = await ask("ack_events", {
      ...this.who,
      cursor,
      allow_rewind: true,
    });
    const stood = Number(previous_cursor);
    assert.ok(stood >= this.at, `${this.name} stood at ${stood}, before ${this.at}`);
    if (stood > this.at) this.lost.push({ after: this.at, through: stood });
    this.#isOpen = false;
  }

  async read(ask: Ask, waitSeconds: number): Promise<void> {
    this.#isOpen = true;
    const page = await ask("get_events", {
      ...this.who,
      ...this.narrowing,
      resume: true,
      order: "asc",
      limit: somePage(),
      wait_seconds: waitSeconds,
    });
    this.#isOpen = false;
    this.take(page.events);
    this.at = Number(page.next_cursor);
  }
}

/** Peeks, and acknowledges what it has dealt with: it is shown everything at least once. */
export class PeekingReader extends Reader {
  override readonly mayRepeat = true;

  constructor(name: string, at: number, hears: Reader["hears"], readonly who: Who) {
    super(name, at, hears);
  }

  async read(ask: Ask, waitSeconds: number): Promise<void> {
    const page = await ask("get_events", {
      ...this.who,
      resume: true,
      peek: true,
      order: "asc",
      limit: somePage(),
      wait_seconds: waitSeconds,
    });
    this.take(page.events);
    const cursor = page.next_cursor;
    const acked = await ask("ack_events", { ...this.who, cursor });
    assert.ok(Number(acked.previous_cursor) >= this.at, `${this.name} was moved back`);
    this.at = Number(cursor);
  }
}

/** Follows the stream, and acknowledges as our own command line does; after an end it goes on where it was. */
export class StreamingReader extends Reader {
  /** Where the server is now. */
  url = "";
  #stream: TestStream | null = null;

  constructor(name: string, at: number, hears: Reader["hears"], readonly who: Who) {
    super(name, at, hears);
  }

  override async recover(): Promise<void> {
    await this.leave();
  }

  async read(ask: Ask): Promise<void> {
    this.#stream ??= await this.#open();
    const [event] = await this.#stream.events(1).catch(() => []);
    if (event === undefined) throw new Gone();
    this.take([event]);
    this.at = event.id;
    if (this.seen.length % 10 === 0) await this.acknowledge(ask);
  }

  /** Marks as read what it was shown. */
  async acknowledge(ask: Ask): Promise<void> {
    await ask("ack_events", { ...this.who, cursor: String(this.at) });
  }

  async leave(): Promise<void> {
    // Of a server that was killed there is nothing left to be cancelled.
    await this.#stream?.cancel().catch(() => {});
    this.#stream = null;
  }

  async #open(): Promise<TestStream> {
    const query = new URLSearchParams({ ...this.who });
    try {
      return streamOf(
        await fetch(`${this.url}/v1/events/stream?${query}`, {
          headers: { "Last-Event-ID": String(this.at) },
        }),
      );
    } catch {
      throw new Gone();
    }
  }
}

/** Checks one reader against everything that was ever in the log, in order. */
export function checkReader(
  reader: Reader,
  all: readonly Shown[],
  start: number,
  isArchived: (id: number) => boolean,
): void {
  const expected = all.filter((event) => event.id > start && reader.hears(event));
  const seen = new Set(reader.seen);
  if (!reader.mayRepeat) assert.equal(seen.size, reader.seen.length, `${reader.name}: once each`);
  for (const { after, through } of reader.lost) {
    const page = expected.filter(({ id }) => id > after && id <= through);
    assert.ok(page.length <= PAGE_EVENTS, `${reader.name}: one lost answer is one page`);
  }
  const known = new Set(expected.map(({ id }) => id));
  for (const id of seen) assert.ok(known.has(id), `${reader.name} was shown ${id}, not its own`);
  for (const { id } of expected) {
    if (seen.has(id)) continue;
    // Marked by an answer that was lost, and archived before its reader could go back for it.
    const isLost = reader.lost.some(({ after, through }) => id > after && id <= through);
    const where = isArchived(id) ? "archived" : "in the log";
    const around = reader.seen.filter((one) => Math.abs(one - id) < 20).join(" ");
    const told = `${reader.name} was never shown ${id}, which is ${where}; around it ${around}`;
    assert.ok(isLost && isArchived(id), told);
  }
}
