import assert from "node:assert/strict";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { MAX_CHANNEL_LENGTH } from "../../src/channel.ts";
import { ERROR_CODES } from "../../src/errors.ts";
import { MAX_LABEL_LENGTH, MAX_PAYLOAD_BYTES, MAX_TAGS } from "../../src/event.ts";
import { startLog } from "../../src/log.ts";
import { testBus } from "../helpers/bus.ts";
import { type Home, tempHome } from "../helpers/home.ts";
import { type TestApp, testApp } from "../helpers/server.ts";
import { TORTURE } from "../helpers/torture.ts";
import { type Thrown, thrown } from "./requests.ts";
import { leaksIn, makeSecrets, type Secrets } from "./secrets.ts";

const CALLS = TORTURE ? 100_000 : 2_000;
/** So much time passes with each: sessions come and go, and what is old is pruned. */
const PASSES_MS = 20_000;

/** Checks that an answer is one: no fault of ours, and readable by whoever asked. */
async function checkAnswer(one: Thrown, answer: Response, secrets: Secrets): Promise<void> {
  const { method, path } = one;
  const body = await answer.text();
  const what = `${method} ${path} ${answer.status} ${body.slice(0, 300)}`;
  assert.deepEqual(leaksIn(body, secrets), [], what);
  // A folder that is not there is no fault of ours.
  const isMissing = answer.status === 503 && /^Cannot back up to/.test(JSON.parse(body).error);
  assert.ok(answer.status < 500 || isMissing, what);
  if (body === "") {
    assert.ok(method === "HEAD" || answer.status === 202 || answer.status === 204, what);
    return;
  }
  const value = parsed(answer, body);
  assert.equal(typeof value, "object", what);
  if (answer.status < 400 || /^\/mcp\/?$/.test(path)) {
    assert.doesNotMatch(body, /"code":"internal"|Internal error/, what);
    return;
  }
  assert.equal(typeof value.error, "string", what);
  assert.ok(ERROR_CODES.includes(value.code), what);
}

// deno-lint-ignore no-explicit-any -- looked at field by field
function parsed(answer: Response, body: string): any {
  const type = answer.headers.get("content-type") ?? "";
  if (type.startsWith("application/json")) return JSON.parse(body);
  assert.match(type, /^text\/event-stream; charset=utf-8/);
  const line = body.split("\n").find((one) => one.startsWith("data: "));
  return JSON.parse((line ?? "").slice("data: ".length));
}

/** A call such as everybody makes, through one of the doors; it holds what should not be in it. */
async function checkNormalCall(app: TestApp, n: number, secrets: Secrets): Promise<void> {
  const payload = `still here ${n}`;
  const { credential, token, wrong } = secrets;
  const args = { event_type: "normal", payload: `${payload} ${credential}`, title: credential };
  const headers = { authorization: `Bearer ${n % 3 === 0 ? token : wrong}` };
  const answer = n % 2 === 0
    ? await app.post("/v1/publish_event", args, headers)
    : await app.post("/mcp", {
      jsonrpc: "2.0",
      id: n,
      method: "tools/call",
      params: { name: "publish_event", arguments: args },
    }, headers);
  assert.equal(answer.status, 200);
  const body = await answer.text();
  assert.match(body, new RegExp(payload));
  assert.deepEqual(leaksIn(body, secrets), []);
}

Deno.test(`doors: ${CALLS} fuzzed calls each get a clear answer, none harms the next, and no secret is anywhere`, async () => {
  using home = tempHome();
  const log = join(home.path, "event-bus.log");
  const stopLog = await startLog(log, "debug", join(home.path, "audit.log"));
  try {
    const secrets = await fuzz(home);
    await stopLog();
    checkFiles(home, secrets);
  } finally {
    await stopLog();
  }
});

async function fuzz(home: Home): Promise<Secrets> {
  const bus = testBus(join(home.path, "data.db"));
  // Here the names of tokens and sessions have to be new ones.
  Object.assign(bus, { uuid: () => crypto.randomUUID() });
  const shared = "the-shared-token-of-this-bus";
  await using app = testApp({ token: shared }, bus);
  await bus.call("register_session", { name: "fuzz", client_id: "fuzz", machine: "far" });
  const secrets = await makeSecrets(bus, shared);
  let calls = 0;
  const statuses = new Map<number, number>();
  const send = async (one: Thrown) => {
    const { method, path, headers, body } = one;
    const answer = await app.fetch(path, { method, headers, body });
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    await checkAnswer(one, answer, secrets);
    await checkNormalCall(app, ++calls, secrets);
    bus.pass(PASSES_MS);
  };
  await fc.assert(fc.asyncProperty(thrown, send), {
    numRuns: CALLS,
    // The gate repeats itself; the long form looks elsewhere each time and tells its seed.
    ...(TORTURE ? {} : { seed: 20260108 }),
  });
  assert.equal(calls, CALLS);
  for (const status of [200, 400, 404, 413, 415]) {
    assert.ok((statuses.get(status) ?? 0) > 0, `some were answered with ${status}`);
  }
  assert.ok((statuses.get(200) ?? 0) > CALLS / 10, "many were understood");
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
  await checkLog(app);
  checkLimits(app);
  await leaveEverywhere(app, home);
  return secrets;
}

/** What the calls left behind can be read to the end, in order, and the database is sound. */
async function checkLog({ bus }: TestApp): Promise<void> {
  let cursor = "0";
  let last = 0;
  for (let more = true; more;) {
    const page = await bus.call("get_events", { cursor, order: "asc", limit: 1000 });
    assert.ok(page.events.length <= 1000);
    for (const { id } of page.events) {
      assert.ok(id > last);
      last = id;
    }
    cursor = page.next_cursor;
    more = page.has_more;
  }
  assert.ok(last >= CALLS);
  await bus.call("list_sessions");
  const { integrity_check } = bus.store.db.prepare("PRAGMA integrity_check").get() as {
    integrity_check: string;
  };
  assert.equal(integrity_check, "ok");
}

/** Nothing that was stored is larger, or more of a kind, than the limits allow. */
function checkLimits({ bus }: TestApp): void {
  const most: Record<string, number> = {
    "max(length(CAST(payload AS BLOB))) FROM event": MAX_PAYLOAD_BYTES,
    "max(length(event_type)) FROM event": MAX_LABEL_LENGTH,
    "max(length(title)) FROM event": MAX_LABEL_LENGTH,
    "max(length(channel)) FROM event": MAX_CHANNEL_LENGTH,
    "max(json_array_length(tags)) FROM event": MAX_TAGS,
    "count(*) FROM webhook": DEFAULT_LIMITS.principal_webhooks,
  };
  for (const [what, limit] of Object.entries(most)) {
    const [found] = Object.values(bus.store.db.prepare(`SELECT ${what}`).get() ?? {});
    assert.ok(Number(found ?? 0) <= limit, `${what}: ${found} of ${limit}`);
  }
}

/** Sees to it that what there is stands in every kind of file that the bus writes. */
async function leaveEverywhere({ bus }: TestApp, home: Home): Promise<void> {
  await bus.call("backup", { path: join(home.path, "backup.db") });
  const exported = await bus.call("export_events", {});
  home.write(
    "export.jsonl",
    exported.lines.map((line: unknown) => JSON.stringify(line)).join("\n"),
  );
  bus.pass(400 * 24 * 60 * 60 * 1000);
  // A webhook would keep what it has yet to be sent.
  for (const { webhook_id } of await bus.call("list_webhooks")) {
    await bus.call("unregister_webhook", { webhook_id });
  }
  for (let more = true; more;) {
    more = (await bus.call("prune", { older_than_seconds: 2 * 86_400 })).has_more;
  }
}

/** Reads everything that was written. */
function checkFiles(home: Home, secrets: Secrets): void {
  const names = new Set<string>();
  const walk = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      const path = join(folder, name);
      if (isDirectory) {
        walk(path);
        continue;
      }
      names.add(name);
      const bytes = Deno.readFileSync(path);
      const found = leaksIn(name.endsWith(".gz") ? gunzipSync(bytes) : bytes, secrets);
      // It signs with that one; so do who restores a backup.
      const mayHave = /\.db(-wal)?$/.test(name) ? [secrets.signing] : [];
      assert.deepEqual(found.filter((secret) => !mayHave.includes(secret)), [], name);
    }
  };
  walk(home.path);
  for (const name of ["data.db", "event-bus.log", "audit.log", "backup.db", "export.jsonl"]) {
    assert.ok(names.has(name), `${name} was looked at`);
  }
  assert.ok([...names].some((name) => name.endsWith(".jsonl.gz")), "the archive was looked at");
}

Deno.test("leaksIn finds a secret in text and in bytes, also where JSON or an address has it", async () => {
  using bus = testBus();
  const secrets = await makeSecrets(bus, "the-shared-token-of-this-bus");
  for (const secret of Object.values(secrets)) {
    assert.deepEqual(leaksIn(`a ${secret} b`, secrets), [secret]);
    assert.deepEqual(leaksIn(new TextEncoder().encode(`\0${secret}\0`), secrets), [secret]);
    assert.deepEqual(leaksIn(encodeURIComponent(secret), secrets), [secret]);
    assert.deepEqual(leaksIn(secret.slice(0, -1), secrets), []);
  }
});
