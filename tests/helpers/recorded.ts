/** What Claude Code 2.1.330 really says to its hooks; recorded, without what is anybody's own. */

export interface Recorded {
  /** The event, and what was special. */
  readonly name: string;
  readonly event: string;
  // deno-lint-ignore no-explicit-any -- looked at field by field
  readonly hook: any;
}

const FOLDER = new URL("../hooks/recorded/", import.meta.url);

/** Every recording, by name. */
export function recordings(): Recorded[] {
  return [...Deno.readDirSync(FOLDER)].map((file) => {
    const hook = JSON.parse(Deno.readTextFileSync(new URL(file.name, FOLDER)));
    return { name: file.name.replace(".json", ""), event: hook.hook_event_name, hook };
  }).sort((a, b) => a.name < b.name ? -1 : 1);
}

/** What a hook shows: everything unseen, only what is urgent, or nothing. */
export function showsOf({ event, hook }: Recorded): "all" | "urgent" | "nothing" {
  if (hook.agent_id !== undefined) return "nothing";
  if (event === "SessionStart" || event === "UserPromptSubmit") return "all";
  return event === "PostToolBatch" || event === "Stop" ? "urgent" : "nothing";
}
