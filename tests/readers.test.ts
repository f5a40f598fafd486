import { deepStrictEqual as equal } from "node:assert";
import { createReaders } from "../src/readers.ts";

Deno.test("pathsTo() names each way by which a session listens, as long as somebody does", () => {
  const readers = createReaders();
  equal(readers.pathsTo("a"), []);
  const first = readers.attend("a", "stream");
  const second = readers.attend("a", "stream");
  const wait = readers.attend("a", "wait");
  readers.attend("b", "wait");
  equal(readers.pathsTo("a"), ["stream", "wait"]);
  first();
  equal(readers.pathsTo("a"), ["stream", "wait"], "one stream is left");
  wait();
  second();
  equal([readers.pathsTo("a"), readers.pathsTo("b")], [[], ["wait"]]);
});

Deno.test("attend() ends once, however often it is told to", () => {
  const readers = createReaders();
  const first = readers.attend("a", "stream");
  readers.attend("a", "stream");
  first();
  first();
  equal(readers.pathsTo("a"), ["stream"]);
});

Deno.test("lastBy() tells when each path of a session last asked, of the thousand heard most recently", () => {
  const readers = createReaders();
  equal([...readers.lastBy("a")], []);
  readers.note("a", "prompt hook", 1);
  readers.note("a", "batch hook", 2);
  readers.note("a", "prompt hook", 3);
  equal(Object.fromEntries(readers.lastBy("a")), { "prompt hook": 3, "batch hook": 2 });
  equal(readers.pathsTo("a"), [], "who asked does not listen");
  for (let i = 0; i < 999; i++) readers.note(`s${i}`, "wake", i);
  equal(readers.lastBy("a").size, 2);
  readers.note("a", "wake", 4);
  readers.note("last", "wake", 5);
  equal([readers.lastBy("a").size, readers.lastBy("s0").size], [3, 0], "the longest silent goes");
});
