import { durationOf } from "./duration.ts";
import { pretty, safeLine } from "./format.ts";
import { type Args, type Cli, EXIT, usageError, type Verb } from "./verb.ts";

interface WireToken {
  name: string;
  scopes: string[];
  state: string;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
}

type NewToken = WireToken & { token: string };

type Action = (args: Args, cli: Cli) => Promise<number>;

const ACTIONS: Readonly<Record<string, Action>> = { create, list, rotate, revoke };

export const verb: Verb = {
  help: `Say who may call: a token for each machine or program, shown once, revoked at once.

Usage: event-bus token create --name NAME [--scope A,B] [--expires TIME] [--json]
       event-bus token list [--all] [--json]
       event-bus token rotate NAME [--grace TIME] [--expires TIME] [--json]
       event-bus token revoke NAME [--json]

  create                make a token; the bus keeps only its hash
    --name NAME         whom it stands for; sessions registered with it belong to this name
    --scope A,B         what it may do (default publish,read):
                          read      look, and mark as read what is its own
                          publish   register, publish, say what it does, notify the human
                          admin     operate the bus: webhooks, tokens
    --expires TIME      such as 90d or 12h; without it, the token is valid until it is revoked
  list                  what is valid, and when it was last used (to the hour after a restart)
    --all               also what has expired or was revoked
  rotate NAME           a new secret for the same name; the old one ends now …
    --grace TIME        … or so much later, at most 7d
  revoke NAME           end it now, with every stream and wait that was begun with it

On the bus's own machine everything is allowed without a token, unless it runs with --require-token.

Example:
  event-bus token create --name laptop --scope publish,read --expires 90d
`,
  options: {
    name: { type: "string" },
    scope: { type: "string" },
    expires: { type: "string" },
    grace: { type: "string" },
    all: { type: "boolean" },
  },
  positionals: ["action", "name"],
  async run(args, cli) {
    const [word] = args.positionals;
    const action = word !== undefined && Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
    if (action !== undefined) return await action(args, cli);
    const what = word === undefined ? "token requires" : `There is no token ${quoted(word)}:`;
    throw usageError(
      `${what} one of ${Object.keys(ACTIONS).join(", ")}; see event-bus help token`,
    );
  },
};

async function create(args: Args, cli: Cli): Promise<number> {
  const made = await cli.client.call<NewToken>("create_token", {
    name: nameOf(args),
    scopes: args.list("scope"),
    expires_in_seconds: secondsOf(args, "expires"),
  });
  return show(made, cli);
}

async function rotate(args: Args, cli: Cli): Promise<number> {
  const made = await cli.client.call<NewToken>("rotate_token", {
    name: nameOf(args),
    grace_seconds: secondsOf(args, "grace"),
    expires_in_seconds: secondsOf(args, "expires"),
  });
  return show(made, cli);
}

async function list(args: Args, { client, json, out }: Cli): Promise<number> {
  if (args.positionals.length > 1) throw usageError("token list takes no NAME");
  const tokens = await client.call<WireToken[]>("list_tokens", { include_ended: args.flag("all") });
  out(json ? pretty(tokens) : tokensText(tokens));
  return EXIT.done;
}

async function revoke(args: Args, { client, json, out }: Cli): Promise<number> {
  const name = nameOf(args);
  const answer = await client.call("revoke_token", { name });
  out(json ? pretty(answer) : `Token ${safeLine(name)} is revoked\n`);
  return EXIT.done;
}

/** The secret alone on standard output, so that it can go to where it belongs without being seen. */
function show(made: NewToken, { json, out, err, client }: Cli): number {
  if (json) {
    out(pretty(made));
    return EXIT.done;
  }
  const { token, name, scopes, expires_at } = made;
  out(`${token}\n`);
  const until = expires_at === null ? "until it is revoked" : `until ${expires_at}`;
  err(`Token ${safeLine(name)} may ${scopes.join(", ")}, ${until}. It is not shown again.`);
  err(
    "Where it is used, put it in EVENT_BUS_TOKEN, or in ~/.claude/contrib/event-bus/token " +
      "(chmod 600), but not in that file on the bus's own machine",
  );
  err(`and connect there with: event-bus install --url ${client.base}/mcp, by its address there`);
  return EXIT.done;
}

/** The name, as an option or behind the action. */
function nameOf(args: Args): string {
  const [action, positional] = args.positionals;
  const option = args.text("name");
  if (positional !== undefined && option !== undefined) {
    throw usageError(`token ${action} takes one name, as --name or behind ${action}`);
  }
  const name = option ?? positional;
  if (name) return name;
  throw usageError(`token ${action} requires a name; see event-bus help token`);
}

function secondsOf(args: Args, option: string): number | undefined {
  const text = args.text(option);
  return text === undefined ? undefined : Math.ceil(durationOf(option, text) / 1000);
}

function tokensText(tokens: readonly WireToken[]): string {
  if (tokens.length === 0) return "No tokens\n";
  return [`Tokens (${tokens.length}):`, "", ...tokens.flatMap(tokenLines)].join("\n") + "\n";
}

function tokenLines(token: WireToken): string[] {
  const { name, scopes, state, created_at, expires_at, last_used_at, revoked_at } = token;
  return [
    `  ${safeLine(name)}${state === "valid" ? "" : ` (${state})`}  ${scopes.join(", ")}`,
    `    created: ${created_at}`,
    ...(expires_at === null ? [] : [`    expires: ${expires_at}`]),
    ...(revoked_at === null ? [] : [`    revoked: ${revoked_at}`]),
    `    last used: ${last_used_at ?? "never"}`,
    "",
  ];
}

const quoted = (word: string): string => JSON.stringify(word.slice(0, 40));
