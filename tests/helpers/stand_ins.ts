/**
 * Programs named launchctl, systemctl and claude that note what they are asked. The service managers
 * really run the installed program, and claude remembers its entries, so that what is told to them
 * has the effects that it has on a real machine.
 */
import { join } from "node:path";
import type { Home } from "./home.ts";

export interface StandIns extends AsyncDisposable {
  /** To be put in front of PATH. */
  readonly folder: string;
  /** What was asked so far, a command line each. */
  asked(): string[];
  /** The same, without the questions that change nothing. */
  told(): string[];
  /** Claude's entries, as `name url` and further words. */
  entries(): string[];
}

const QUESTIONS = /^(launchctl print|systemctl --user (is-active|show-environment)|claude mcp get)/;

/** Makes the programs, for the program and the data of `home`. They keep their notes elsewhere. */
export function standIns(home: Home): StandIns {
  const folder = Deno.makeTempDirSync({ prefix: "event-bus-stand-ins-" });
  const note = (name: string) => join(folder, `notes-${name}`);
  const script = (name: string, text: string) =>
    Deno.writeTextFileSync(
      join(folder, name),
      `#!/bin/sh\nnotes='${folder}/notes'\necho "${name} $*" >> "$notes-asked"\n${text}`,
      { mode: 0o755 },
    );
  script("launchctl", LAUNCHCTL.replace("@RUN@", running(home)));
  script("systemctl", SYSTEMCTL.replace("@RUN@", running(home)));
  script("claude", CLAUDE);
  const linesOf = (name: string) => {
    try {
      return Deno.readTextFileSync(note(name)).split("\n").filter(Boolean);
    } catch (failure) {
      if (failure instanceof Deno.errors.NotFound) return [];
      throw failure;
    }
  };
  const asked = () => linesOf("asked");
  return {
    folder,
    asked,
    told: () => asked().filter((line) => !QUESTIONS.test(line)),
    entries: () => linesOf("entries"),
    async [Symbol.asyncDispose]() {
      await new Deno.Command(join(folder, "systemctl"), { args: ["--user", "disable"] }).output();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

/** Starting and stopping the installed program; stopping returns when it has ended. */
const running = (home: Home) => `
begin() {
  [ -f "$notes-pid" ] && return
  [ -x '${home.path}/.local/bin/event-bus' ] || return 1
  mkfifo "$notes-ended"
  {
    '${home.path}/.local/bin/event-bus' serve &
    echo $! > "$notes-pid"
    wait $!
    : > "$notes-ended"
  } < /dev/null >> '${home.dataDir}/event-bus.err' 2>&1 &
  while [ ! -s "$notes-pid" ]; do :; done
}
end() {
  [ -f "$notes-pid" ] || return 3
  kill "$(cat "$notes-pid")"
  cat "$notes-ended"
  rm "$notes-pid" "$notes-ended"
}
`;

/** The original's services have no process here; they are loaded while a note says so. */
const LAUNCHCTL = `@RUN@
case "$*" in
  "bootout "*local.event-bus) end ;;
  "bootout "*) rm "$notes-loaded-\${2##*/}" 2> /dev/null || exit 3 ;;
  "bootstrap "*local.event-bus.plist) begin ;;
  "print "*local.event-bus) [ -f "$notes-pid" ] ;;
  "print "*) [ -f "$notes-loaded-\${2##*/}" ] ;;
esac
`;

const SYSTEMCTL = `@RUN@
case "$*" in
  "--user enable --now event-bus.service") begin ;;
  "--user restart event-bus.service") end; begin ;;
  "--user disable"|"--user disable --now event-bus.service") end ;;
  "--user is-active --quiet event-bus.service") [ -f "$notes-pid" ] ;;
  "--user is-active "*) exit 3 ;;
esac
`;

/** Answers in the words of Claude Code 2.1. */
const CLAUDE = `
touch "$notes-entries"
has() { grep -q "^$1 " "$notes-entries"; }
case "$1 $2" in
  "mcp get")
    has "$3" || { echo "No MCP server named \\"$3\\"." >&2; exit 1; }
    echo "$3:"
    echo "  Scope: User config (available in all your projects)"
    echo "  URL: $(grep "^$3 " "$notes-entries" | cut -d ' ' -f 2)"
    if grep "^$3 " "$notes-entries" | grep -q Authorization; then
      echo "  Headers:"
      echo "    Authorization: Bearer x"
    fi ;;
  "mcp add")
    shift 6
    has "$1" && { echo "MCP server $1 already exists in user config" >&2; exit 1; }
    echo "$*" >> "$notes-entries" ;;
  "mcp remove")
    has "$3" || { echo "No MCP server named \\"$3\\" in user scope" >&2; exit 1; }
    grep -v "^$3 " "$notes-entries" > "$notes-left"
    mv "$notes-left" "$notes-entries" ;;
esac
`;

/** Everything in a folder: names, modes, contents and link targets, in one comparable text. */
export function everythingIn(folder: string): string {
  const lines: string[] = [];
  const walk = (path: string) => {
    const { mode, isDirectory, isSymlink } = Deno.lstatSync(path);
    const what = isSymlink
      ? Deno.readLinkSync(path)
      : isDirectory
      ? "folder"
      : Deno.readFileSync(path).toHex();
    lines.push(`${path} ${mode?.toString(8)} ${what}`);
    if (isDirectory) {
      [...Deno.readDirSync(path)].map(({ name }) => join(path, name)).sort().forEach(walk);
    }
  };
  walk(folder);
  return lines.join("\n");
}
