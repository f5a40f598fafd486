import assert from "node:assert/strict";
import { z } from "zod";
import { errorsOf } from "../../src/operations/refusal.ts";

const INPUT = z.strictObject({
  name: z.string().min(1).max(5),
  limit: z.int().min(0).max(1000).optional(),
  amount: z.number().optional(),
  order: z.enum(["asc", "desc"]).optional(),
  loud: z.boolean().optional(),
  tags: z.array(z.string()).max(2).optional(),
});

Deno.test("errorsOf: says what is expected of each field, in words without the schema's own", () => {
  const said: [input: unknown, words: string][] = [
    [{}, "name: is missing"],
    [{ name: "" }, "name: must not be empty"],
    [{ name: "abcdef" }, "name: at most 5 characters"],
    [{ name: 3 }, "name: a text is expected"],
    [{ name: "a", limit: -1 }, "limit: at least 0"],
    [{ name: "a", limit: 1001 }, "limit: at most 1000"],
    [{ name: "a", limit: "x" }, "limit: a number is expected"],
    [{ name: "a", limit: 1.5 }, "limit: a whole number is expected"],
    [{ name: "a", amount: "x" }, "amount: a number is expected"],
    [{ name: "a", order: "up" }, "order: one of asc, desc is expected"],
    [{ name: "a", loud: "yes" }, "loud: true or false is expected"],
    [{ name: "a", tags: ["1", "2", "3"] }, "tags: at most 2 items"],
    [{ name: "a", tags: "x" }, "tags: a list is expected"],
    [{ name: "a", tags: [1] }, "tags.0: a text is expected"],
    [{ name: "a", nmae: "b" }, 'there is no "nmae"'],
    [[], "an object is expected"],
    [{ name: "", order: 1 }, "name: must not be empty; order: one of asc, desc is expected"],
  ];
  for (const [input, words] of said) {
    const { error } = INPUT.safeParse(input);
    assert.equal(error && errorsOf(error), words, JSON.stringify(input));
  }
});
