/** Finds the verb, reads its options, runs it, and turns whatever happens into an exit code. */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { type Env, loadClientConfig } from "../src/config.ts";
import { BusError } from "../src/errors.ts";
import { createClient, Refusal } from "./client.ts";
import { pretty, safe } from "./format.ts";
import { type Args, type Cli, CliError, EXIT, usageError, type Verb } from "./verb.ts";
import { VERBS } from "./verbs.ts";

/** The streams of the process. */
export type Terminal = Pick<Cli, "out" | "err" | "stdin">;

const GLOBAL = {
  url: { type: "string" },
  timeout: { type: "string" },
  json: { type: "boolean" },
  debug: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "V" },
} as const satisfies ParseArgsOptionsConfig;

/** How long a command waits for the bus, as the original's did. */
const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Runs one command line (without the program's name) and answers its exit code; never throws.
 * `env` stands in for the environment, in tests.
 */
export async function runCli(
  argv: readonly string[],
  given: Terminal,
  env?: Env,
): Promise<number> {
  const terminal = guarded(given);
  const json = argv.includes("--json");
  let silent = false;
  try {
    const { name, before, after } = splitVerb(argv);
    const rest = [...before, ...after];
    if (name === null) return await overview(rest, terminal);
    const load = VERBS[name]?.load;
    if (load === undefined || !Object.hasOwn(VERBS, name)) {
      throw usageError(`There is no command ${JSON.stringify(name)}; see event-bus help`);
    }
    const { verb } = await load();
    silent = verb.silent === true;
    const args = readArgs(name, verb, rest);
    if (args.flag("help")) {
      terminal.out(verb.help);
      return EXIT.done;
    }
    // A verb that takes long by its nature may mean something else by it.
    const timeout = "timeout" in verb.options ? undefined : args.text("timeout");
    if (verb.takesUrl?.(args.positionals) !== true) {
      const bus = { url: args.text("url"), timeout };
      return await verb.run(args, world(bus, terminal, json, env));
    }
    const bus = { url: readArgs(name, verb, before).text("url"), timeout };
    return await verb.run(readArgs(name, verb, after), world(bus, terminal, json, env));
  } catch (thrown) {
    if (silent) return EXIT.done;
    return explain(thrown, terminal, json, argv.includes("--debug"));
  }
}

/** Whatever a bus or a file holds, nothing that a terminal would obey goes through here. */
function guarded(terminal: Terminal): Terminal {
  return {
    ...terminal,
    out: (text) => terminal.out(safe(text)),
    err: (line) => terminal.err(safe(line)),
  };
}

/** Without a verb there is only help to give: asked for, it is done; otherwise it was a mistake. */
async function overview(rest: string[], { out, err }: Terminal): Promise<number> {
  const { values } = parse("event-bus", GLOBAL, rest);
  if (values.version === true) {
    const { versionText } = await import("../src/build.ts");
    out(`${versionText()}\n`);
    return EXIT.done;
  }
  const { overviewText } = await import("./help.ts");
  if (values.help === true) {
    out(overviewText());
    return EXIT.done;
  }
  err(overviewText());
  return EXIT.usage;
}

interface Split {
  name: string | null;
  before: string[];
  after: string[];
}

/** The first word that is neither a global option nor its value, and what stands around it. */
function splitVerb(argv: readonly string[]): Split {
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string;
    if (!word.startsWith("-")) {
      return { name: word, before: argv.slice(0, i), after: argv.slice(i + 1) };
    }
    if (word === "--url" || word === "--timeout") i++;
  }
  return { name: null, before: [...argv], after: [] };
}

function readArgs(name: string, verb: Verb, rest: string[]): Args {
  const { values, positionals } = parse(name, { ...GLOBAL, ...verb.options }, rest);
  const allowed = verb.positionals?.length ?? 0;
  if (positionals.length > allowed) {
    throw usageError(
      `${name} does not take ${JSON.stringify(positionals[allowed])}; see event-bus help ${name}`,
    );
  }
  const text = (option: string): string | undefined => {
    const value = values[option];
    return typeof value === "string" ? value : undefined;
  };
  return {
    positionals,
    text,
    need(option) {
      const value = text(option);
      if (value === undefined) {
        throw usageError(`${name} requires --${option}; see event-bus help ${name}`);
      }
      return value;
    },
    flag: (option) => values[option] === true,
    list(option) {
      const items = text(option)?.split(",").map((item) => item.trim()).filter((item) => item);
      return items === undefined || items.length === 0 ? undefined : items;
    },
  };
}

function parse(name: string, options: ParseArgsOptionsConfig, rest: string[]) {
  try {
    return parseArgs({ args: attached(rest, options), options, allowPositionals: true });
  } catch (wrong) {
    const [reason] = (wrong as Error).message.split(". To specify");
    throw usageError(`${name}: ${reason}; see event-bus help ${name}`);
  }
}

/**
 * Joins an option and its value into one word, so that a value may start with a dash
 * (`--payload "- first item"`). The next option is not a value.
 */
function attached(words: readonly string[], options: ParseArgsOptionsConfig): string[] {
  const joined: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === "--") return [...joined, ...words.slice(i)];
    const next = words[i + 1];
    const takesText = word.startsWith("--") && options[word.slice(2)]?.type === "string";
    const isOption = next?.startsWith("--") &&
      Object.hasOwn(options, next.slice(2).split("=")[0] as string);
    if (takesText && next !== undefined && !isOption) {
      joined.push(`${word}=${next}`);
      i++;
    } else joined.push(word);
  }
  return joined;
}

/** Configuration and client are made when a verb first asks for them; help needs neither. */
function world(
  bus: { url: string | undefined; timeout: string | undefined },
  terminal: Terminal,
  json: boolean,
  env: Env | undefined,
): Cli {
  const once = <T>(make: () => T) => {
    let made: { value: T } | undefined;
    return () => (made ??= { value: make() }).value;
  };
  const config = once(() => loadClientConfig({ url: bus.url }, env));
  const client = once(() =>
    createClient({
      url: config().url,
      token: config().token(),
      timeoutMs: timeoutOf(bus.timeout),
    })
  );
  return {
    ...terminal,
    json,
    get config() {
      return config();
    },
    get client() {
      return client();
    },
  };
}

/** Milliseconds; 0 means the default, as it did for the original. */
function timeoutOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TIMEOUT_MS;
  if (!/^[0-9]{1,8}$/.test(text)) {
    throw usageError(`Cannot use --timeout ${JSON.stringify(text)}: milliseconds are expected`);
  }
  return Number(text) || DEFAULT_TIMEOUT_MS;
}

/** What the bus cannot know: where its client keeps things. */
const HINTS: Partial<Record<Refusal["body"]["code"], string>> = {
  unauthenticated: "The bus's token belongs in EVENT_BUS_TOKEN, or in the file token beside " +
    "config.json (chmod 600)",
};

/** Errors go to stderr, except that who asked for JSON gets the bus's answer on stdout. */
function explain(thrown: unknown, { out, err }: Terminal, json: boolean, debug: boolean): number {
  if (debug && thrown instanceof Error) err(safe(thrown.stack ?? thrown.message));
  if (thrown instanceof Refusal) {
    if (json) out(pretty(thrown.body));
    else {
      err(`Error: ${safe(thrown.message)}`);
      const hint = thrown.body.hint ?? HINTS[thrown.body.code];
      if (typeof hint === "string") err(safe(hint));
    }
    return thrown.exit;
  }
  if (thrown instanceof CliError) {
    err(`Error: ${safe(thrown.message)}`);
    return thrown.exit;
  }
  if (thrown instanceof BusError) {
    // What the system or SQLite said may have several lines; ours is one.
    err(`Error: ${safe(thrown.message).replace(/\s*\n\s*/g, "; ")}`);
    return thrown.code === "invalid_argument" ? EXIT.usage : EXIT.refused;
  }
  // Whoever reads our output has enough of it: `event-bus events | head -1`.
  if (thrown instanceof Deno.errors.BrokenPipe) return EXIT.refused;
  err(`Error: ${safe(thrown instanceof Error ? thrown.message : String(thrown))}`);
  return EXIT.refused;
}
