/**
 * JSON that people wrote, changed in place: only what is set or removed changes, every other byte
 * stays. Reading and writing it anew would reorder keys that look like numbers, round long numbers
 * and lay everything out again.
 */

/** Where a value is: keys of objects, positions in lists. */
export type Path = readonly (string | number)[];

interface Part {
  /** Where it begins: the key of a member, the value of an item. */
  readonly start: number;
  readonly key: string | number;
  readonly value: Value;
}

interface Value {
  readonly start: number;
  readonly end: number;
  /** The members or items; null when it is no container. */
  readonly parts: readonly Part[] | null;
}

/** A JSON text and what it says. Throws SyntaxError when it is none. */
export class JsonText {
  /** What the text says. */
  readonly value: unknown;
  readonly #root: Value;

  constructor(readonly text: string) {
    this.value = JSON.parse(text);
    this.#root = scan(text);
  }

  /** The value at `path`; undefined when there is none. */
  get(path: Path): unknown {
    const found = this.#find(path);
    return found && JSON.parse(this.text.slice(found.start, found.end));
  }

  /** The text with `value` at `path`; what is new comes last in its container, which must be there. */
  set(path: Path, value: unknown): JsonText {
    const container = this.#find(path.slice(0, -1)) as Value;
    const key = path.at(-1) as string | number;
    const found = this.#find(path);
    if (found !== undefined) {
      const told = this.#render(value, this.#indentAt(found.start), this.#isLaidOut(container));
      return this.#splice(found.start, found.end, told);
    }
    const parts = container.parts ?? [];
    const isLaidOut = this.#isLaidOut(container);
    const outer = this.#indentAt(container.start);
    const indent = parts[0] === undefined ? outer + this.#unit() : this.#indentAt(parts[0].start);
    const name = typeof key === "string"
      ? `${JSON.stringify(key)}:${this.#isSpaced() ? " " : ""}`
      : "";
    const told = name + this.#render(value, indent, isLaidOut);
    const last = parts.at(-1)?.value.end;
    if (last !== undefined) {
      const gap = isLaidOut ? this.#newline() + indent : this.#isSpaced() ? " " : "";
      return this.#splice(last, last, `,${gap}${told}`);
    }
    const [open, close] = isLaidOut
      ? [this.#newline() + indent, this.#newline() + outer]
      : ["", ""];
    return this.#splice(container.start + 1, container.end - 1, open + told + close);
  }

  /** The text without what is at `path`, which must be there. */
  remove(path: Path): JsonText {
    const container = this.#find(path.slice(0, -1)) as Value;
    const parts = container.parts ?? [];
    const at = parts.findLastIndex(({ key }) => key === path.at(-1));
    const [before, part, after] = [parts[at - 1], parts[at] as Part, parts[at + 1]];
    if (after !== undefined) return this.#splice(part.start, after.start, "");
    if (before !== undefined) return this.#splice(before.value.end, part.value.end, "");
    return this.#splice(container.start + 1, container.end - 1, "");
  }

  /** Of several members by one name the last counts, as for JSON.parse. */
  #find(path: Path): Value | undefined {
    let value: Value | undefined = this.#root;
    for (const key of path) value = value?.parts?.findLast((part) => part.key === key)?.value;
    return value;
  }

  #splice(from: number, to: number, text: string): JsonText {
    return new JsonText(this.text.slice(0, from) + text + this.text.slice(to));
  }

  #render(value: unknown, indent: string, isLaidOut: boolean): string {
    if (isLaidOut) {
      const lines = JSON.stringify(value, null, this.#unit()).split("\n");
      return lines.join(this.#newline() + indent);
    }
    return JSON.stringify(value);
  }

  /** Whether a container has a line for each of its parts; an empty one follows the whole text. */
  #isLaidOut({ start, parts }: Value): boolean {
    const first = parts?.[0];
    if (first !== undefined) return this.text.slice(start, first.start).includes("\n");
    const outermost = this.#root.parts?.[0];
    return outermost === undefined || this.text.slice(0, outermost.start).includes("\n");
  }

  #isSpaced(): boolean {
    return /[\[{,]\s*"(?:[^"\\]|\\.)*":\s/.test(this.text) || !this.text.includes(":");
  }

  /** What the line begins with that `position` is on. */
  #indentAt(position: number): string {
    const line = this.text.slice(this.text.lastIndexOf("\n", position - 1) + 1, position);
    return line.match(/^[ \t]*/)?.[0] ?? "";
  }

  /** One step of indentation: that of the first line that has any. */
  #unit(): string {
    return this.text.match(/\n([ \t]+)\S/)?.[1] ?? "  ";
  }

  #newline(): string {
    return this.text.includes("\r\n") ? "\r\n" : "\n";
  }
}

const TOKEN = /\s*("[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+)/gy;

/** Where everything is in a text that is known to be valid. */
function scan(text: string): Value {
  const tokens = [...text.matchAll(TOKEN)].map((match) => {
    const word = match[1] as string;
    const end = match.index + match[0].length;
    return { word, start: end - word.length, end };
  });
  let at = 0;
  const next = () => tokens[at++] as typeof tokens[number];
  const peek = () => tokens[at]?.word;
  const value = (): Value => {
    const { word, start, end } = next();
    if (word !== "{" && word !== "[") return { start, end, parts: null };
    const parts: Part[] = [];
    while (peek() !== "}" && peek() !== "]") {
      if (peek() === ",") next();
      const begin = tokens[at]?.start as number;
      let key: string | number = parts.length;
      if (word === "{") {
        key = JSON.parse(next().word) as string;
        next();
      }
      parts.push({ start: begin, key, value: value() });
    }
    return { start, end: next().end, parts };
  };
  return value();
}
