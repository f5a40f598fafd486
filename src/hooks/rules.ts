/** What each hook of Claude Code means to the bus. A hook that is not here means nothing to it. */
import type { SessionState } from "../session.ts";
import type { Path } from "../delivery.ts";
import type { HookInput } from "./input.ts";

export interface Rule {
  /** What the session is doing from now on. */
  readonly state?: SessionState;
  /** Whether a human said something, as far as that can be told. */
  readonly isTyped?: boolean;
  /** Whether it tells the session who it is and who else is here. */
  readonly introduces?: boolean;
  /** What it hands over, and by which path. */
  readonly shows?: { readonly scope: "urgent" | "all"; readonly path: Path } | undefined;
  /** Whether what is shown keeps the session from stopping. */
  readonly holds?: boolean;
  /** Whether the session is over, or only if no other follows in its process. */
  readonly ends?: "now" | "if alone";
  /** Whether nobody said goodbye. */
  readonly isGone?: boolean;
}

const RULES: Readonly<Record<string, (hook: HookInput) => Rule>> = {
  // A compaction comes in the middle of work as well, which goes on after it.
  SessionStart: ({ source }) => ({
    ...source === "compact" ? {} : { state: "idle" },
    introduces: true,
    shows: { scope: "all", path: "start hook" },
  }),
  UserPromptSubmit: ({ prompt }) => ({
    state: "working",
    shows: { scope: "all", path: "prompt hook" },
    isTyped: prompt !== undefined && !MADE_BY_PROGRAMS.test(prompt),
  }),
  PostToolBatch: () => ({ state: "working", shows: { scope: "urgent", path: "batch hook" } }),
  Stop: () => ({ state: "idle", shows: { scope: "urgent", path: "stop hook" }, holds: true }),
  StopFailure: () => ({ state: "idle" }),
  Notification: ({ notification_type = "" }) => NOTIFIED[notification_type] ?? {},
  // After these the process goes on, and its next SessionStart says as whom.
  SessionEnd: ({ reason = "" }) => ({
    ends: /^(clear|resume)$/.test(reason) ? "if alone" : "now",
    isGone: reason === "process_gone",
  }),
};

/** How prompts begin that nobody typed: notices of tasks and listeners, channels, and our own digest. */
const MADE_BY_PROGRAMS =
  /^\s*(<task-notification|<system-reminder|<channel |Messages of other sessions)/;

const NOTIFIED: Readonly<Record<string, Rule>> = {
  permission_prompt: { state: "waiting" },
  agent_needs_input: { state: "waiting" },
  elicitation_dialog: { state: "waiting" },
  idle_prompt: { state: "idle" },
};

/** What a hook means; null when it means nothing. A subagent's hooks never speak for its session. */
export function ruleOf(hook: HookInput): Rule | null {
  if (hook.agent_id !== undefined || !Object.hasOwn(RULES, hook.hook_event_name)) return null;
  return RULES[hook.hook_event_name]?.(hook) ?? null;
}

/** The sources with which the session of a process goes on under a new id. */
export const GOES_ON: ReadonlySet<string> = new Set(["clear", "fork"]);
