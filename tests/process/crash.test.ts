/**
 * The whole program, killed with -9 again and again under everybody at once. What must hold is told by
 * the acknowledgements that the world outside received, never by the server itself.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Home, tempHome } from "../helpers/home.ts";
import { serve, type Served, spawn, SUBJECT } from "../helpers/process.ts";
import { type Receiver, receiver, until } from "../helpers/receiver.ts";
import { TORTURE } from "../helpers/torture.ts";
import {
  type Ask,
  asking,
  checkReader,
  createPublisher,
  Gone,
  Ledger,
  PeekingReader,
  type Publisher,
  type Reader,
  ResumingReader,
  type Shown,
  StreamingReader,
  untilGone,
} from "../torture/driver.ts";
import { type Backup, checkBackups, type Remains, remainsOf } from "../torture/remains.ts";

const CRASHES = TORTURE ? 200 : 5;
/** Every so many crashes hit a server that is only starting. */
const AT_START_EVERY = 4;
const PUBLISHERS = 4;
/** Nobody gets an answer more than so often before a crash. */
const MOST_ANSWERS = 400;
/** About what a start takes. */
const START_MS = 800;

/** Here no limit is in the way: it is about what was accepted. */
const env = {
  EVENT_BUS_LIMITS: "session_publishes_per_minute=1000000,session_bytes_per_minute=1000000000",
};

interface World {
  readonly home: Home;
  readonly ledger: Ledger;
  readonly publishers: readonly Publisher[];
  readonly housekeeper: Publisher;
  readonly readers: readonly { reader: Reader; start: number }[];
  readonly streaming: StreamingReader;
  readonly hook: Receiver;
  /** The webhook is sent what comes after this id. */
  readonly hookStart: number;
  backups: Backup[];
}

/** Everybody registers with a server that nobody kills yet. */
async function createWorld(home: Home, hook: Receiver): Promise<World> {
  await using server = await serve({ home, env });
  const ask = asking(server.url);
  const ledger = new Ledger();
  const register = async (name: string) => {
    const { session_id, cursor } = await ask("register_session", { name, client_id: name });
    return { session_id: String(session_id), start: Number(cursor) };
  };
  // Not sessions: one that never reads would keep everything from being pruned.
  const publishers = Array.from(
    { length: PUBLISHERS },
    (_, n) => createPublisher(ledger, `publisher-${n + 1}`),
  );
  const housekeeper = createPublisher(ledger, "housekeeper");

  const [resuming, peeking, streaming] = [
    await register("resuming"),
    await register("peeking"),
    await register("streaming"),
  ];
  const notOwn = (id: string) => (event: Shown) => event.session_id !== id;
  const who = ({ session_id }: { session_id: string }) => ({ session_id });
  await ask("register_webhook", { url: hook.url });
  const { next_cursor } = await ask("get_events", { limit: 0 });
  const tip = Number(next_cursor);
  const script = { consumer: "script" };
  await ask("get_events", { ...script, event_types: ["odd"], resume: true });
  const stream = new StreamingReader(
    "streaming",
    streaming.start,
    notOwn(streaming.session_id),
    who(streaming),
  );
  return {
    ...{ home, ledger, publishers, housekeeper, hook },
    hookStart: tip,
    streaming: stream,
    readers: [
      {
        reader: new ResumingReader(
          "resuming",
          resuming.start,
          notOwn(resuming.session_id),
          who(resuming),
        ),
        start: resuming.start,
      },
      {
        reader: new PeekingReader(
          "peeking",
          peeking.start,
          notOwn(peeking.session_id),
          who(peeking),
        ),
        start: peeking.start,
      },
      {
        reader: new ResumingReader(
          "script",
          tip,
          ({ event_type }) => event_type === "odd",
          script,
          { event_types: ["odd"] },
        ),
        start: tip,
      },
      { reader: stream, start: streaming.start },
    ],
    backups: [],
  };
}

/** Publishes, prunes and backs up in turn. */
async function keepHouse(world: World, ask: Ask, isKeyed: boolean): Promise<void> {
  const { home, housekeeper, ledger, backups } = world;
  for (let n = 0; n < 5; n++) await housekeeper.publish(ask, isKeyed);
  await ask("prune", { older_than_seconds: 1 });
  const path = join(home.path, `backup-${crypto.randomUUID()}.db`);
  const backup: Backup = { path, acknowledged: ledger.ids.length, isDone: false };
  backups.push(backup);
  await ask("backup", { path });
  backup.isDone = true;
}

/** Long work that a crash is to hit more often than it would by chance. */
const LONG_WORK = ["prune", "backup"];

/** Kills a server at some instant of its work. */
async function crashAtWork(world: World, crash: number): Promise<void> {
  // An event with a key of today is not pruned, nor what comes after it.
  const isKeyed = crash > CRASHES / 2;
  const wanted = LONG_WORK[crash % (LONG_WORK.length + 1)];
  await using server = await serve({ home: world.home, env });
  const enough = Promise.withResolvers<void>();
  let left = Math.floor(Math.random() * MOST_ANSWERS);
  const ask = asking(server.url, (what, operation) => {
    const isIt = wanted === undefined
      ? what === "answered" && --left < 0
      : what === "asked" && operation === wanted;
    if (isIt) enough.resolve();
  });
  world.streaming.url = server.url;
  const actors = [
    ...world.publishers.map((one) => untilGone(() => one.publish(ask, isKeyed))),
    ...world.readers.map(({ reader }) => readUntilGone(reader, ask)),
    untilGone(() => keepHouse(world, ask, isKeyed)),
  ];
  const all = Promise.all(actors);
  await Promise.race([enough.promise, all]);
  // Not always right after an answer.
  for (let turns = Math.random() * 40; turns > 0; turns--) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.notEqual(await server.stop("SIGKILL"), 0);
  await all;
  assert.equal(await server.errors, "");
}

async function readUntilGone(reader: Reader, ask: Ask): Promise<void> {
  await untilGone(async () => {
    await reader.recover(ask);
    for (;;) await reader.read(ask, 10);
  });
}

/** Kills one that opens its database, brings it up to date, or begins to listen. */
async function crashAtStart({ home }: World): Promise<void> {
  const child = spawn(["serve", "--port", "0"], { home, env });
  const killing = Promise.withResolvers<void>();
  setTimeout(() => {
    child.kill("SIGKILL");
    killing.resolve();
  }, Math.random() * START_MS);
  await killing.promise;
  const { signal, stderr } = await child.output();
  assert.equal(signal, "SIGKILL", new TextDecoder().decode(stderr));
}

/** What must hold of what is on the disk, whenever a server was killed. */
function checkRemains({ home, ledger, readers }: World, before: Remains | null): Remains {
  const remains = remainsOf(home.dataDir);
  assert.ok(remains.highest >= Math.max(0, ...ledger.ids), "no id is given out again");
  for (const [consumer, at] of before?.positions ?? []) {
    const now = remains.positions.get(consumer) ?? 0;
    // Who lost an answer goes back to what it has seen, and asks for that.
    const known = readers.map(({ reader }) => reader).find((reader) =>
      consumer.includes(reader.name) && reader instanceof ResumingReader
    );
    const least = known === undefined ? at : Math.min(at, known.at);
    assert.ok(now >= least, `${consumer} went back from ${at} to ${now}`);
  }
  const there = new Set(remains.ids);
  const first = remains.ids[0] ?? Infinity;
  for (const id of ledger.ids) assert.ok(id < first || there.has(id), `event ${id} is gone`);
  return remains;
}

async function liveEvents(ask: Ask): Promise<Shown[]> {
  const events: Shown[] = [];
  let cursor = "0";
  for (let more = true; more;) {
    const page = await ask("get_events", { cursor, order: "asc", limit: 1000 });
    events.push(...page.events);
    cursor = page.next_cursor;
    more = page.has_more;
  }
  return events;
}

async function archivedEvents(ask: Ask): Promise<Shown[]> {
  const events: Shown[] = [];
  let cursor: string | undefined;
  do {
    const page = await ask("get_archived_events", { cursor, limit: 1000 });
    assert.deepEqual(page.damaged, []);
    events.push(...page.events);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return events;
}

/** Lets a reader read what there is. */
async function drain(reader: Reader, ask: Ask, tip: number): Promise<void> {
  await reader.recover(ask);
  while (reader.at < tip) await reader.read(ask, 0);
  if (!(reader instanceof StreamingReader)) return;
  await reader.acknowledge(ask);
  await reader.leave();
}

/** Every event once at least, in order; a crash repeats no more than the one that was under way. */
function checkHook({ hook, hookStart }: World, all: readonly Shown[]): void {
  const expected = all.filter(({ id }) => id > hookStart).map(({ id }) => id);
  const posts = hook.ids();
  assert.deepEqual([...new Set(posts)], expected);
  let repeats = 0;
  for (const [n, id] of posts.entries()) {
    const before = posts[n - 1] ?? 0;
    assert.ok(id >= before, `the webhook was sent ${id} after ${before}`);
    if (id === before) repeats++;
  }
  assert.ok(repeats <= CRASHES + 1, `${repeats} repeats of ${CRASHES} crashes`);
}

Deno.test(`${SUBJECT} serve: kill -9 at ${CRASHES} random instants, under everybody at once, loses, repeats and damages nothing`, async () => {
  using home = tempHome();
  await using hook = receiver();
  const world = await createWorld(home, hook);
  let before: Remains | null = null;
  for (let crash = 1; crash <= CRASHES; crash++) {
    if (crash % AT_START_EVERY === 0) await crashAtStart(world);
    else await crashAtWork(world, crash);
    before = checkRemains(world, before);
    checkBackups(world.backups, world.ledger.ids);
    world.backups = [];
  }
  await using server = await serve({ home, env });
  await checkEnd(world, server);
});

/** What must hold when everybody has had the time to read to the end. */
async function checkEnd(world: World, server: Served): Promise<void> {
  const ask = asking(server.url);
  world.streaming.url = server.url;
  await world.publishers[0]?.publish(ask, true);
  const tip = world.ledger.ids.at(-1) ?? 0;
  assert.equal(tip, Math.max(...world.ledger.ids), "the newest id is the highest");
  for (const { reader } of world.readers) {
    if (reader.name !== "script") await drain(reader, ask, tip);
  }
  const script = world.readers.find(({ reader }) => reader.name === "script")?.reader as Reader;
  await script.recover(ask);
  for (let at = -1; at !== script.at;) {
    at = script.at;
    await script.read(ask, 0);
  }
  // It may have far to go: as long as something comes it has not stopped.
  const { posts } = world.hook;
  const sentThrough = () => Number(posts.at(-1)?.body.event_id ?? 0);
  for (let at = sentThrough(); at < tip; at = sentThrough()) {
    await until(() => sentThrough() > at, `the webhook stopped at ${at} of ${tip}`);
  }
  for (let more = true; more;) more = (await ask("prune", { older_than_seconds: 1 })).has_more;

  const [live, archived] = [await liveEvents(ask), await archivedEvents(ask)];
  const all = [...archived, ...live];
  const payloads = new Map(all.map(({ id, payload }) => [id, payload]));
  assert.equal(payloads.size, all.length, "no id is there twice, in the log or in the archive");
  for (const [id, payload] of world.ledger.payloads) assert.equal(payloads.get(id), payload);
  const said = all.map(({ payload }) => payload).filter((text) => text.includes(" says "));
  assert.equal(new Set(said).size, said.length, "nothing that was said once is there twice");
  assert.ok(archived.length > 0, "some of it was archived");

  all.sort((a, b) => a.id - b.id);
  const isArchived = new Set(archived.map(({ id }) => id));
  for (const { reader, start } of world.readers) {
    checkReader(reader, all, start, (id) => isArchived.has(id));
  }
  checkHook(world, all);
  const path = join(world.home.path, "last.db");
  const last = { path, acknowledged: world.ledger.ids.length, isDone: true };
  await ask("backup", { path });
  assert.equal(checkBackups([last], world.ledger.ids), 1);
}

Deno.test("untilGone: only an end of the server ends it quietly", async () => {
  let steps = 0;
  await untilGone(() => ++steps < 3 ? Promise.resolve() : Promise.reject(new Gone()));
  assert.equal(steps, 3);
  await assert.rejects(untilGone(() => Promise.reject(new Error("wrong"))), /wrong/);
});
