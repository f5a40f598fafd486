/** How texts differ, for people who want to see a change before it is made. */

interface Line {
  readonly sign: " " | "-" | "+";
  readonly text: string;
}

/**
 * What changes from one text to another, line by line, with `context` unchanged lines around each
 * change; what is left out between changes is marked by a line `...`.
 */
export function difference(before: string, after: string, context = 0): string[] {
  const lines = compare(linesOf(before), linesOf(after));
  const shown = lines.map((_, i) =>
    lines.slice(Math.max(0, i - context), i + context + 1).some(({ sign }) => sign !== " ")
  );
  return lines.flatMap(({ sign, text }, i) => {
    if (shown[i]) return [`${sign} ${text}`];
    return context > 0 && shown[i + 1] ? ["..."] : [];
  });
}

/** Longest common subsequence, after the lines that both begin and end with. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  let [start, a, b] = [0, before.length, after.length];
  while (start < a && start < b && before[start] === after[start]) start++;
  while (a > start && b > start && before[a - 1] === after[b - 1]) [a, b] = [a - 1, b - 1];
  const same = (text: string): Line => ({ sign: " ", text });
  return [
    ...before.slice(0, start).map(same),
    ...compareMiddle(before.slice(start, a), after.slice(start, b)),
    ...before.slice(a).map(same),
  ];
}

function compareMiddle(a: readonly string[], b: readonly string[]): Line[] {
  const common = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  const at = (i: number, j: number) => common[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = common[i] as Uint32Array;
      row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ sign: " ", text: a[i++] as string });
      j++;
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ sign: "-", text: a[i++] as string });
    } else lines.push({ sign: "+", text: b[j++] as string });
  }
  return lines;
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\r?\n$/, "").split(/\r?\n/);
}
