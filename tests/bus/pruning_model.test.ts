/** Publishing, reading, acknowledging, searching and pruning in any order, against sets of ids. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type ArchivingBus, archivingBus } from "../helpers/archive.ts";
import { TORTURE } from "../helpers/torture.ts";

const RUNS = TORTURE ? 1000 : 25;

const READERS = [
  { session_id: "a", consumer: "main" },
  { session_id: "b", consumer: "main" },
  { session_id: "b", consumer: "ci" },
  { session_id: undefined, consumer: "night" },
] as const;
type Reader = (typeof READERS)[number];

const reader = fc.constantFrom(...READERS);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      sender: fc.constantFrom(undefined, "a", "b", "gone"),
      to: fc.constantFrom("all", "repo:x", "session:a", "session:nobody"),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      reader,
      limit: fc.integer({ min: 0, max: 6 }),
      peek: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("ack" as const),
      reader,
      by: fc.integer({ min: 0, max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pass" as const), s: fc.nat(200) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("prune" as const),
      olderThan: fc.integer({ min: 1, max: 200 }),
      dies: fc.constantFrom(null, null, "before", "after"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("search" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("drain" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Run {
  readonly #published: number[] = [];
  readonly #senders = new Map<number, string | undefined>();
  /** What each reader was shown and marked, or said that it has dealt with. */
  readonly #seen = new Map<Reader, number[]>(READERS.map((one) => [one, []]));
  readonly #stands = new Map<string, number>();
  #word = 0;
  pruned = 0;

  constructor(readonly bus: ArchivingBus) {}

  async start(): Promise<void> {
    for (const name of ["a", "b", "gone"]) {
      const { cursor } = await this.bus.call("register_session", { name, client_id: name });
      this.#published.push(Number(cursor));
      this.#senders.set(Number(cursor), name);
      if (name !== "gone") this.bus.readers.attend(name, "stream");
    }
    await this.bus.call("unregister_session", { session_id: "gone" });
    this.#published.push(4);
    await this.bus.call("get_events", { consumer: "night", resume: true, limit: 0 });
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "pass") return this.bus.pass(step.s * 1000);
    if (step.kind === "publish") await this.#publish(step);
    if (step.kind === "read") await this.#read(step.reader, step.limit, step.peek);
    if (step.kind === "ack") await this.#ack(step.reader, step.by);
    if (step.kind === "prune") await this.#prune(step.olderThan, step.dies);
    if (step.kind === "search") await this.#search();
    if (step.kind === "drain") await this.#drain();
    this.#checkPositions();
  }

  async #publish({ sender, to, count }: Extract<Step, { kind: "publish" }>): Promise<void> {
    for (let i = 0; i < count; i++) {
      const { event_id } = await this.bus.call("publish_event", {
        event_type: "note",
        payload: `needle w${this.#word++}`,
        session_id: sender,
        channel: to,
      });
      assert.ok(event_id > (this.#published.at(-1) ?? 0), "no id twice");
      this.#published.push(event_id);
      this.#senders.set(event_id, sender);
    }
  }

  async #read(reader: Reader, limit: number, peek: boolean): Promise<void> {
    const before = this.#unread(reader);
    const { events, unread } = await this.bus.call("get_events", {
      ...reader,
      resume: true,
      order: "asc",
      limit,
      peek,
    });
    const ids = events.map(({ id }: { id: number }) => id);
    assert.deepEqual(ids, before.slice(0, limit), "the oldest that are there");
    assert.equal(unread, peek ? before.length : before.length - ids.length);
    if (!peek) this.#seen.get(reader)?.push(...ids);
  }

  /** What is live, after where it stands, and not its own. */
  #unread(reader: Reader): number[] {
    const stands = this.#standing(reader);
    return this.bus.live().filter((id) =>
      id > stands &&
      (reader.session_id === undefined || this.#senders.get(id) !== reader.session_id)
    );
  }

  #standing({ session_id, consumer }: Reader): number {
    const row = this.bus.store.db.prepare(
      "SELECT event_id FROM position WHERE session_id = ? AND consumer = ? AND principal <> ':search'",
    ).get(session_id ?? "", consumer) as { event_id: number } | undefined;
    return row?.event_id ?? (session_id === "a" ? 1 : 2);
  }

  async #ack(reader: Reader, by: number): Promise<void> {
    const cursor = Math.min(this.#standing(reader) + by, this.#published.at(-1) ?? 0);
    await this.bus.call("ack_events", { ...reader, cursor: String(cursor) });
    for (const id of this.#published) {
      if (id <= cursor && !this.#seen.get(reader)?.includes(id)) this.#seen.get(reader)?.push(id);
    }
  }

  async #prune(olderThan: number, dies: "before" | "after" | null): Promise<void> {
    const { bus } = this;
    const { archive } = bus;
    const { inBatch } = bus.store;
    const end = () => Promise.reject(new Error("killed"));
    if (dies === "before") Object.assign(bus, { archive: { ...archive, append: end } });
    if (dies === "after") Object.assign(bus.store, { inBatch: end });
    const before = bus.live();
    const unread = new Map(READERS.map((one) => [one, this.#unread(one)]));
    try {
      const { events } = await bus.call("prune", { older_than_seconds: olderThan });
      this.pruned += events;
      assert.equal(events, before.length - bus.live().length);
    } catch {
      assert.notEqual(dies, null);
      assert.deepEqual(bus.live(), before);
    } finally {
      Object.assign(bus, { archive });
      Object.assign(bus.store, { inBatch });
    }
    for (const one of READERS.slice(0, 2)) {
      assert.deepEqual(this.#unread(one), unread.get(one), "a living session loses nothing");
    }
    await this.#checkWhole();
  }

  async #checkWhole(): Promise<void> {
    const archived = await this.bus.archived(7);
    assert.equal(new Set(archived).size, archived.length, "no id twice");
    const both = new Set([...archived, ...this.bus.live()]);
    assert.deepEqual([...both].sort((a, b) => a - b), this.#published);
  }

  async #search(): Promise<void> {
    const { events, has_more } = await this.bus.call("search_events", {
      query: "needle",
      limit: 100,
    });
    const found = events.map(({ id }: { id: number }) => id).sort((a: number, b: number) => a - b);
    const live = this.bus.live().filter((id) => id > 4);
    if (has_more) assert.equal(found.length, 100);
    else assert.deepEqual(found, live);
  }

  #checkPositions(): void {
    for (const row of this.bus.store.db.prepare("SELECT * FROM position").all()) {
      const key = `${row.session_id} ${row.principal} ${row.consumer}`;
      const stands = Number(row.event_id);
      assert.ok(stands >= (this.#stands.get(key) ?? 0), `${key} went back`);
      this.#stands.set(key, stands);
    }
  }

  async #drain(): Promise<void> {
    for (const reader of READERS) {
      while (this.#unread(reader).length > 0) await this.#read(reader, 5, false);
    }
  }

  /** Everybody reads to the end: what lives has seen everything that was for it, once. */
  async finish(): Promise<void> {
    await this.#drain();
    await this.#search();
    await this.#checkWhole();
    this.bus.pass(1_000_000);
    await this.#prune(1, null);
    assert.deepEqual(this.bus.live(), [], "what everybody has read holds nobody up");
    for (const reader of READERS) {
      const seen = this.#seen.get(reader) ?? [];
      assert.equal(new Set(seen).size, seen.length, "nothing twice");
      // What somebody had given up may have left the log unread.
      if (reader.consumer !== "main") continue;
      const start = reader.session_id === "a" ? 1 : 2;
      const wanted = this.#published.filter((id) =>
        id > start && this.#senders.get(id) !== reader.session_id
      );
      assert.deepEqual(wanted.filter((id) => !seen.includes(id)), [], "nothing is lost");
    }
    // Throws unless the index has the words of what is live, and no others.
    this.bus.store.db.exec(
      "INSERT INTO event_words (event_words, rank) VALUES ('integrity-check', 1)",
    );
    const { integrity_check } = this.bus.store.db.prepare("PRAGMA integrity_check").get() as never;
    assert.equal(integrity_check, "ok");
  }
}

Deno.test(`prune in any order with everything else loses nothing, shows nothing twice and moves nobody back, ${RUNS} times`, async () => {
  let pruned = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 60 }), async (steps) => {
      using bus = archivingBus();
      const run = new Run(bus);
      await run.start();
      for (const one of steps) await run.take(one);
      await run.finish();
      pruned += run.pruned;
    }),
    { numRuns: RUNS },
  );
  assert.ok(pruned > RUNS * 10, `${pruned} events were pruned`);
});
