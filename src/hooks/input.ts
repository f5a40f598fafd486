/** What a hook of Claude Code says, as far as the bus uses it. Whatever else it says is ignored. */
import { z } from "zod";
import { BusError } from "../errors.ts";
import { errorsOf } from "../operations/refusal.ts";
import { MAX_CWD_LENGTH, MAX_ID_LENGTH } from "../session.ts";

/**
 * A text of a newer client that is no text, or too long to be what we think, counts as absent; so does
 * what the store cannot keep.
 */
const optional = (max: number) =>
  z.string().max(max).refine((text) => !text.includes("\0"))
    .transform((text) => text.toWellFormed()).optional().catch(undefined);

const hookInput = z.object({
  session_id: z.string().min(1).max(MAX_ID_LENGTH)
    .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]*$/u, "is not printable"),
  hook_event_name: z.string().min(1).max(100),
  cwd: optional(MAX_CWD_LENGTH),
  /** Of UserPromptSubmit: how it begins says who made it, and it may hold what a listener was told. */
  prompt: optional(1_000_000),
  /** Of SessionStart: startup, resume, clear, compact or fork. */
  source: optional(40),
  /** Of SessionEnd. */
  reason: optional(40),
  /** Of Notification. */
  notification_type: optional(40),
  /** Set inside a subagent only; whatever it is. */
  agent_id: z.unknown().optional(),
  /** Of Stop: whether the turn went on because of an earlier hold. */
  stop_hook_active: z.boolean().optional().catch(undefined),
});

export type HookInput = z.output<typeof hookInput>;

/** What only the client knows; the command adds it to what Claude Code says. */
const facts = z.object({
  machine: optional(MAX_ID_LENGTH),
  /** The folder of the checkout, and the name of the repository that it belongs to. */
  root: optional(MAX_CWD_LENGTH),
  repo: optional(MAX_ID_LENGTH),
  branch: optional(MAX_ID_LENGTH),
  pid: z.coerce.number().int().min(1).max(999_999_999).optional().catch(undefined),
  pid_start: optional(200),
  /** `later`: what is handed over counts as read only when it is acknowledged. */
  ack: z.literal("later").optional().catch(undefined),
  /** Since when the client could not reach the bus, in epoch milliseconds. */
  away_since: z.coerce.number().int().positive().optional().catch(undefined),
});

export type Facts = z.output<typeof facts>;

/** Reads a hook's JSON. Throws `invalid_argument` only when it is no hook of a session at all. */
export function readHook(body: unknown): HookInput {
  const read = hookInput.safeParse(body);
  if (read.success) return read.data;
  throw new BusError("invalid_argument", `Cannot take this hook: ${errorsOf(read.error)}`);
}

/** Reads what the client added; what is not understood is left out. */
export function readFacts(query: Record<string, string>): Facts {
  return facts.parse(query);
}
