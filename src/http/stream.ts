/**
 * Push over HTTP: the log as server-sent events. A stream is one more reader with a cursor of its
 * own; the bell wakes it and it looks again. Nothing is queued for it: a page is read when the one
 * before it was taken.
 */
import { getLogger } from "@logtape/logtape";
import { setImmediate } from "node:timers/promises";
import type { Bus, Call, Caller } from "../bus.ts";
import { type Follower, followerOf, noteShown, pageAfter } from "../bus/following.ts";
import { attend } from "../bus/presence.ts";
import type { Wanted } from "../bus/reading.ts";
import { BusError, errorBody } from "../errors.ts";
import type { Event } from "../event.ts";
import type { JsonSchema } from "../operations/operation.ts";
import { tokenOver } from "../operations/access.ts";
import { perform, readingCall, serverStopping } from "../operations/perform.ts";
import { streamEvents } from "../operations/stream_events.ts";
import { toWire } from "../operations/wire.ts";
import { KEEP_ALIVE_MS, MAX_STREAMS } from "./limits.ts";

export interface StreamLimits {
  readonly maxStreams: number;
  readonly keepAliveMs: number;
}

const LIMITS: StreamLimits = { maxStreams: MAX_STREAMS, keepAliveMs: KEEP_ALIVE_MS };

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-store",
  "X-Accel-Buffering": "no",
};

/** How soon a browser that lost the stream asks again. */
const RETRY_MS = 1000;

const encoder = new TextEncoder();
const log = getLogger(["event-bus", "http"]);

/**
 * The door of streams: answers a request with a stream, or rejects with a BusError before it begins.
 * Each ends with an event `end` that says why, when its session or the server does.
 */
export function createStreams(bus: Bus, { maxStreams, keepAliveMs } = LIMITS) {
  const open = new Set<Stream>();
  let ticking: ReturnType<typeof setInterval> | undefined;

  function entered(stream: Stream): void {
    open.add(stream);
    ticking ??= setInterval(() => {
      for (const one of open) one.keepAlive();
    }, keepAliveMs);
  }

  function left(stream: Stream): void {
    open.delete(stream);
    if (open.size > 0) return;
    clearInterval(ticking);
    ticking = undefined;
  }

  const isFull = () => open.size >= maxStreams;
  const full = () =>
    new BusError(
      "unavailable",
      `Cannot open a stream: ${maxStreams} are open already; poll with get_events instead`,
      { limit: maxStreams },
    );

  return async (request: Request, caller: Caller): Promise<Response> => {
    if (isFull()) throw full();
    const args = argsOf(request);
    const wanted = streamEvents.parse(args) as Wanted;
    const begins = await perform(bus, streamEvents, args, caller) as Beginning;
    const stream = new Stream({ bus, isFull, full, entered, left }, wanted, caller, begins);
    // Nothing is read ahead: what a stream would send next waits in the log.
    return new Response(new ReadableStream(stream, { highWaterMark: 0 }), { headers: HEADERS });
  };
}

/** The filters as query parameters; a browser or client that comes back says where it was. */
function argsOf(request: Request): Record<string, unknown> {
  const properties = streamEvents.inputSchema.properties as Record<string, JsonSchema>;
  const args: Record<string, unknown> = {};
  for (const [name, text] of new URL(request.url).searchParams) {
    args[name] = valueOf(
      text,
      Object.hasOwn(properties, name) ? properties[name]?.type : undefined,
    );
  }
  const last = request.headers.get("last-event-id");
  return last ? { ...args, cursor: last } : args;
}

const FLAGS: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  false: false,
  "0": false,
};

function valueOf(text: string, type: unknown): unknown {
  if (type === "array") return text.split(",");
  if (type === "boolean") return Object.hasOwn(FLAGS, text) ? FLAGS[text] : text;
  return text;
}

interface Beginning {
  readonly start: number;
  /** What came after the start and through this id has left the log; null when nothing has. */
  readonly archived_through: number | null;
}

/** A page as it goes out, the same bytes for everybody who is shown the same. */
interface Sent {
  /** Null when nothing matched. */
  readonly bytes: Uint8Array | null;
  /** The id of the last event in it. */
  readonly last: number;
  /** The id through which was looked. */
  readonly through: number;
  readonly more: boolean;
}

/** Reads and encodes a page; streams that are shown the same share it. */
function pageOf(bus: Bus, after: number, filter: Follower["filter"]): Sent {
  return bus.shared(`page ${after} ${JSON.stringify(filter)}`, () => {
    const { events, through, more } = pageAfter(bus, after, filter);
    return {
      bytes: events.length === 0 ? null : encoder.encode(events.map(eventBlock).join("")),
      last: events.at(-1)?.id ?? after,
      through,
      more,
    };
  });
}

const eventBlock = (event: Event): string =>
  `id: ${event.id}\ndata: ${JSON.stringify(toWire(event))}\n\n`;

/** What the streams of one door have in common. */
interface Door {
  readonly bus: Bus;
  isFull(): boolean;
  full(): BusError;
  entered(stream: Stream): void;
  left(stream: Stream): void;
}

/** One stream, as the source that its body pulls from. It holds nothing until it is first read. */
class Stream implements UnderlyingDefaultSource<Uint8Array> {
  readonly #door: Door;
  readonly #wanted: Wanted;
  readonly #call: () => Call;
  readonly #principal: string;
  readonly #revoked: AbortSignal | undefined;
  readonly #gone = new AbortController();
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #leave = () => {};
  /** Through which id it has looked, … */
  #after: number;
  /** … and which id it has told its reader. */
  #told: number;

  readonly #archived: number | null;

  constructor(
    door: Door,
    wanted: Wanted,
    caller: Caller,
    { start, archived_through }: Beginning,
  ) {
    this.#door = door;
    this.#wanted = wanted;
    this.#call = () => readingCall(door.bus, caller);
    this.#principal = caller.principal;
    this.#revoked = caller.revoked;
    this.#after = this.#told = start;
    this.#archived = archived_through;
  }

  pull(controller: ReadableStreamDefaultController<Uint8Array>): void | Promise<void> {
    if (this.#controller !== null) return this.#next(controller);
    this.#controller = controller;
    // Looked at once more: several may have been let in before the first of them was read.
    if (this.#door.isFull()) return this.#end(controller, this.#door.full());
    if (this.#revoked?.aborted) return this.#end(controller, tokenOver());
    const { session_id } = this.#wanted;
    const { bus } = this.#door;
    let leaveLimits: () => void;
    try {
      leaveLimits = bus.limits.enter("streams", {
        session: session_id,
        principal: this.#principal,
      });
    } catch (refusal) {
      return this.#end(controller, refusal as BusError);
    }
    const leave = session_id ? attend(bus, session_id, "stream") : () => {};
    this.#leave = () => {
      leaveLimits();
      leave();
    };
    this.#door.entered(this);
    this.#revoked?.addEventListener("abort", this.#revoke, { once: true });
    // From the first byte on the reader can come back to where it was.
    controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\nid: ${this.#told}\n\n`));
    if (this.#archived === null) return;
    const through = JSON.stringify({ through: String(this.#archived) });
    controller.enqueue(encoder.encode(`event: archived\ndata: ${through}\n\n`));
  }

  cancel(): void {
    this.#revoked?.removeEventListener("abort", this.#revoke);
    this.#gone.abort();
    this.#leave();
    this.#door.left(this);
  }

  /** Shows that it lives and how far it has looked, to a reader that has taken all there was. */
  keepAlive(): void {
    const controller = this.#controller;
    if (controller === null || (controller.desiredSize ?? -1) < 0) return;
    const text = this.#after > this.#told ? `id: ${this.#after}\n\n` : ":\n\n";
    this.#told = this.#after;
    controller.enqueue(encoder.encode(text));
  }

  /** Writes one page as soon as there is one. */
  async #next(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const { bell } = this.#door.bus;
    try {
      while (!this.#gone.signal.aborted) {
        const seen = bell.rings;
        const { bytes, more } = this.#look();
        if (bytes !== null) return controller.enqueue(bytes);
        // Rows that did not match were looked at, as many as one turn may take.
        if (more) await setImmediate();
        else if (!await bell.wait(seen, this.#gone.signal) && bell.stopped) throw serverStopping();
      }
    } catch (failure) {
      if (!this.#gone.signal.aborted) this.#end(controller, failure);
    }
  }

  #look(): Sent {
    const { bus } = this.#door;
    const follower = followerOf(bus, this.#wanted, this.#call());
    const from = this.#after;
    const page = pageOf(bus, from, follower.filter);
    this.#after = page.bytes === null ? page.through : page.last;
    if (page.bytes !== null) this.#told = this.#after;
    if (this.#after > from) noteShown(bus, follower, this.#after);
    return page;
  }

  readonly #revoke = (): void => {
    if (this.#controller !== null) this.#end(this.#controller, tokenOver());
  };

  /** Says why, so that the reader knows whether to come back. */
  #end(controller: ReadableStreamDefaultController<Uint8Array>, failure: unknown): void {
    if (!(failure instanceof BusError)) log.error("a stream failed: {failure}", { failure });
    const body = JSON.stringify(errorBody(failure));
    controller.enqueue(encoder.encode(`event: end\ndata: ${body}\n\n`));
    controller.close();
    this.cancel();
  }
}
