/** Tokens as the rules know them: made once, shown once, over at once. */
import { deepStrictEqual as equal, match, notEqual, ok } from "node:assert/strict";
import { MAX_TOKENS } from "../../src/bus/tokens.ts";
import { type TestBus, testBus } from "../helpers/bus.ts";

const DAY = 24 * 60 * 60 * 1000;

const create = async (bus: TestBus, args: Record<string, unknown> = {}): Promise<string> =>
  (await bus.call("create_token", { name: "laptop", ...args })).token;

const nameOf = (bus: TestBus, secret: string): string | null => {
  const found = bus.credentials.find(secret);
  return found === null || found === "over" ? found : found.name;
};

Deno.test("create_token answers a secret of 244 random bits once, and the database has its hash alone", async () => {
  using bus = testBus();
  const real = { ...bus, uuid: () => crypto.randomUUID() };
  Object.assign(bus, { uuid: real.uuid });
  const made = await bus.call("create_token", { name: "laptop" });
  match(made.token, /^ebt_[0-9a-f]{64}$/);
  equal(made.scopes, ["publish", "read"], "who asks for nothing may not operate");
  equal([made.state, made.expires_at, made.last_used_at], ["valid", null, null]);
  notEqual(made.token, await create(bus, { name: "other" }));

  const rows = JSON.stringify(bus.store.db.prepare("SELECT * FROM token").all());
  ok(!rows.includes(made.token.slice(4)), rows);
  const listed = await bus.call("list_tokens");
  equal(listed.map(({ name }: { name: string }) => name), ["laptop", "other"]);
  const { token: _, ...shown } = made;
  equal(listed[0], shown, "a list tells everything but the secret");
});

Deno.test("create_token refuses names that are taken, mean somebody else, or could break a line", async () => {
  using bus = testBus();
  await create(bus);
  const taken = await bus.refusal("create_token", { name: "laptop" });
  equal(taken.code, "conflict");
  match(taken.message, /"laptop".*rotate or revoke/);
  for (const name of ["loopback", "token", "Server", "anonymous", "TOKEN"]) {
    const refusal = await bus.refusal("create_token", { name });
    match(refusal.message, /the bus itself uses that name/, name);
  }
  for (const name of ["a b", "a@b.c", "-a", ".a", "é", "a\nb", "a/b", "a\u202eb", ":webhook"]) {
    const refusal = await bus.refusal("create_token", { name });
    equal(refusal.code, "invalid_argument", name);
    match(refusal.message, /^Cannot call a token /, name);
  }
  for (const scopes of [[], ["root"], ["read", "read", "read", "read"]]) {
    equal((await bus.refusal("create_token", { name: "x", scopes })).code, "invalid_argument");
  }
});

Deno.test("a token is valid until its time is over, to the millisecond", async () => {
  using bus = testBus();
  const secret = await create(bus, { expires_in_seconds: 60 });
  bus.pass(59_999);
  equal(nameOf(bus, secret), "laptop");
  bus.pass(1);
  equal(nameOf(bus, secret), "over");
  equal((await bus.call("list_tokens")).length, 0);
  const [past] = await bus.call("list_tokens", { include_ended: true });
  equal(past.state, "expired");
  ok(await create(bus), "its name is free again");
});

Deno.test("revoke_token ends every secret of a name at once, and what was begun with it", async () => {
  using bus = testBus();
  const old = await create(bus);
  const { token } = await bus.call("rotate_token", { name: "laptop", grace_seconds: 60 });
  const other = await create(bus, { name: "other" });
  const begun = [old, token, other].map((secret) => {
    const found = bus.credentials.find(secret);
    if (found === null || found === "over") throw new Error("it is valid");
    return found.revoked;
  });
  equal(await bus.call("revoke_token", { name: "laptop" }), {
    success: true,
    name: "laptop",
    ended: 2,
  });
  equal([nameOf(bus, old), nameOf(bus, token), nameOf(bus, other)], ["over", "over", "other"]);
  equal(begun.map(({ aborted }) => aborted), [true, true, false]);
  equal((await bus.refusal("revoke_token", { name: "laptop" })).code, "not_found");
  equal((await bus.refusal("rotate_token", { name: "laptop" })).code, "not_found");
  const all = await bus.call("list_tokens", { include_ended: true });
  equal(all.map(({ state }: { state: string }) => state), ["revoked", "revoked", "valid"]);
});

Deno.test("rotate_token gives the same name and scopes a new secret; the old one ends now, or after its grace", async () => {
  using bus = testBus();
  const first = await create(bus, { scopes: ["read"], expires_in_seconds: 30 * DAY / 1000 });
  bus.pass(DAY);
  const second = await bus.call("rotate_token", { name: "laptop" });
  equal([nameOf(bus, first), nameOf(bus, second.token)], ["over", "laptop"]);
  equal(second.scopes, ["read"]);
  equal(
    Date.parse(second.expires_at) - Date.parse(second.created_at),
    30 * DAY,
    "valid for as long as the first was made for",
  );
  const third = await bus.call("rotate_token", { name: "laptop", grace_seconds: 600 });
  equal([nameOf(bus, second.token), nameOf(bus, third.token)], ["laptop", "laptop"]);
  const states = (await bus.call("list_tokens")).map(({ state }: { state: string }) => state);
  equal(states, ["valid", "rotated"]);
  bus.pass(600_000);
  equal([nameOf(bus, second.token), nameOf(bus, third.token)], ["over", "laptop"]);
});

Deno.test("rotate_token without a grace time ends every older secret, also one that had some left", async () => {
  using bus = testBus();
  await bus.call("create_token", { name: "laptop", scopes: ["read"] });
  await bus.call("rotate_token", { name: "laptop", grace_seconds: 600 });
  await bus.call("rotate_token", { name: "laptop" });
  const tokens = await bus.call("list_tokens");
  equal(tokens.map(({ state }: { state: string }) => state), ["valid"]);
});

Deno.test("rotate_token does not let an old secret live longer than it would have", async () => {
  using bus = testBus();
  const first = await create(bus, { expires_in_seconds: 60 });
  await bus.call("rotate_token", { name: "laptop", grace_seconds: 3600 });
  bus.pass(60_000);
  equal(nameOf(bus, first), "over");
});

Deno.test("a token counts only once its making is durable, and goes on counting when its end is not", async () => {
  using bus = testBus();
  await create(bus);
  bus.store.db.exec(
    "CREATE TRIGGER full BEFORE INSERT ON token BEGIN SELECT raise(ROLLBACK, 'full'); END",
  );
  await bus.refusal("create_token", { name: "second" });
  equal((await bus.call("list_tokens")).length, 1);
  bus.store.db.exec(
    "CREATE TRIGGER stuck BEFORE UPDATE ON token BEGIN SELECT raise(ROLLBACK, 'full'); END",
  );
  await bus.refusal("revoke_token", { name: "laptop" });
  bus.credentials.reload();
  equal((await bus.call("list_tokens"))[0].state, "valid");
});

Deno.test("finding a token asks the database nothing", async () => {
  using bus = testBus();
  const secret = await create(bus);
  const prepare = bus.store.sql;
  const asked: string[] = [];
  Object.assign(bus.store, {
    sql(text: string) {
      asked.push(text);
      return prepare(text);
    },
  });
  equal(nameOf(bus, secret), "laptop");
  equal(nameOf(bus, "guess"), null);
  equal(asked, []);
  bus.credentials.reload();
  equal(asked.length, 1, "what would be seen");
});

Deno.test("list_tokens tells when a token was last used, before anything is written", async () => {
  using bus = testBus();
  const secret = await create(bus);
  bus.pass(5000);
  bus.credentials.find(secret);
  const [token] = await bus.call("list_tokens");
  equal(Date.parse(token.last_used_at) - Date.parse(token.created_at), 5000);
  equal([...bus.credentials.used(5001 + Date.parse(token.created_at))], [], "not worth writing");
  equal([...bus.credentials.used(1).values()], [Date.parse(token.last_used_at)]);
});

Deno.test("create_token keeps the tokens at a bound: the oldest that is over goes first", async () => {
  using bus = testBus();
  const first = await create(bus, { name: "first", expires_in_seconds: 1 });
  await bus.store.inBatch(() => {
    const insert = bus.store.db.prepare(
      "INSERT INTO token (name, hash, scopes, created_at) VALUES (?, ?, '[]', 0)",
    );
    for (let n = 1; n < MAX_TOKENS; n++) insert.run(`t${n}`, `h${n}`);
  });
  const full = await bus.refusal("create_token", { name: "more" });
  match(full.message, /there are 1000, the limit; revoke one/);
  bus.pass(1000);
  await create(bus, { name: "more" });
  equal((await bus.call("list_tokens", { include_ended: true })).length, MAX_TOKENS);
  equal(nameOf(bus, first), null, "forgotten");
});
