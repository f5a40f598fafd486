/** What Claude Code keeps on this machine, as far as the doctor reads it. Looks, changes nothing. */
import { join } from "node:path";
import { contentOf } from "../service/files.ts";

export type Json = Readonly<Record<string, unknown>>;

/** A file of JSON: its object, nothing when it is absent, or why it cannot be read. */
export interface JsonFile {
  readonly path: string;
  readonly value: Json | null;
  readonly failure: string | null;
}

/** Whose settings a file holds; an organisation's cannot be overruled. */
export type Level = "managed" | "user" | "project" | "local";

export interface SettingsFile extends JsonFile {
  readonly level: Level;
}

export interface ClaudeFiles {
  /** Its settings folder, mostly `~/.claude`. */
  readonly folder: string;
  /** `.claude.json`: its MCP servers, and what it knows of each folder. */
  readonly state: JsonFile;
  readonly settings: readonly SettingsFile[];
}

/** Where an organisation puts its settings. */
export function managedFolder(os: string): string | null {
  return { linux: "/etc/claude-code", darwin: "/Library/Application Support/ClaudeCode" }[os] ??
    null;
}

/** Reads what there is; what cannot be read says so in its place. */
export function readClaude(
  { home, folder, cwd, managed }: {
    home: string;
    folder: string;
    cwd: string;
    managed: string | null;
  },
): ClaudeFiles {
  const own = readJson(join(folder, ".claude.json"));
  const isAbsent = own.value === null && own.failure === null;
  const places: [Level, string][] = [
    ...managedFiles(managed).map((path): [Level, string] => ["managed", path]),
    ["user", join(folder, "settings.json")],
    ["project", join(cwd, ".claude", "settings.json")],
    ["local", join(cwd, ".claude", "settings.local.json")],
  ];
  const known = new Set<string>();
  // In the home folder a project's settings are the user's.
  const distinct = places.filter(([, path]) => !known.has(path) && known.add(path));
  return {
    folder,
    state: isAbsent ? readJson(join(home, ".claude.json")) : own,
    settings: distinct.map(([level, path]) => ({ level, ...readJson(path) })),
  };
}

function managedFiles(folder: string | null): string[] {
  if (folder === null) return [];
  const extra = join(folder, "managed-settings.d");
  return [
    join(folder, "managed-settings.json"),
    ...namesIn(extra).filter((name) => name.endsWith(".json")).map((name) => join(extra, name)),
  ];
}

/** The names in a folder, in order; none when it is not there or cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

/** Reads a file that should hold a JSON object. Never throws. */
export function readJson(path: string): JsonFile {
  try {
    const content = contentOf(path);
    if (content === null) return { path, value: null, failure: null };
    const value: unknown = JSON.parse(content);
    if (isObject(value)) return { path, value, failure: null };
    return { path, value: null, failure: "it holds no JSON object" };
  } catch (failure) {
    return { path, value: null, failure: (failure as Error).message };
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A part of some JSON that should be an object; an empty one when it is not. */
export function objectIn(value: Json | null, key: string): Json {
  const part = value !== null && Object.hasOwn(value, key) ? value[key] : undefined;
  return isObject(part) ? part : {};
}

/** A variable as Claude Code and its hooks will see it when the settings set it. */
export function settingsVariable({ settings }: ClaudeFiles, name: string): string | null {
  const found = settings.map(({ value }) => objectIn(value, "env")[name])
    .filter((value) => typeof value === "string" && value !== "");
  return (found[0] as string | undefined) ?? null;
}
