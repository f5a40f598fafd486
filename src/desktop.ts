/** Notifications on the desktop of the machine that the server runs on. */

export interface Shown {
  success: boolean;
  /** Why nothing was shown. */
  reason?: string;
}

export interface Desktop {
  /** Shows a notification; never throws, and answers within five seconds. */
  show(notice: { title: string; message: string; sound: boolean }): Promise<Shown>;
}

/** A notifier that hangs is killed after this: a stuck desktop must not hold up a caller. */
export const LIMIT_MS = 5000;
/** So many notifiers run at the same time: a flood of messages must not become one of processes. */
export const MAX_NOTIFIERS = 4;
/** In characters; desktops show less, and a longer argument only costs. */
export const MAX_TITLE = 200;
export const MAX_MESSAGE = 500;

const APP = "event-bus";

/**
 * Runs a program to its end and gives its exit code. Rejects with `Deno.errors.NotFound` when there
 * is no such program, and settles soon after `signal` aborts.
 */
export type Run = (
  program: string,
  args: readonly string[],
  signal: AbortSignal,
) => Promise<number>;

/** What the desktop depends on; the caller reads it from the environment. */
export interface DesktopOptions {
  /** The operating system, as `Deno.build.os` names it. */
  platform: string;
  /** An image file; left out of the notification when it is not there. */
  icon: string | null;
  /** Whether there is a desktop session to show something in; Linux only. */
  hasDisplay: boolean;
  run?: Run;
  limitMs?: number;
}

/** A notice whose texts are safe to show: short, and without control characters. */
interface CleanNotice {
  title: string;
  message: string;
  sound: boolean;
  icon: string | null;
}

interface Notifier {
  program: string;
  args(notice: CleanNotice): string[];
}

/**
 * It reads its values as property lists (`(a)`, `{a}`, `a = b;`) and takes `-help` anywhere for an
 * option, but drops one leading backslash and takes the rest of such a value as it is. There is no
 * `-sender`: version 3 only warns about it, and version 2 can hang with it on newer systems.
 */
const terminalNotifier: Notifier = {
  program: "terminal-notifier",
  args: ({ title, message, sound, icon }) => [
    ...["-title", `\\${title}`, "-message", `\\${message}`, "-group", APP],
    ...(sound ? ["-sound", "default"] : []),
    ...(icon === null ? [] : ["-appIcon", icon]),
  ],
};

/** The texts are arguments, never part of the script; counted from the end, whatever is before. */
const osascript: Notifier = {
  program: "osascript",
  args: ({ title, message, sound }) => [
    ...["-e", "on run argv"],
    "-e",
    "display notification (item -1 of argv) with title (item -2 of argv)" +
    (sound ? ' sound name "default"' : ""),
    ...["-e", "end run", "--", title, message],
  ],
};

/** The body is markup and the title is not. */
const notifySend: Notifier = {
  program: "notify-send",
  args: ({ title, message, sound, icon }) => [
    ...["--app-name", APP],
    ...(icon === null ? [] : ["--icon", icon]),
    ...(sound ? ["--hint", "string:sound-name:message-new-instant"] : []),
    ...["--", title, escapeBody(message)],
  ],
};

/** In order of preference: the first one that is installed shows the notice. */
const NOTIFIERS: Readonly<Record<string, readonly Notifier[]>> = {
  darwin: [terminalNotifier, osascript],
  linux: [notifySend],
};

/** The desktop of this machine. What cannot be shown is answered with the reason. */
export function createDesktop(options: DesktopOptions): Desktop {
  const { platform, icon, hasDisplay, run = runProgram, limitMs = LIMIT_MS } = options;
  const notifiers = NOTIFIERS[platform] ?? [];
  let running = 0;

  async function show(notice: { title: string; message: string; sound: boolean }): Promise<Shown> {
    if (notifiers.length === 0) return failed(`no notifications on ${platform}`);
    if (platform === "linux" && !hasDisplay) return failed("no display");
    if (running >= MAX_NOTIFIERS) {
      return failed(`too many notifications at the same time: the limit is ${MAX_NOTIFIERS}`);
    }
    running++;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), limitMs);
    try {
      // Starting a process takes a moment: whoever is being answered right now goes first.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const clean = {
        title: cleanText(notice.title, MAX_TITLE).replaceAll("\n", " ") || APP,
        message: cleanText(notice.message, MAX_MESSAGE),
        sound: notice.sound,
        icon: await existingFile(icon),
      };
      return await tryEach(notifiers, clean, run, limit.signal, limitMs);
    } finally {
      clearTimeout(timer);
      running--;
    }
  }

  return { show };
}

/** Which programs there are is found out by starting them. */
async function tryEach(
  notifiers: readonly Notifier[],
  notice: CleanNotice,
  run: Run,
  limit: AbortSignal,
  limitMs: number,
): Promise<Shown> {
  for (const { program, args } of notifiers) {
    try {
      const code = await run(program, args(notice), limit);
      if (code === 0) return { success: true };
      if (!limit.aborted) return failed(`${program} failed with exit code ${code}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      if (!limit.aborted) return failed(`${program} cannot be started: ${nameOf(error)}`);
    }
    return failed(`${program} did not finish within ${limitMs / 1000} seconds`);
  }
  return failed(`not installed: ${notifiers.map(({ program }) => program).join(", ")}`);
}

/** Runs a real program. It is killed, not asked, when `signal` aborts: it may ignore the asking. */
export const runProgram: Run = async (program, args, signal) => {
  signal.throwIfAborted();
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended by itself in this very moment.
    }
  };
  signal.addEventListener("abort", kill, { once: true });
  try {
    return (await child.status).code;
  } finally {
    signal.removeEventListener("abort", kill);
  }
};

/**
 * Line breaks stay. Other control characters, and those that turn the direction of the text around
 * to make it look like another one, become spaces.
 */
function cleanText(text: string, limit: number): string {
  // More than enough for `limit` characters; the rest of a huge text is not even looked at.
  const start = text.slice(0, 4 * limit);
  const plain = start
    .toWellFormed()
    .replaceAll("\0", "")
    .replaceAll(/\r\n?|[\u2028\u2029]/g, "\n")
    .replaceAll(/(?!\n)\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, " ")
    .trim();
  const characters = [...plain];
  if (characters.length <= limit && start.length === text.length) return plain;
  return `${characters.slice(0, limit - 1).join("")}…`;
}

/** notify-send turns `\033` and the like in a body into what they stand for; `\\` stays one `\`. */
function escapeBody(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("\\", "\\\\");
}

/** The absolute path of a file, which no notifier can take for an option; null without one. */
async function existingFile(path: string | null): Promise<string | null> {
  if (path === null) return null;
  try {
    return (await Deno.stat(path)).isFile ? await Deno.realPath(path) : null;
  } catch {
    return null;
  }
}

function failed(reason: string): Shown {
  return { success: false, reason };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown error";
}
