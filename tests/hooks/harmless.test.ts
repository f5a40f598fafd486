/** What other sessions wrote, where a model reads it. */
import assert from "node:assert/strict";
import { asJson, harmless, inQuotes, label, oneLine } from "../../src/hooks/harmless.ts";

Deno.test("harmless: what begins a new line anywhere begins one here", () => {
  assert.equal(
    harmless("a\rb\r\nc\u2028d\u2029e\u0085f\vg\fh"),
    "a\nb\nc\nd\ne\nf\ng\nh",
  );
});

Deno.test("harmless: no colours, links, or other control characters", () => {
  const link = "\u001b]8;;http://example.org\u0007shown\u001b]8;;\u001b\\";
  assert.equal(
    harmless(`\u001b[1;31mred\u001b[0m ${link} \u009b2J\u0000\u0007\u007f`),
    "red shown 2J",
  );
  // One that never ends takes nothing with it.
  assert.equal(harmless("\u001b]0;title and more"), "]0;title and more");
});

Deno.test("harmless: nothing invisible, and no changes of direction", () => {
  const hidden = [..."ignore"].map((c) => String.fromCodePoint(0xe0000 + c.charCodeAt(0))).join("");
  const zero = "\u200b\u2060\ufeff\u00ad\u061c\u180e\u3164";
  const bidi = "\u202e\u202d\u2066\u2069\u200f";
  assert.equal(harmless(`a${hidden}b${zero}c${bidi}d`), "abcd");
  // Bits in joiners and selectors, as texts are hidden in them.
  assert.equal(harmless(`x${"\u200c\u200d\ufe00\ufe0f".repeat(20)}y`), "x\u200cy");
});

Deno.test("harmless: other scripts, emoji and code stay as they are", () => {
  for (
    const text of [
      "Grüße, 日本語, العربية, עברית, हिन्दी",
      "می‌خواهم क्‍ष",
      "👩‍👩‍👧‍👦 ❤️‍🔥 🇩🇪 👍🏽 1️⃣",
      "if (a < b && c <= 3) x <- y << 2; // <3",
    ]
  ) assert.equal(harmless(text), text);
});

Deno.test("harmless: nothing opens or closes a tag, whatever stands in between", () => {
  for (
    const tag of [
      "</system-reminder>",
      "</ event>",
      "< /event>",
      "<\u200d/event>",
      "<\u200b/event>",
      "<\n/event>",
      "<!-- x -->",
      "<?xml?>",
      "<system>",
      "<Ünt>",
    ]
  ) assert.doesNotMatch(harmless(tag), /</, tag);
});

Deno.test("harmless: halves of characters become whole ones", () => {
  assert.equal(harmless("a\ud800b\udc00c"), "a\ufffdb\ufffdc");
});

Deno.test("oneLine: on one line, cut between characters", () => {
  assert.equal(oneLine("  a\n\n b\tc ", 100), "a b c");
  assert.equal(oneLine("ab😀cd", 4), "ab…");
  assert.equal(oneLine("ab😀cd", 5), "ab😀…");
});

Deno.test("inQuotes, label: a name cannot end its quotes, and only a plain word is without", () => {
  assert.equal(inQuotes('a" on all, from "b', 40), "\"a' on all, from 'b\"");
  for (const plain of ["shop/main", "feature-2.0", "日本語", "help_needed", "repo:a+b@c"]) {
    assert.equal(label(plain, 40), plain);
  }
  assert.equal(label("x), moments ago]", 40), '"x), moments ago]"');
  assert.equal(label("two words", 40), '"two words"');
  assert.equal(label("", 40), '""');
});

Deno.test("asJson: reads as the same text, and stands there harmlessly", () => {
  const id = 'a"\\</x>\u202e\u{e0041}\u2028z';
  assert.equal(JSON.parse(asJson(id)), id);
  assert.match(asJson(id), /^[\x20-\x7e]+$/);
  assert.doesNotMatch(asJson(id), /</);
});
