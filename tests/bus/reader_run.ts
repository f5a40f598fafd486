/** Takes steps on a real bus and on the model of its rules, and compares. */
import assert from "node:assert/strict";
import { deriveSignalLevel, type SignalLevel } from "../../src/event.ts";
import type { TestBus } from "../helpers/bus.ts";
import { type Asked, isUrgent, Model, type Reader, type Reading, wanted } from "./reader_model.ts";
import { type Of, READERS, type Step } from "./reader_steps.ts";

/** What one run remembers beside the model: what was seen, and what nobody promised to show. */
export class Run {
  readonly model = new Model(READERS);
  readonly #pages = new Map<Reader, number[]>();
  /** How often each event was in a page that was handed over. */
  readonly #seen = new Map<Reader, Map<number, number>>();
  /** Events that a read asked not to see. */
  readonly #hidden = new Map<Reader, Set<number>>();
  /** Events that an acknowledgement went past, in either direction. */
  readonly #dealtWith = new Map<Reader, Set<number>>();
  /** Readers with which nothing out of the ordinary happened. */
  readonly #plain = new Set<Reader>(READERS);

  constructor(readonly bus: TestBus) {
    for (const reader of READERS) {
      this.#pages.set(reader, []);
      this.#seen.set(reader, new Map());
      this.#hidden.set(reader, new Set());
      this.#dealtWith.set(reader, new Set());
    }
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "publish") return await this.#publish(step);
    if (step.kind === "read") return await this.#read(step);
    if (step.kind === "ack") return await this.#ack(step);
    if (step.kind === "register") return await this.register(step.session, step.repo);
    await this.#end(step.session);
  }

  async register(id: string, repo: string): Promise<void> {
    const known = this.model.sessions.get(id);
    const { cursor, resumed } = await this.bus.call("register_session", {
      name: id,
      client_id: id,
      cwd: `/w/${repo}`,
    });
    assert.equal(resumed, known !== undefined);
    const main = READERS.find((one) => one.session === id && one.name === "main") as Reader;
    if (known !== undefined) {
      assert.equal(
        Number(cursor),
        this.model.standing(main),
        "a revived session keeps its position",
      );
      // What is urgent is another matter elsewhere: some of it may be shown twice, none not at all.
      if (known.repo !== repo) this.#plain.delete(main);
      Object.assign(known, { repo, ended: false });
      return;
    }
    const start = Number(cursor);
    this.#append(start, "session_registered", id, "all", "lifecycle", null);
    this.model.register(id, repo, start);
  }

  async #end(id: string): Promise<void> {
    const known = this.model.sessions.get(id);
    if (known === undefined || known.ended) return;
    await this.bus.call("unregister_session", { session_id: id });
    known.ended = true;
    this.#append(this.model.tip + 1, "session_unregistered", id, "all", "lifecycle", null);
  }

  async #publish({ event_type, sender, channel, thread, level }: Of<"publish">): Promise<void> {
    const { event_id, signal_level } = await this.bus.call("publish_event", {
      event_type,
      payload: "",
      session_id: sender,
      channel,
      correlation_id: thread,
      signal_level: level,
    });
    assert.equal(signal_level, level ?? deriveSignalLevel(event_type, channel));
    this.#append(event_id, event_type, sender, channel, signal_level, thread);
  }

  #append(
    id: number,
    event_type: string,
    sender: string,
    channel: string,
    level: SignalLevel,
    thread: string | null,
  ): void {
    assert.equal(id, this.model.tip + 1, "ids only grow");
    this.model.log.push({ id, event_type, sender, channel, level, thread });
  }

  async #read({ reader, asked, behind, ...step }: Of<"read">): Promise<void> {
    const { model, bus } = this;
    const cursor = behind === null ? null : Math.max(1, model.tip - behind);
    const args = {
      ...nameOf(reader),
      ...asked,
      resume: true,
      peek: step.mode === "peek",
      limit: step.limit,
      order: step.order,
      cursor: cursor === null ? undefined : String(cursor),
    };
    const gone = new AbortController();
    const caller = { principal: reader.principal, path: step.path, signal: gone.signal };
    if (model.isEnded(reader)) {
      assert.equal((await bus.refusal("get_events", args, caller)).code, "session_ended");
      return;
    }
    const before = model.standing(reader);
    const reading: Reading = { ...step, cursor };
    const expected = model.read(reader, asked, reading);
    if (expected === null) {
      const refusal = bus.refusal("get_events", args, caller);
      gone.abort();
      assert.equal((await refusal).code, "caller_left");
      this.#plain.delete(reader);
      return;
    }
    const page = await bus.call("get_events", args, caller);
    const ids = page.events.map(({ id }: { id: number }) => id) as number[];
    assert.deepEqual({
      ids,
      next_cursor: Number(page.next_cursor),
      has_more: page.has_more,
      unread: page.unread,
    }, expected);

    const after = model.standing(reader);
    this.#pages.get(reader)?.unshift(Number(page.next_cursor));
    assert.ok((after ?? 0) >= (before ?? 0), "a read never moves back");
    if (model.rows.get(reader)?.at(-1)?.through === after && after !== before) {
      this.#note(reader, ids, before ?? cursor ?? 0, after ?? 0, asked);
    }
  }

  #note(reader: Reader, ids: number[], from: number, through: number, asked: Asked): void {
    const seen = this.#seen.get(reader);
    for (const id of ids) seen?.set(id, (seen.get(id) ?? 0) + 1);
    for (const entry of this.model.log) {
      const passed = entry.id > from && entry.id <= through;
      if (passed && !wanted(entry, asked)) this.#hidden.get(reader)?.add(entry.id);
    }
    if (Object.keys(asked).length > 0) this.#plain.delete(reader);
  }

  async #ack({ reader, shown, by, rewind, path }: Of<"ack">): Promise<void> {
    const { model, bus } = this;
    const stands = model.standing(reader) ?? model.tip;
    const page = shown === null ? undefined : this.#pages.get(reader)?.[shown];
    const cursor = page ?? Math.min(Math.max(0, stands + by), model.tip);
    const args = { ...nameOf(reader), cursor: String(cursor), allow_rewind: rewind };
    const caller = { principal: reader.principal, path };
    if (model.isEnded(reader)) {
      assert.equal((await bus.refusal("ack_events", args, caller)).code, "session_ended");
      return;
    }
    const previous = model.ack(reader, cursor, rewind, path);
    if (previous === "conflict") {
      const { code, details } = await bus.refusal("ack_events", args, caller);
      assert.equal(code, "conflict");
      assert.ok(Number(details.cursor) > cursor, "it says where it stands");
      return;
    }
    const acked = await bus.call("ack_events", args, caller);
    assert.deepEqual([acked.cursor, acked.consumer], [String(cursor), reader.name]);
    assert.equal(acked.previous_cursor, previous === null ? null : String(previous));
    if (previous === null || cursor === previous) return;
    // Whoever acknowledges says that it has dealt with what lies before; or wants to see it again.
    this.#plain.delete(reader);
    for (const { id } of model.log) {
      if (id > Math.min(previous, cursor) && id <= Math.max(previous, cursor)) {
        this.#dealtWith.get(reader)?.add(id);
      }
    }
  }

  /** Everybody who is there reads to the end; then every event must have been seen by all it concerns. */
  async finish(): Promise<void> {
    const drain: Omit<Of<"read">, "reader"> = {
      kind: "read",
      asked: {},
      limit: 5,
      order: "asc",
      mode: "consume",
      behind: null,
      path: "http",
    };
    for (const id of this.model.sessions.keys()) await this.register(id, this.#repo(id));
    for (const reader of READERS) {
      do await this.#read({ ...drain, reader }); while (
        (this.model.standing(reader) ?? 0) < this.model.tip
      );
    }
    for (const reader of READERS) this.#checkSeen(reader);
    this.#checkRecord();
  }

  #repo(id: string): string {
    return this.model.sessions.get(id)?.repo ?? "";
  }

  #checkSeen(reader: Reader): void {
    const { session, name } = reader;
    // Where a consumer of a principal began is up to its first call.
    if (session === null) return this.#checkRepeats(reader);
    const urgent = READERS.find((one) =>
      one.session === session && one.name === "urgent"
    ) as Reader;
    const start = this.model.sessions.get(session)?.start ?? 0;
    for (const entry of this.model.log) {
      const { id, sender } = entry;
      if (id <= start || sender === session) continue;
      // What main has passed, urgent does not show any more; what urgent hid, main shows.
      if (name === "urgent") continue;
      const early = name === "main" && this.#has(urgent, id);
      assert.ok(
        this.#has(reader, id) || this.#hidden.get(reader)?.has(id) || early,
        `${session} ${name} has not seen ${JSON.stringify(entry)}`,
      );
    }
    this.#checkRepeats(reader);
    if (name !== "main" || !this.#plain.has(reader) || !this.#plain.has(urgent)) return;
    for (const id of this.#seen.get(urgent)?.keys() ?? []) {
      assert.ok(!this.#seen.get(reader)?.has(id), `${session} was shown ${id} as urgent and again`);
    }
    for (const entry of this.model.log) {
      if (!isUrgent(entry, session, this.#repo(session))) {
        assert.ok(!this.#seen.get(urgent)?.has(entry.id), "nothing else interrupts");
      }
    }
  }

  #has(reader: Reader, id: number): boolean {
    return this.#seen.get(reader)?.has(id) === true ||
      this.#dealtWith.get(reader)?.has(id) === true;
  }

  #checkRepeats(reader: Reader): void {
    if (!this.#plain.has(reader)) return;
    for (const [id, times] of this.#seen.get(reader) ?? []) {
      assert.equal(times, 1, `${reader.session} ${reader.name} has seen ${id} once`);
    }
  }

  /** One row for each move, no gap and no overlap but where somebody went back. */
  #checkRecord(): void {
    const rows = this.bus.store.db.prepare(
      `SELECT from_id, through_id, count, path FROM delivery
       WHERE session_id = ? AND principal = ? AND consumer = ? ORDER BY id`,
    );
    for (const reader of READERS) {
      const { session, principal, name } = reader;
      const found = rows.all(session ?? "", session === null ? principal : "", name)
        .map(({ from_id, through_id, count, path }) => (
          { from: from_id, through: through_id, count, path }
        ));
      assert.deepEqual(found, this.model.rows.get(reader));
      for (const [i, { from, through }] of (this.model.rows.get(reader) ?? []).entries()) {
        assert.notEqual(from, through, "a read that moved nothing leaves no row");
        const before = this.model.rows.get(reader)?.[i - 1]?.through ?? from;
        // Main may have raised urgent meanwhile.
        assert.ok(
          name === "urgent" ? from >= before : from === before,
          "the rows follow each other",
        );
      }
    }
  }
}

function nameOf({ session, name }: Reader): Record<string, string> {
  if (session === null) return { consumer: name };
  return name === "main" ? { session_id: session } : { session_id: session, consumer: name };
}
