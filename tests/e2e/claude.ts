/**
 * Runs real Claude Code sessions without a dialog: a home folder that has answered them all, a
 * session with `-p`, and an interactive one in tmux.
 */
import { join } from "node:path";
import type { Home } from "../helpers/home.ts";

/** The dummy key; its last 20 characters are what a home approves. */
const KEY = "sk-ant-dummy-key-0123456789-0123456789";

/** What every session of a test shares. */
export interface Setup {
  /** The client's executable. */
  readonly claude: string;
  /** Its home, from `prepareHome`. */
  readonly home: Home;
  /** The scripted model's URL. */
  readonly model: string;
  /** More environment variables. */
  readonly env: Readonly<Record<string, string>>;
}

/** The outcome of a session that ran to its end. */
export interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** Writes what keeps a session in `folders` from asking about itself, the key or its trust. */
export function prepareHome(home: Home, folders: readonly string[]): void {
  const trusted = { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true };
  const state = {
    hasCompletedOnboarding: true,
    lastOnboardingVersion: "99.0.0",
    numStartups: 5,
    theme: "dark",
    customApiKeyResponses: { approved: [KEY.slice(-20)], rejected: [] },
    projects: Object.fromEntries(folders.map((folder) => [folder, trusted])),
  };
  home.write(".claude.json", JSON.stringify(state));
  const settings = { skipDangerousModePermissionPrompt: true };
  home.write(".claude/settings.json", JSON.stringify(settings));
}

/** Runs the client with these arguments to its end. */
export async function runClaude(
  setup: Setup,
  cwd: string,
  args: readonly string[],
): Promise<Printed> {
  const started = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(setup.claude, {
    args: [...args],
    cwd,
    env: environment(setup),
    clearEnv: true,
    stdin: "null",
  }).output();
  const ms = Math.round(performance.now() - started);
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr), ms };
}

/** An interactive session in a tmux of its own. */
export interface Terminal {
  /** The process of the client. */
  readonly pid: number;
  /** Types a line, and presses Enter once it is there. */
  type(line: string): Promise<void>;
  /** Presses keys by their tmux names, such as C-c. */
  press(...keys: string[]): Promise<void>;
  /** What the screen shows, and what was on it before. */
  screen(): Promise<string>;
  /** Waits until the screen matches; throws with what it shows when it does not. */
  see(pattern: RegExp, ms?: number): Promise<string>;
  /** Ends the tmux server, and with it the session; resolves when its process is gone. */
  close(): Promise<void>;
}

/** Starts an interactive session, and waits until it takes input. */
export async function startTerminal(
  setup: Setup,
  cwd: string,
  args: readonly string[],
): Promise<Terminal> {
  // A socket below the home: gone with it, and nobody else's.
  const socket = join(setup.home.path, `tmux-${crypto.randomUUID().slice(0, 8)}`);
  const tmux = async (...rest: readonly string[]): Promise<string> => {
    const output = await new Deno.Command("tmux", { args: ["-S", socket, ...rest] }).output();
    return new TextDecoder().decode(output.stdout);
  };
  const variables = Object.entries(environment(setup)).map(([key, value]) => `${key}=${value}`);
  const command = ["env", "-i", ...variables, setup.claude, ...args];
  const size = ["-x", "150", "-y", "50"];
  await tmux("-f", "/dev/null", "new-session", "-d", ...size, "-c", cwd, ...command);
  const pid = Number((await tmux("list-panes", "-F", "#{pane_pid}")).trim());
  const screen = () => tmux("capture-pane", "-p", "-S", "-300");
  const press = async (...keys: string[]) => void await tmux("send-keys", ...keys);
  const terminal: Terminal = {
    pid,
    screen,
    press,
    async type(line) {
      // What is typed before the client listens is lost.
      await until(`${line} can be typed`, async () => {
        await tmux("send-keys", "C-u");
        await tmux("send-keys", "-l", line);
        return await appears(async () => inputOf(await screen()).includes(line), 1000);
      });
      await press("Enter");
      await until(`${line} is taken`, async () => !inputOf(await screen()).includes(line));
    },
    see: (pattern, ms) =>
      until(
        `${pattern} is on the screen`,
        async () => {
          const text = await screen();
          return pattern.test(text) ? text : "";
        },
        ms,
        screen,
      ),
    async close() {
      await tmux("kill-server");
      await until("the client is gone", () => !isAlive(pid));
    },
  };
  await terminal.see(/\/effort/);
  return terminal;
}

/** The input line: the last one with a prompt's mark. */
function inputOf(screen: string): string {
  return screen.split("\n").findLast((line) => /^\s*❯/.test(line)) ?? "";
}

/** Waits until a condition holds and answers what it gave; says what did not when it never does. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  ms = 20_000,
  details: () => string | Promise<string> = () => "",
): Promise<T> {
  for (const deadline = Date.now() + ms;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) {
      throw new Error(`After ${ms} ms it is not so that ${what}\n${await details()}`);
    }
    await pause(20);
  }
}

async function appears(condition: () => Promise<boolean>, ms: number): Promise<boolean> {
  try {
    return await until("", condition, ms);
  } catch {
    return false;
  }
}

function environment({ home, model, env }: Setup): Record<string, string> {
  return {
    HOME: home.path,
    TERM: "xterm-256color",
    LANG: "C.UTF-8",
    SHELL: "/bin/bash",
    IS_SANDBOX: "1",
    ANTHROPIC_BASE_URL: model,
    ANTHROPIC_API_KEY: KEY,
    DISABLE_TELEMETRY: "1",
    DISABLE_AUTOUPDATER: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    ...env,
  };
}

/** Whether a process exists. */
export function isAlive(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT"); // Deno has no signal 0; this one changes nothing for a running process.
    return true;
  } catch {
    return false;
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
