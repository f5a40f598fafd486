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
