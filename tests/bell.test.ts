import { deepStrictEqual as equal } from "node:assert";
import { createBell } from "../src/bell.ts";

Deno.test("ring() wakes everybody who waits, once", async () => {
  const bell = createBell();
  const { signal } = new AbortController();
  const waiting = [bell.wait(bell.rings, signal), bell.wait(bell.rings, signal)];
  bell.ring();
  equal(await Promise.all(waiting), [true, true]);
  const abort = new AbortController();
  const next = bell.wait(bell.rings, abort.signal);
  abort.abort();
  equal(await next, false, "a ring is not kept for later");
});

Deno.test("wait() ends when its signal aborts, before or while it waits", async () => {
  const bell = createBell();
  equal(await bell.wait(bell.rings, AbortSignal.abort()), false);
  const abort = new AbortController();
  const waiting = bell.wait(bell.rings, abort.signal);
  abort.abort();
  equal(await waiting, false);
  bell.ring();
});

Deno.test("wait() that looked before a ring resolves at once", async () => {
  const bell = createBell();
  const { signal } = new AbortController();
  const seen = bell.rings;
  bell.ring();
  equal(await bell.wait(seen, signal), true);
});

Deno.test("stop() ends every wait, now and later, as if nothing had come", async () => {
  const bell = createBell();
  const { signal } = new AbortController();
  const waiting = bell.wait(bell.rings, signal);
  equal(bell.stopped, false);
  bell.stop();
  equal(await waiting, false);
  equal(await bell.wait(bell.rings, signal), false);
  equal(bell.stopped, true);
});
