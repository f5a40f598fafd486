/** What a page of events costs in a short log and in a long one: it should be the same. */
import { join } from "node:path";
import { type Bus, type Caller, createBus } from "../src/bus.ts";
import { ackEvents } from "../src/operations/ack_events.ts";
import { getEvents } from "../src/operations/get_events.ts";
import type { Operation } from "../src/operations/operation.ts";
import { perform } from "../src/operations/perform.ts";
import { registerSession } from "../src/operations/register_session.ts";
import { insertEvent } from "../src/store/events.ts";
import { openStore } from "../src/store/open.ts";
import { EVERY_SCOPE } from "../src/token.ts";
import type { World } from "./children.ts";
import { MILLISECONDS, type Report } from "./report.ts";
import { interleave } from "./rounds.ts";

export interface PageRounds {
  readonly rounds: number;
  /** Events in the short log and in the long one. */
  readonly short: number;
  readonly long: number;
}

const LIMIT = 100;
/** A clock ticks too coarsely for one read. */
const READS = 10;
const LOCAL: Caller = {
  principal: "loopback",
  scopes: EVERY_SCOPE,
  local: true,
  peer: "127.0.0.1",
  path: "tool",
};

interface Log {
  readonly bus: Bus;
  /** A session that reads; it has sent nothing but its registration. */
  readonly reader: string;
  /** The id in the middle of the log. */
  readonly middle: string;
}

/** One way to ask for a page. */
interface Reading {
  readonly name: string;
  args(log: Log): Record<string, unknown>;
  /** A read that moves the position: it goes back first, unmeasured, and is measured alone. */
  readonly moves?: true;
}

const READINGS: readonly Reading[] = [
  { name: "newest page", args: () => ({}) },
  {
    name: "page at a cursor in the middle",
    args: ({ middle }) => ({ cursor: middle, order: "asc" }),
  },
  {
    name: "page of a channel, at a cursor in the middle",
    args: ({ middle }) => ({ cursor: middle, order: "asc", channel: "all" }),
  },
  {
    name: "resume and peek from the middle",
    args: ({ reader }) => ({ session_id: reader, resume: true, peek: true }),
  },
  {
    name: "resume from the middle",
    args: ({ reader }) => ({ session_id: reader, resume: true }),
    moves: true,
  },
];

/** Prints what a page of 100 events costs in both logs, for each way to ask for one. */
export async function comparePages(
  report: Report,
  world: World,
  { rounds, short, long }: PageRounds,
): Promise<void> {
  const few = await fill(join(world.folder, "short.db"), short);
  const many = await fill(join(world.folder, "long.db"), long);
  try {
    report.section(
      `A page of ${LIMIT} events out of ${long.toLocaleString("en")} and out of ` +
        `${short.toLocaleString("en")}, rounds: ${rounds}`,
    );
    for (const reading of READINGS) {
      const measured = await interleave(rounds, {
        few: () => timeOf(few, reading),
        many: () => timeOf(many, reading),
      });
      report.contender(reading.name, measured.many, MILLISECONDS, {
        to: measured.few,
        of: short.toLocaleString("en"),
        aim: { atMost: 1.2 },
      });
    }
  } finally {
    few.bus.store.close();
    many.bus.store.close();
  }
}

/** Milliseconds that one page takes. */
async function timeOf(log: Log, { args, moves }: Reading): Promise<number> {
  if (moves) await placeReader(log);
  const given = { ...args(log), limit: LIMIT };
  const reads = moves ? 1 : READS;
  const started = performance.now();
  for (let i = 0; i < reads; i++) {
    const { events } = await call<{ events: unknown[] }>(log.bus, getEvents, given);
    if (events.length < LIMIT) throw new Error(`The page has only ${events.length} events`);
  }
  return (performance.now() - started) / reads;
}

function placeReader({ bus, reader, middle }: Log): Promise<unknown> {
  return call(bus, ackEvents, { session_id: reader, cursor: middle, allow_rewind: true });
}

async function call<T>(bus: Bus, operation: Operation, args: unknown): Promise<T> {
  return await perform(bus, operation, args, LOCAL) as T;
}

/** A log of `size` events, filled through the store, with a reader in the middle of it. */
async function fill(path: string, size: number): Promise<Log> {
  const bus = busOn(path);
  const { session_id } = await call<{ session_id: string }>(bus, registerSession, {
    name: "reader",
  });
  for (let done = 1; done < size;) {
    const end = Math.min(size, done + 20_000);
    await bus.store.inBatch(() => {
      while (done < end) insertEvent(bus.store, eventNumber(done++));
    });
  }
  const log = { bus, reader: session_id, middle: String(size >> 1) };
  await placeReader(log);
  return log;
}

function eventNumber(n: number) {
  return {
    event_type: `type_${n % 7}`,
    payload: `Event ${n}: what a session has to say about its work is about this long`,
    channel: n % 2 === 0 ? "all" : `repo:project-${n % 5}`,
    session_id: `session-${n % 13}`,
    at: 1_700_000_000_000 + n,
    signal_level: "info" as const,
    correlation_id: n % 11 === 0 ? `thread-${n % 1000}` : null,
    title: null,
    tags: [],
    principal: "loopback",
    reply_to: null,
    dedupe_key: null,
  };
}

function busOn(path: string): Bus {
  return createBus({
    store: openStore(path),
    desktop: { show: () => Promise.resolve({ success: true }) },
    machine: "bench",
    cwd: "/bench",
    clock: Date.now,
    uuid: () => crypto.randomUUID(),
    random: Math.random,
    isAlive: () => true,
  });
}
