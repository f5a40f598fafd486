/** A bus on `:memory:` with a clock that only tests move, and calls as a door would make them. */
import { dirname, join } from "node:path";
import { createArchive } from "../../src/archive.ts";
import { type Bus, type BusParts, type Caller, createBus } from "../../src/bus.ts";
import type { Shown } from "../../src/desktop.ts";
import { BusError } from "../../src/errors.ts";
import { OPERATIONS } from "../../src/operations/all.ts";
import { perform } from "../../src/operations/perform.ts";
import { ABSENT } from "../../src/event.ts";
import { insertEvent } from "../../src/store/events.ts";
import { openStore } from "../../src/store/open.ts";
import { EVERY_SCOPE } from "../../src/token.ts";

export interface TestBus extends Bus, Disposable {
  /** Moves the clock, in milliseconds. */
  pass(ms: number): void;
  /** What the desktop was asked to show. */
  readonly notices: { title: string; message: string; sound: boolean }[];
  /** Processes that exist; others do not. */
  readonly processes: Set<number>;
  // deno-lint-ignore no-explicit-any -- answers are looked at field by field
  call(operation: string, args?: Record<string, unknown>, caller?: Partial<Caller>): Promise<any>;
  /** The refusal of a call that must not succeed. */
  refusal(
    operation: string,
    args?: Record<string, unknown>,
    caller?: Partial<Caller>,
  ): Promise<BusError>;
}

export const LOCAL: Caller = {
  principal: "loopback",
  scopes: EVERY_SCOPE,
  local: true,
  peer: "127.0.0.1",
  path: "http",
};
export const REMOTE: Caller = {
  principal: "token",
  scopes: EVERY_SCOPE,
  local: false,
  peer: "100.64.0.7",
  path: "http",
};
/** 2026-01-08, when the seed was written. */
export const START = Date.UTC(2026, 0, 8, 12);

export function testBus(path = ":memory:", more: Partial<BusParts> = {}): TestBus {
  let now = START;
  let ids = 0;
  let seed = 1;
  const store = openStore(path);
  const notices: TestBus["notices"] = [];
  const processes = new Set<number>();
  const bus: TestBus = {
    ...createBus({
      store,
      archive: path === ":memory:" ? null : createArchive(join(dirname(path), "archive")),
      desktop: {
        show(notice) {
          notices.push(notice);
          return Promise.resolve<Shown>({ success: true });
        },
      },
      machine: "home",
      cwd: "/src/bus",
      clock: () => now,
      uuid: () => `uuid-${++ids}`,
      // A small linear congruential generator: display ids differ, and a run can be repeated.
      random: () => (seed = (seed * 48271) % 2147483647) / 2147483647,
      isAlive: ({ pid }) => processes.has(pid),
      ...more,
    }),
    notices,
    processes,
    pass: (ms) => void (now += ms),
    call(name, args = {}, caller = {}) {
      const operation = OPERATIONS.find((known) => known.name === name);
      if (operation === undefined) throw new Error(`No operation ${name}`);
      return perform(bus, operation, args, { ...LOCAL, ...caller });
    },
    async refusal(name, args, caller) {
      try {
        await bus.call(name, args, caller);
      } catch (refusal) {
        if (refusal instanceof BusError) return refusal;
        throw refusal;
      }
      throw new Error(`${name} was expected to be refused`);
    },
    [Symbol.dispose]: () => store.close(),
  };
  return bus;
}

/** Adds so many events that concern nobody. */
export function addNoise(bus: Bus, count: number): Promise<void> {
  return bus.store.inBatch(() => {
    for (let i = 0; i < count; i++) {
      insertEvent(bus.store, {
        event_type: "task_started",
        payload: "",
        channel: "repo:elsewhere",
        session_id: "other",
        at: bus.clock(),
        signal_level: "lifecycle",
        ...ABSENT,
      });
    }
  });
}
