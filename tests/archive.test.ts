/** The archive: what was kept is read back, and what is damaged spoils nothing else. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { gunzipSync } from "node:zlib";
import { type Archive, type ArchiveRead, createArchive, type Damage } from "../src/archive.ts";
import { ABSENT, type Event } from "../src/event.ts";
import { tempHome } from "./helpers/home.ts";

const JANUARY = Date.UTC(2026, 0, 31, 23, 59);

function event(id: number, more: Partial<Event> = {}): Event {
  return {
    id,
    event_type: "note",
    payload: `payload ${id}`,
    channel: "all",
    session_id: "anonymous",
    at: JANUARY,
    signal_level: "info",
    ...ABSENT,
    ...more,
  };
}

const events = (from: number, through: number): Event[] =>
  Array.from({ length: through - from + 1 }, (_, i) => event(from + i));

async function readAll(archive: Archive, wanted: Partial<ArchiveRead> = {}) {
  const found: Event[] = [];
  const damaged: Damage[] = [];
  let cursor: string | null = null;
  let pages = 0;
  do {
    const page = await archive.read({
      since: -Infinity,
      until: Infinity,
      matches: () => true,
      limit: 100,
      maxBytes: 1e6,
      ...wanted,
      cursor,
    });
    found.push(...page.events);
    damaged.push(...page.damaged);
    cursor = page.next;
    assert.ok(++pages < 1000, "it comes to an end");
  } while (cursor !== null);
  return { ids: found.map(({ id }) => id), found, damaged, pages };
}

function withArchive(work: (archive: Archive, folder: string) => Promise<void>) {
  return async () => {
    using home = tempHome();
    const folder = `${home.path}/archive`;
    await work(createArchive(folder), folder);
  };
}

Deno.test(
  "createArchive: what was appended is read back whole, in files of months that zcat can read",
  withArchive(async (archive, folder) => {
    const full = event(2, {
      at: JANUARY + 60_000,
      payload: 'quotes "", lines\n\r\u2028, \u0000, \u202e and 日本語 🎉',
      signal_level: "actionable",
      correlation_id: "c",
      title: "t",
      tags: ["a", "ü"],
      principal: "p",
      reply_to: 1,
      dedupe_key: "k",
    });
    assert.deepEqual((await readAll(archive)).ids, [], "nothing is there, and nothing is made");
    await archive.append([event(1), full]);
    await archive.append([event(3, { at: JANUARY + 120_000 })]);
    assert.deepEqual((await readAll(archive)).found.slice(0, 2), [event(1), full]);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "2026-01.jsonl.gz",
      "2026-02.jsonl.gz",
    ]);
    const text = gunzipSync(Deno.readFileSync(`${folder}/2026-02.jsonl.gz`)).toString();
    const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ id }) => id), [2, 3], "two parts are one text");
    assert.equal(lines[0].payload, full.payload);
  }),
);

Deno.test(
  "createArchive: any events come back as they were, in pages of any size",
  withArchive(async (_archive, folder) => {
    const text = fc.string({ unit: "binary", maxLength: 40 }).map((s) => s.toWellFormed());
    const some = fc.record({
      payload: text,
      channel: text,
      at: fc.oneof(
        fc.integer({ min: JANUARY, max: JANUARY + 1e9 }),
        fc.integer({ min: -1e15, max: 1e15 }),
        fc.constantFrom(0, -1, 8.64e15, 253402300800000, 253402300799999),
      ),
      title: fc.option(text.filter((t) => t !== "")),
      tags: fc.array(text, { maxLength: 2 }),
      reply_to: fc.option(fc.integer({ min: 1, max: 1e15 })),
    });
    const parts = fc.array(fc.array(some, { minLength: 1, maxLength: 6 }), { maxLength: 4 });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(parts, fc.integer({ min: 1, max: 9 }), async (drafts, limit) => {
        const archive = createArchive(`${folder}/${run++}`);
        let id = 0;
        const all = drafts.map((part) => part.map((draft) => event(++id, draft)));
        for (const part of all) await archive.append(part);
        const { found, damaged } = await readAll(archive, { limit });
        assert.deepEqual(damaged, []);
        assert.deepEqual(found.toSorted((a, b) => a.id - b.id), all.flat());
      }),
      { numRuns: 15 },
    );
  }),
);

Deno.test(
  "createArchive: pages are bounded by count, by bytes and by parts, and go on where they ended",
  withArchive(async (archive) => {
    for (let from = 1; from <= 91; from += 10) await archive.append(events(from, from + 9));
    const all = events(1, 100).map(({ id }) => id);
    for (const limit of [1, 7, 10, 99, 100, 1000]) {
      assert.deepEqual((await readAll(archive, { limit })).ids, all, `${limit}`);
    }
    assert.deepEqual((await readAll(archive, { maxBytes: 1 })).pages, 100, "never none");
    const rare = await readAll(archive, { matches: ({ id }) => id === 95 });
    assert.deepEqual([rare.ids, rare.pages], [[95], 2], "a page may be empty and not the last");
  }),
);

Deno.test(
  "createArchive: since and until open only the months that they are about",
  withArchive(async (archive, folder) => {
    const at = [0, 1, 2].map((month) => Date.UTC(2026, month, 15));
    for (const [i, time] of at.entries()) await archive.append([event(i + 1, { at: time })]);
    Deno.writeTextFileSync(`${folder}/2026-01.jsonl.gz`, "damaged");
    const [, february, march] = at as [number, number, number];
    const within = async (since: number, until: number) => await readAll(archive, { since, until });
    assert.deepEqual((await within(february, march)).ids, [2], "until is exclusive");
    assert.deepEqual((await within(february + 1, Infinity)).ids, [3]);
    assert.deepEqual((await within(february, march)).damaged, []);
    assert.equal((await within(-Infinity, Infinity)).damaged.length, 1);
  }),
);

Deno.test(
  "createArchive: what is in two parts is shown once; the same id at another time is another event",
  withArchive(async (archive) => {
    await archive.append(events(1, 5));
    await archive.append(events(3, 8));
    await archive.append(events(1, 9));
    const restored = event(4, { at: JANUARY - 1000, payload: "of a restored database" });
    await archive.append([restored]);
    for (const limit of [1, 4, 100]) {
      const { ids, found } = await readAll(archive, { limit });
      assert.deepEqual(ids, [1, 2, 3, 4, 5, 6, 7, 8, 9, 4], `${limit}`);
      assert.deepEqual(found.at(-1), restored);
    }
  }),
);

/** Three parts in one file, and where each begins. */
async function threeParts(archive: Archive, path: string): Promise<number[]> {
  const starts: number[] = [];
  for (const from of [1, 11, 21]) {
    starts.push(from === 1 ? 0 : Deno.statSync(path).size);
    await archive.append(events(from, from + 9));
  }
  return starts;
}

const ids = (...ranges: [number, number][]): number[] =>
  ranges.flatMap(([from, through]) => events(from, through).map(({ id }) => id));

Deno.test(
  "createArchive: a damaged part is named and skipped, wherever the damage is",
  withArchive(async (archive, folder) => {
    const path = `${folder}/2026-01.jsonl.gz`;
    const [, second, third] = await threeParts(archive, path) as [number, number, number];
    const whole = Deno.readFileSync(path);
    // In the text, its checksum, the magic number, the length and the field's name.
    for (const at of [second + 60, third - 6, second, second + 16, second + 12]) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] as number) ^ 0x55;
      Deno.writeFileSync(path, bytes);
      const { ids: found, damaged } = await readAll(createArchive(folder));
      assert.deepEqual(found, ids([1, 10], [21, 30]), `byte ${at}`);
      assert.deepEqual(damaged, [{ file: "2026-01.jsonl.gz", at: second }]);
    }
  }),
);

Deno.test(
  "createArchive: a part that was cut off by a crash spoils neither what was before nor what came after",
  withArchive(async (archive, folder) => {
    const path = `${folder}/2026-01.jsonl.gz`;
    const [, , third] = await threeParts(archive, path) as [number, number, number];
    const size = Deno.statSync(path).size;
    for (const left of [1, 20, 40, size - third - 1]) {
      Deno.truncateSync(path, third + left);
      const torn = await readAll(createArchive(folder));
      assert.deepEqual(torn.ids, ids([1, 20]), `${left} bytes of it`);
      assert.deepEqual(torn.damaged, [{ file: "2026-01.jsonl.gz", at: third }]);
      await createArchive(folder).append(events(21, 35));
      const after = await readAll(createArchive(folder), { limit: 3 });
      assert.deepEqual(after.ids, ids([1, 35]));
      assert.equal(after.damaged.length, 1);
      Deno.truncateSync(path, third);
      await createArchive(folder).append(events(21, 30));
    }
  }),
);

Deno.test(
  "createArchive: no bytes whatever make reading fail",
  withArchive(async (archive, folder) => {
    const path = `${folder}/2026-01.jsonl.gz`;
    await threeParts(archive, path);
    const whole = Deno.readFileSync(path);
    const spoilt = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.record({ at: fc.nat(whole.length - 1), bytes: fc.uint8Array({ maxLength: 30 }) })
        .map(({ at, bytes }) => {
          const copy = whole.slice();
          copy.set(bytes.subarray(0, whole.length - at), at);
          return copy;
        }),
      fc.nat(whole.length).map((length) => whole.slice(0, length)),
      fc.nat(whole.length).map((from) => whole.slice(from)),
    );
    await fc.assert(
      fc.asyncProperty(spoilt, async (bytes) => {
        Deno.writeFileSync(path, bytes);
        const { ids: found } = await readAll(createArchive(folder));
        assert.ok(found.every((id) => id >= 1 && id <= 30));
        assert.equal(new Set(found).size, found.length);
      }),
      { numRuns: 150 },
    );
  }),
);

Deno.test(
  "createArchive: a cursor is one that a page answered; other files in the folder are not looked at",
  withArchive(async (archive, folder) => {
    await archive.append(events(1, 3));
    for (const name of ["notes.txt", "2026-13-x.jsonl.gz", "x2026-01.jsonl.gz", "2026-01.jsonl"]) {
      Deno.writeTextFileSync(`${folder}/${name}`, "not ours");
    }
    assert.deepEqual((await readAll(archive)).ids, [1, 2, 3]);
    for (
      const cursor of ["", "7", "../2026-01:0:0", "2026-01:0", "2026-01:-1:0", "2026-01:0:0\n"]
    ) {
      await assert.rejects(
        archive.read({
          cursor,
          since: 0,
          until: Infinity,
          matches: () => true,
          limit: 1,
          maxBytes: 1,
        }),
        /Cannot read the archive from this cursor/,
      );
    }
  }),
);
