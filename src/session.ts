/** What a session is: identity, display names, the repository it works on. */
import { BusError, quoted } from "./errors.ts";
import { ADJECTIVES, ANIMALS } from "./words.ts";

export interface Session extends Presence {
  /** The client id when one was given, else a UUID; see `src/bus/sessions.ts` for taken ids. */
  id: string;
  /** Two words for people, unique among all sessions kept. */
  display_id: string;
  name: string;
  machine: string;
  cwd: string;
  repo: string;
  client_id: string | null;
  /** Epoch milliseconds, UTC, like every time below. */
  registered_at: number;
  last_seen: number;
  ended_at: number | null;
  end_reason: EndReason | null;
  /** Its registration event, or where it stood when that is not known: where its consumers begin. */
  start_id: number | null;
  /** The process that it runs in, on its own machine; null when no hook said so. */
  pid: number | null;
  /** When that process started, as only its machine can read it. */
  pid_start: string | null;
  /** When its human last said something to it, as far as hooks can tell. */
  prompted_at: number | null;
  /** Channels, beside its own, whose events concern it and wake it. */
  wake_on: readonly string[];
  /** Who registered it, and alone may act as it; null, from before that was known, is anybody's. */
  principal: string | null;
}

/** A process as its own machine knows it: numbers come round again, with another start. */
export interface SessionProcess {
  readonly pid: number;
  /** Opaque; null when it is not known. */
  readonly start: string | null;
}

export interface Presence {
  /** What its hooks say it is, and since when. */
  state: SessionState | null;
  state_at: number | null;
  /** What it says it is doing, in one line, and since when. */
  status: string | null;
  status_at: number | null;
}

/** Busy with a turn, waiting for its human, or done and ready for more. */
export const SESSION_STATES = ["working", "waiting", "idle"] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** Why a session ended: told in its `session_unregistered` event. */
export const END_REASONS = ["unregistered", "silent", "process_gone"] as const;
export type EndReason = (typeof END_REASONS)[number];

/** A session that said nothing for this long has gone without telling. */
export const SILENCE_MS = 24 * 60 * 60 * 1000;

/** A session that wants to be woken for more channels than this wants all of them. */
export const MAX_WAKE_CHANNELS = 20;

/** Ids, names and machines are shown on one line and travel in channel names. */
export const MAX_ID_LENGTH = 128;
export const MAX_NAME_LENGTH = 200;
export const MAX_CWD_LENGTH = 4096;

const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** Refuses an id or machine that is empty, too long or could break a line of output. */
export function checkPrintable(what: string, value: string): string {
  if (value.length === 0 || value.length > MAX_ID_LENGTH || UNPRINTABLE.test(value)) {
    throw new BusError(
      "invalid_argument",
      `Cannot use ${what} ${quoted(value, 40)}: ` +
        `it must be 1 to ${MAX_ID_LENGTH} printable characters`,
    );
  }
  return value;
}

/**
 * The process behind a session: the one a hook reported, else that of a decimal client id of sane
 * size, else null. Other ids ("0", "-1", twenty digits) are ordinary names; asking the system about
 * them would answer for the wrong process or fail.
 */
export function processOf(
  { pid, pid_start, client_id }: Pick<Session, "pid" | "pid_start" | "client_id">,
): SessionProcess | null {
  if (pid !== null) return { pid, start: pid_start };
  const isNumber = client_id !== null && /^[1-9][0-9]{0,8}$/.test(client_id);
  return isNumber ? { pid: Number(client_id), start: null } : null;
}

/**
 * The repository's name for a working directory. Worktrees under `<repo>/.worktrees/` and
 * `<repo>/.claude/worktrees/` belong to the repository that contains them.
 */
export function repoOf(cwd: string): string {
  const parts = cwd.split("/").filter((part) => part !== "");
  const nested = parts.indexOf(".worktrees");
  const claude = parts.findIndex((part, i) => part === ".claude" && parts[i + 1] === "worktrees");
  const name = nested > 0
    ? parts[nested - 1]
    : claude > 0 && claude + 2 < parts.length
    ? parts[claude - 1]
    : parts.at(-1);
  return (name ?? "unknown").replace(/\p{Cc}/gu, " ").slice(0, MAX_ID_LENGTH) || "unknown";
}

/**
 * A display id that is not taken: two words, and a third when two of them are hard to find.
 * `random` answers numbers in [0, 1).
 */
export function freshDisplayId(random: () => number, taken: (id: string) => boolean): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] as string;
  for (let attempt = 0; attempt < 20; attempt++) {
    const id = `${pick(ADJECTIVES)}-${pick(ANIMALS)}`;
    if (!taken(id)) return id;
  }
  for (;;) {
    const id = `${pick(ADJECTIVES)}-${pick(ADJECTIVES)}-${pick(ANIMALS)}`;
    if (!taken(id)) return id;
  }
}
