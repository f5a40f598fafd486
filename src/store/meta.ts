/** What a database knows about itself: the name of its log, and what was imported into it. */
import { createHash, randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { tip } from "./events.ts";
import type { Store } from "./open.ts";

/**
 * - `log`: the name of this log, by which others recognise its events.
 * - `moved_from`, `moved_through`: the log that was imported while this one was empty, and the last
 *   event that kept its id so.
 * - `imported_through`: the highest id of an event that was imported as history.
 * - `pruned_through`: the highest id of an event that left the log for the archive.
 */
type Fact = "log" | "moved_from" | "moved_through" | "imported_through" | "pruned_through";

function fact(store: Store, name: Fact): string | null {
  const row = store.sql("SELECT value FROM meta WHERE name = ?").get(name);
  return (row as { value: string } | undefined)?.value ?? null;
}

function setFact(store: Store, name: Fact, value: string): void {
  store.sql("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = ?2")
    .run(name, value);
}

/** The name of a log: it stays with its copies and backups. */
export function logName(store: Store): string {
  return fact(store, "log") ?? "";
}

/** The log that this one is the continuation of, as long as nothing else has been appended. */
export function movedFrom(store: Store): string | null {
  return Number(fact(store, "moved_through") ?? -1) === tip(store)
    ? fact(store, "moved_from")
    : null;
}

/** Notes whose log this one goes on, and how far it has come. Only inside a batch. */
export function setMoved(store: Store, log: string, through: number): void {
  setFact(store, "moved_from", log);
  setFact(store, "moved_through", String(through));
}

/** Beyond this id nothing was imported as history; 0 when nothing was at all. */
export function importedThrough(store: Store): number {
  return Number(fact(store, "imported_through") ?? 0);
}

/** Notes how far the imported history reaches. Only inside a batch. */
export function setImportedThrough(store: Store, id: number): void {
  setFact(store, "imported_through", String(id));
}

/** Through this id, what there was is in the archive; 0 when nothing was pruned so far. */
export function prunedThrough(store: Store): number {
  return Number(fact(store, "pruned_through") ?? 0);
}

/** Notes how far the log was pruned. Only inside a batch. */
export function setPrunedThrough(store: Store, id: number): void {
  setFact(store, "pruned_through", String(id));
}

/**
 * Gives a log its name once. One that has events already, an original's for one, is named after its
 * first: whoever imports it twice, or a copy of it, recognises it.
 */
export function nameLog(db: DatabaseSync): void {
  if (db.prepare("SELECT 1 FROM meta WHERE name = 'log'").get() !== undefined) return;
  const first = db.prepare(
    "SELECT id, event_type, payload, session_id, at FROM event ORDER BY id LIMIT 1",
  ).get();
  const name = first === undefined
    ? randomBytes(8).toString("hex")
    : createHash("sha256").update(JSON.stringify(Object.values(first))).digest("hex").slice(0, 16);
  db.prepare("INSERT INTO meta (name, value) VALUES ('log', ?)").run(name);
}
