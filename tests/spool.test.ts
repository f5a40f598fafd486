/** The folder in which events wait for a bus that is away. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openSpool, type SpoolEntry } from "../src/spool.ts";
import { tempHome } from "./helpers/home.ts";

const entry = (payload: string): SpoolEntry => ({
  url: "http://127.0.0.1:8080",
  args: {
    event_type: "t",
    payload,
    dedupe_key: `key ${payload}`,
    sent_at: "2026-01-08T12:00:00.000Z",
  },
});

const filesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test("openSpool: an event that was added is a file of the user's alone, whole, and the folder has nothing else", () => {
  using home = tempHome();
  const spool = openSpool(home.dataDir);
  assert.deepEqual(spool.names(), []);
  spool.add(entry("a"));
  const [name = ""] = spool.names();
  assert.deepEqual(spool.read(name), entry("a"));
  assert.deepEqual(filesIn(spool.folder), [name]);
  assert.equal((Deno.statSync(join(spool.folder, name)).mode ?? 0) & 0o777, 0o600);
  assert.equal((Deno.statSync(spool.folder).mode ?? 0) & 0o777, 0o700);
  spool.remove(name);
  assert.equal(spool.read(name), null);
});

Deno.test("openSpool: names are in the order of adding, also when the clock is put back", () => {
  using home = tempHome();
  const spool = openSpool(home.dataDir);
  const payloads = ["a", "b", "c", "d", "e", "f"];
  const clock = Date.now;
  try {
    let now = clock() + 60_000;
    Date.now = () => now -= 10_000;
    for (const payload of payloads) spool.add(entry(payload));
  } finally {
    Date.now = clock;
  }
  const found = spool.names().map((name) => spool.read(name)?.args.payload);
  assert.deepEqual(found, payloads);
});

Deno.test("openSpool: what is no event is told when it is read, and kept beside its reason when set aside", () => {
  using home = tempHome();
  const spool = openSpool(home.dataDir);
  const damaged = ["", "{", "null", "[]", `{"url": "http://a"}`, `{"url": "http://a", "args": {}}`];
  for (const text of damaged) {
    spool.add(entry("x"));
    const name = spool.names().at(-1) ?? "";
    Deno.writeTextFileSync(join(spool.folder, name), text);
    assert.throws(() => spool.read(name), Error, text);
    spool.setAside(name, "it is damaged");
    const kept = join(spool.folder, "damaged", name);
    assert.equal(Deno.readTextFileSync(kept), text);
    assert.equal(Deno.readTextFileSync(`${kept}.reason`), "it is damaged\n");
  }
  assert.deepEqual(spool.names(), []);
});

Deno.test("openSpool: one delivers at a time, and what a writer left half way is cleared once it is old", () => {
  using home = tempHome();
  const spool = openSpool(home.dataDir);
  spool.add(entry("a"));
  const uuid = crypto.randomUUID();
  const old = `.${String(Date.now() - 2 * 60 * 60 * 1000).padStart(15, "0")}-${uuid}.json`;
  const young = `.${String(Date.now()).padStart(15, "0")}-${uuid}.json`;
  for (const name of [old, young]) Deno.writeTextFileSync(join(spool.folder, name), "{");
  assert.equal(spool.names().length, 1);
  {
    using lock = spool.lock();
    assert.ok(lock);
    assert.equal(openSpool(home.dataDir).lock(), null);
  }
  using again = spool.lock();
  assert.ok(again);
  assert.ok(!filesIn(spool.folder).includes(old));
  assert.ok(filesIn(spool.folder).includes(young));
});
