/** Our hooks in the text of a settings.json, among whatever else stands there. */
import { type Handler, type Hooks, isOurs } from "./hooks.ts";
import type { JsonText, Path } from "./json_text.ts";

/** The settings with `wanted` as our only hooks: those of ours that are there change in place. */
export function withHooks(
  text: JsonText,
  wanted: Hooks,
  wasEmpty: readonly string[] = [],
): JsonText {
  for (const event of new Set([...eventsOf(text), ...Object.keys(wanted)])) {
    // An event may be called `valueOf`: settings are anybody's.
    const groups = Object.hasOwn(wanted, event) ? wanted[event] ?? [] : [];
    text = withHooksOf(text, event, groups.flatMap(({ hooks }) => hooks), wasEmpty);
  }
  return text;
}

/** The settings without our hooks, and without containers that held nothing else. */
export function withoutHooks(text: JsonText, wasEmpty: readonly string[] = []): JsonText {
  return withHooks(text, {}, wasEmpty);
}

/** The containers of hooks that are there and empty; they are to stay when our hooks go. */
export function emptyContainers(text: JsonText): string[] {
  const events = eventsOf(text).filter((event) => isEmpty(text.get(["hooks", event])));
  return [...isEmpty(text.get(["hooks"])) ? ["hooks"] : [], ...events.map(nameOf)];
}

function withHooksOf(
  text: JsonText,
  event: string,
  wanted: readonly Handler[],
  wasEmpty: readonly string[],
): JsonText {
  const found = oursAt(text, event);
  // From the last to the first, because removing one moves those behind it.
  for (const path of found.slice(wanted.length).reverse()) text = without(text, path, wasEmpty);
  found.slice(0, wanted.length).forEach((path, i) => {
    if (JSON.stringify(text.get(path)) !== JSON.stringify(wanted[i])) {
      text = text.set(path, wanted[i]);
    }
  });
  if (wanted.length <= found.length) return text;
  const group = { hooks: wanted.slice(found.length) };
  if (text.get(["hooks"]) === undefined) text = text.set(["hooks"], {});
  const groups = text.get(["hooks", event]) as unknown[] | undefined;
  return groups === undefined
    ? text.set(["hooks", event], [group])
    : text.set(["hooks", event, groups.length], group);
}

/** Removes one hook, then what held only it, from the inside out. */
function without(text: JsonText, path: Path, wasEmpty: readonly string[]): JsonText {
  text = text.remove(path);
  const [group, event] = [path.slice(0, 3), path.slice(0, 2)];
  const { hooks, ...rest } = text.get(group) as Record<string, unknown>;
  // A group with a matcher was made by somebody.
  if (!isEmpty(hooks) || Object.keys(rest).length > 0) return text;
  text = text.remove(group);
  if (!isEmpty(text.get(event)) || wasEmpty.includes(nameOf(String(event[1])))) return text;
  text = text.remove(event);
  return isEmpty(text.get(["hooks"])) && !wasEmpty.includes("hooks")
    ? text.remove(["hooks"])
    : text;
}

/** Where our hooks for an event are, in order. */
function oursAt(text: JsonText, event: string): Path[] {
  return oursIn(text.get(["hooks", event])).map(([i, j]) => ["hooks", event, i, "hooks", j]);
}

/** Which of an event's hooks are ours, by their group and their place in it. */
export function oursIn(groups: unknown): [number, number][] {
  if (!Array.isArray(groups)) return [];
  return groups.flatMap((group, i) =>
    isObject(group) && Array.isArray(group.hooks)
      ? group.hooks.flatMap((handler, j): [number, number][] => isOurs(handler) ? [[i, j]] : [])
      : []
  );
}

const nameOf = (event: string): string => `hooks.${event}`;

function eventsOf(text: JsonText): string[] {
  const hooks = text.get(["hooks"]);
  return isObject(hooks) ? Object.keys(hooks) : [];
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is a container with nothing in it. */
export function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
