import assert from "node:assert/strict";
import { createBell } from "../../src/bell.ts";
import { createSharing } from "../../src/bus/sharing.ts";

Deno.test("shared: a question is answered once between two rings, and again after the next", () => {
  const bell = createBell();
  const shared = createSharing(bell);
  let asked = 0;
  const ask = (question: string) => shared(question, () => ++asked);
  assert.deepEqual([ask("a"), ask("a"), ask("b"), ask("a")], [1, 1, 2, 1]);
  bell.ring();
  assert.deepEqual([ask("a"), ask("a")], [3, 3]);
});

Deno.test("shared: keeps a few answers and no more", () => {
  const shared = createSharing(createBell());
  let asked = 0;
  const all = () => {
    for (let n = 0; n < 100; n++) shared(String(n), () => ++asked);
  };
  all();
  all();
  assert.ok(asked > 100 && asked < 200, `${asked} of 200 were worked out`);
});

Deno.test("shared: what fails is told, and tried again", () => {
  const shared = createSharing(createBell());
  assert.throws(() =>
    shared("a", () => {
      throw new Error("not now");
    }), /not now/);
  assert.equal(shared("a", () => 1), 1);
});

Deno.test("shared: a promise that fails is nobody else's answer", async () => {
  const shared = createSharing(createBell());
  await assert.rejects(shared("a", () => Promise.reject(new Error("not now"))), /not now/);
  assert.equal(await shared("a", () => Promise.resolve(1)), 1);
});
