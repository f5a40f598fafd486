/** What is news: everything but the history that was imported from another log. */
import type { EventFilter } from "../filter.ts";
import { importedThrough } from "../store/meta.ts";
import type { Store } from "../store/open.ts";

/**
 * What leaves imported history out of a read that goes on after an id: nobody is handed it as if it
 * had just happened. Nothing where there is none ahead. A read that only looks things up finds it.
 */
export function newsAfter(store: Store, after: number): Pick<EventFilter, "not_imported"> {
  return after < importedThrough(store) ? { not_imported: true } : {};
}
