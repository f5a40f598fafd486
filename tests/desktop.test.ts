import { deepEqual, equal, match, ok } from "node:assert/strict";
import fc from "fast-check";
import {
  createDesktop,
  type DesktopOptions,
  MAX_MESSAGE,
  MAX_NOTIFIERS,
  MAX_TITLE,
  type Run,
  runProgram,
} from "../src/desktop.ts";
import { startNotificationService } from "./helpers/notification_service.ts";

const HOSTILE = [
  "--icon=/etc/passwd",
  "-help",
  "-e",
  "[bracket]",
  "(a, b)",
  "a = b;",
  '"; do shell script "touch /tmp/owned"; "',
  "$(touch /tmp/owned) `id` ; rm -rf ~",
  "<b>bold</b> & <img src=x>",
  String.raw`\033[31m C:\new`,
];

/** A desktop whose programs only note what they were asked; all but `installed` are missing. */
function recorded(platform: string, installed: string[], options: Partial<DesktopOptions> = {}) {
  const calls: { program: string; args: readonly string[] }[] = [];
  const run: Run = (program, args) => {
    if (!installed.includes(program)) return Promise.reject(new Deno.errors.NotFound(program));
    calls.push({ program, args });
    return Promise.resolve(0);
  };
  const desktop = createDesktop({ platform, icon: null, hasDisplay: true, run, ...options });
  return { calls, desktop };
}

function linux(run: Run, limitMs?: number) {
  return createDesktop({
    platform: "linux",
    icon: null,
    hasDisplay: true,
    run,
    ...(limitMs === undefined ? {} : { limitMs }),
  });
}

const NOTICE = { title: "Build", message: "Complete", sound: false };

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(await Deno.realPath(folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function script(folder: string, text: string): Promise<string> {
  const path = `${folder}/notifier`;
  await Deno.writeTextFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o700 });
  return path;
}

Deno.test("createDesktop on macOS prefers terminal-notifier", async () => {
  const { calls, desktop } = recorded("darwin", ["terminal-notifier", "osascript"]);
  deepEqual(await desktop.show(NOTICE), { success: true });
  deepEqual(calls, [{
    program: "terminal-notifier",
    args: ["-title", "\\Build", "-message", "\\Complete", "-group", "event-bus"],
  }]);
});

Deno.test("createDesktop on macOS asks for the default sound only when wanted", async () => {
  const { calls, desktop } = recorded("darwin", ["terminal-notifier"]);
  await desktop.show({ ...NOTICE, sound: true });
  deepEqual(calls[0]?.args.slice(-2), ["-sound", "default"]);
});

Deno.test("createDesktop on macOS hands each hostile text to terminal-notifier behind its escape", async () => {
  const { calls, desktop } = recorded("darwin", ["terminal-notifier"]);
  for (const text of HOSTILE) await desktop.show({ title: text, message: text, sound: false });
  deepEqual(
    calls.map(({ args }) => [args[1], args[3]]),
    HOSTILE.map((text) => [`\\${text}`, `\\${text}`]),
  );
});

Deno.test("createDesktop on macOS without terminal-notifier passes texts to osascript as arguments", async () => {
  const { calls, desktop } = recorded("darwin", ["osascript"]);
  for (const text of HOSTILE) await desktop.show({ title: text, message: text, sound: false });
  const show = "display notification (item -1 of argv) with title (item -2 of argv)";
  deepEqual(
    calls,
    HOSTILE.map((text) => ({
      program: "osascript",
      args: ["-e", "on run argv", "-e", show, "-e", "end run", "--", text, text],
    })),
  );
});

Deno.test("createDesktop on macOS gives osascript the sound as a fixed part of the script", async () => {
  const { calls, desktop } = recorded("darwin", ["osascript"]);
  await desktop.show({ ...NOTICE, sound: true });
  match(calls[0]?.args[3] ?? "", / sound name "default"$/);
  deepEqual(calls[0]?.args.slice(-3), ["--", "Build", "Complete"]);
});

Deno.test("createDesktop on Linux ends the options before the texts and escapes the markup of the body", async () => {
  const { calls, desktop } = recorded("linux", ["notify-send"]);
  await desktop.show({ title: "--icon=/etc/passwd", message: "a <b> & \\n", sound: false });
  deepEqual(calls, [{
    program: "notify-send",
    args: ["--app-name", "event-bus", "--", "--icon=/etc/passwd", "a &lt;b&gt; &amp; \\\\n"],
  }]);
});

Deno.test("createDesktop on Linux adds the sound hint only when wanted", async () => {
  const { calls, desktop } = recorded("linux", ["notify-send"]);
  await desktop.show({ ...NOTICE, sound: true });
  deepEqual(calls[0]?.args, [
    "--app-name",
    "event-bus",
    "--hint",
    "string:sound-name:message-new-instant",
    "--",
    "Build",
    "Complete",
  ]);
});

Deno.test("createDesktop shows the icon when the file is there and leaves it out when it is not", async () => {
  await withFolder(async (folder) => {
    const icon = `${folder}/-icon.png`;
    await Deno.writeTextFile(icon, "");
    const flags: [string, string, string][] = [
      ["darwin", "terminal-notifier", "-appIcon"],
      ["linux", "notify-send", "--icon"],
    ];
    for (const [platform, program, flag] of flags) {
      const there = recorded(platform, [program], { icon });
      await there.desktop.show(NOTICE);
      const args = there.calls[0]?.args ?? [];
      equal(args[args.indexOf(flag) + 1], icon);
      for (const absent of [`${folder}/absent.png`, folder, "bad\0path"]) {
        const { calls, desktop } = recorded(platform, [program], { icon: absent });
        deepEqual(await desktop.show(NOTICE), { success: true });
        equal(calls[0]?.args.includes(flag), false);
      }
    }
  });
});

Deno.test("createDesktop says why nothing is shown: no display, other systems, nothing installed", async () => {
  const headless = recorded("linux", ["notify-send"], { hasDisplay: false });
  deepEqual(await headless.desktop.show(NOTICE), { success: false, reason: "no display" });
  equal(headless.calls.length, 0);
  deepEqual(await recorded("windows", []).desktop.show(NOTICE), {
    success: false,
    reason: "no notifications on windows",
  });
  deepEqual(await recorded("linux", []).desktop.show(NOTICE), {
    success: false,
    reason: "not installed: notify-send",
  });
  deepEqual(await recorded("darwin", []).desktop.show(NOTICE), {
    success: false,
    reason: "not installed: terminal-notifier, osascript",
  });
});

Deno.test("createDesktop on macOS needs no display variable", async () => {
  const { desktop } = recorded("darwin", ["osascript"], { hasDisplay: false });
  deepEqual(await desktop.show(NOTICE), { success: true });
});

Deno.test("show never throws: a program that fails or cannot be started is a reason", async () => {
  deepEqual(await linux(() => Promise.resolve(7)).show(NOTICE), {
    success: false,
    reason: "notify-send failed with exit code 7",
  });
  deepEqual(
    await linux(() => Promise.reject(new Deno.errors.PermissionDenied("no"))).show(NOTICE),
    {
      success: false,
      reason: "notify-send cannot be started: PermissionDenied",
    },
  );
  const thrower: Run = () => {
    throw new TypeError("bad");
  };
  deepEqual(await linux(thrower).show(NOTICE), {
    success: false,
    reason: "notify-send cannot be started: TypeError",
  });
});

Deno.test("show starts no program before its caller's turn is over", async () => {
  const { calls, desktop } = recorded("linux", ["notify-send"]);
  const showing = desktop.show(NOTICE);
  await Promise.resolve();
  equal(calls.length, 0);
  deepEqual(await showing, { success: true });
  equal(calls.length, 1);
});

Deno.test("show neutralises control characters, ANSI escapes and reversed text, and keeps line breaks of the message", async () => {
  const { calls, desktop } = recorded("linux", ["notify-send"]);
  await desktop.show({
    title: "one\ntwo\x1b[2J\u202egnp\0\x07",
    message: "\x1b[31mred\x1b[0m\r\nnext\0 line\u2028last\x9b\ud800",
    sound: false,
  });
  deepEqual(calls[0]?.args.slice(-2), ["one two [2J gnp", "[31mred [0m\nnext line\nlast \ufffd"]);
});

Deno.test("show bounds a megabyte of text in characters, not in halves of them", async () => {
  const { calls, desktop } = recorded("darwin", ["osascript"]);
  const huge = "🚌".repeat(250_000);
  await desktop.show({ title: huge, message: huge, sound: false });
  const [title, message] = calls[0]?.args.slice(-2) ?? [];
  equal(title, "🚌".repeat(MAX_TITLE - 1) + "…");
  equal(message, "🚌".repeat(MAX_MESSAGE - 1) + "…");
  await desktop.show({
    title: "t".repeat(MAX_TITLE),
    message: "m".repeat(MAX_MESSAGE),
    sound: false,
  });
  deepEqual(calls[1]?.args.slice(-2), ["t".repeat(MAX_TITLE), "m".repeat(MAX_MESSAGE)]);
});

Deno.test("show puts the program's name where a title is empty, as notify-send refuses none", async () => {
  const { calls, desktop } = recorded("linux", ["notify-send"]);
  await desktop.show({ title: " \0\n", message: "", sound: false });
  deepEqual(calls[0]?.args.slice(-2), ["event-bus", ""]);
});

Deno.test("show keeps any text out of options, markup and control characters", async () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...HOSTILE));
  await fc.assert(
    fc.asyncProperty(text, text, async (title, message) => {
      const { calls, desktop } = recorded("linux", ["notify-send"]);
      deepEqual(await desktop.show({ title, message, sound: false }), { success: true });
      const args = calls[0]?.args ?? [];
      equal(args.length, 5);
      equal(args[2], "--");
      ok(args.every((arg) => arg.isWellFormed() && !/(?!\n)\p{Cc}/u.test(arg)));
      equal(args[3]?.includes("\n"), false);
      equal(/[<>]|&(?!amp;|lt;|gt;)|(?<!\\)(?:\\\\)*\\(?!\\)/.test(args[4] ?? ""), false);
    }),
    { numRuns: 100 },
  );
});

Deno.test("show answers a flood at once beyond MAX_NOTIFIERS and has room again afterwards", async () => {
  let running = 0;
  let most = 0;
  const full = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const desktop = linux(async () => {
    most = Math.max(most, ++running);
    if (running === MAX_NOTIFIERS) full.resolve();
    await gate.promise;
    running--;
    return 0;
  });
  const flood = Array.from({ length: 100 }, () => desktop.show(NOTICE));
  const refused = await Promise.all(flood.slice(MAX_NOTIFIERS));
  ok(refused.every(({ success }) => !success));
  equal(refused[0]?.reason, "too many notifications at the same time: the limit is 4");
  await full.promise;
  gate.resolve();
  const shown = await Promise.all(flood.slice(0, MAX_NOTIFIERS));
  ok(shown.every(({ success }) => success));
  equal(most, MAX_NOTIFIERS);
  deepEqual(await desktop.show(NOTICE), { success: true });
});

Deno.test("show kills a program that hangs and ignores being asked to stop, and says so", async () => {
  await withFolder(async (folder) => {
    const path = await script(folder, "trap '' TERM INT HUP\nexec sleep 30");
    const desktop = linux((_program, args, signal) => runProgram(path, args, signal), 50);
    deepEqual(await desktop.show(NOTICE), {
      success: false,
      reason: "notify-send did not finish within 0.05 seconds",
    });
  });
});

Deno.test("runProgram leaves no process behind when its signal aborts", async () => {
  await withFolder(async (folder) => {
    const fifo = `${folder}/pid`;
    equal((await new Deno.Command("mkfifo", { args: [fifo] }).output()).code, 0);
    const path = await script(folder, `echo $$ > '${fifo}'\nexec sleep 30`);
    const stop = new AbortController();
    const running = runProgram(path, [], stop.signal);
    const pid = Number(await Deno.readTextFile(fifo));
    ok(isRunning(pid));
    stop.abort();
    ok(await running !== 0);
    equal(isRunning(pid), false);
  });
});

Deno.test("runProgram passes arguments as they are and gives the exit code", async () => {
  await withFolder(async (folder) => {
    const path = await script(folder, `printf '%s\\0' "$@" > '${folder}/args'\nexit 3`);
    const signal = new AbortController().signal;
    equal(await runProgram(path, HOSTILE, signal), 3);
    deepEqual((await Deno.readTextFile(`${folder}/args`)).split("\0").slice(0, -1), HOSTILE);
  });
});

Deno.test("runProgram rejects with NotFound when there is no such program", async () => {
  const signal = new AbortController().signal;
  const error = await runProgram("event-bus-no-such-notifier", [], signal).catch((error) => error);
  ok(error instanceof Deno.errors.NotFound);
});

function isRunning(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

function isInstalled(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

const notifySend = Deno.build.os === "linux" && isInstalled("notify-send");

/** The real notify-send, on a message bus of the test's own. */
function realNotifySend(address: string): Run {
  return async (program, args) => {
    const env = { DBUS_SESSION_BUS_ADDRESS: address };
    const { code } = await new Deno.Command(program, { args: [...args], env }).output();
    return code;
  };
}

Deno.test({
  name: `show reaches a desktop through the real notify-send with every hostile text intact${
    notifySend ? "" : " (skipped: notify-send is missing)"
  }`,
  ignore: !notifySend,
  async fn() {
    await withFolder(async (folder) => {
      const service = startNotificationService(`${folder}/bus`);
      try {
        const desktop = linux(realNotifySend(service.address));
        for (const text of HOSTILE) {
          const notice = { title: text, message: `${text}\nnext`, sound: true };
          deepEqual(await desktop.show(notice), { success: true });
        }
        const escaped = (text: string) =>
          text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
        deepEqual(
          service.shown,
          HOSTILE.map((text) => ({
            app: "event-bus",
            icon: "",
            title: text,
            body: `${escaped(text)}\nnext`,
          })),
        );
      } finally {
        await service.close();
      }
    });
  },
});

Deno.test({
  name: `show says that the real notify-send failed where nothing shows notifications${
    notifySend ? "" : " (skipped: notify-send is missing)"
  }`,
  ignore: !notifySend,
  async fn() {
    await withFolder(async (folder) => {
      const desktop = linux(realNotifySend(`unix:path=${folder}/absent`));
      deepEqual(await desktop.show(NOTICE), {
        success: false,
        reason: "notify-send failed with exit code 1",
      });
    });
  },
});
