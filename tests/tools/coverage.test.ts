import assert from "node:assert/strict";
import { percentOf, readLcov, unloaded } from "../../tools/coverage.ts";

const REPORT = `SF:/src/a.ts
FN:1,f
DA:1,5
DA:2,0
LH:1
LF:2
end_of_record
SF:/src/b.ts
LH:6
LF:6
end_of_record
`;

Deno.test("readLcov: the lines of each file, and how many of them were run", () => {
  assert.deepEqual([...readLcov(REPORT)], [
    ["/src/a.ts", { found: 2, hit: 1 }],
    ["/src/b.ts", { found: 6, hit: 6 }],
  ]);
  assert.equal(readLcov("").size, 0);
});

Deno.test("percentOf: is of all lines together, and nothing is not everything", () => {
  assert.equal(percentOf(readLcov(REPORT).values()), 87.5);
  assert.equal(percentOf([]), 0);
});

Deno.test("unloaded: a source that no test loads counts in full, unless it holds only types", () => {
  assert.equal(unloaded("/** Doc. */\nexport const a = 1;\n").found, 2);
  assert.equal(unloaded("export async function f() {\n}\n").found, 2);
  assert.equal(
    unloaded('import type { A } from "./a.ts";\nexport interface B {\n  a: A;\n}\n').found,
    0,
  );
});
