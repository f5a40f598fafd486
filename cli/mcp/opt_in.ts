/** Whether a session was started with our channel: it drops what others push without a word. */
const OPTIONS = ["--channels", "--dangerously-load-development-channels"];

/**
 * Whether a command line opts in to the channel of a server: `server:NAME`, or a plugin's, as
 * `plugin:NAME@MARKETPLACE`. An option takes all words up to the next one.
 */
export function optsIn(words: readonly string[], name: string): boolean {
  let takes = false;
  for (const word of words) {
    const [option, value] = word.startsWith("-") ? [word.split("=")[0], word.split("=")[1]] : [];
    if (option !== undefined) takes = OPTIONS.includes(option);
    const named = option === undefined ? word : value ?? "";
    if (takes && named.split(",").some((channel) => isOurs(channel, name))) return true;
  }
  return false;
}

function isOurs(channel: string, name: string): boolean {
  return channel === `server:${name}` || channel.startsWith(`plugin:${name}@`);
}

/** The words with which a process of this machine was started; empty when nobody says. */
export function commandLineOf(pid: number): string[] {
  // The file would say it as well, but the runtime lets nobody read it who may not do everything.
  const [program, args, separator] = Deno.build.os === "linux"
    ? ["cat", [`/proc/${pid}/cmdline`], "\0"] as const
    : ["ps", ["-o", "args=", "-p", String(pid)], /\s+/] as const;
  try {
    const { stdout } = new Deno.Command(program, { args: [...args], stdin: "null", stderr: "null" })
      .outputSync();
    return new TextDecoder().decode(stdout).trim().split(separator);
  } catch {
    return [];
  }
}
