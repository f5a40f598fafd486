import { pretty, safeLine } from "./format.ts";
import { type Args, type Cli, EXIT, usageError, type Verb } from "./verb.ts";

interface WireWebhook {
  webhook_id: number;
  url: string;
  channel: string | null;
  event_types: string[] | null;
  active: boolean;
  created_at: string;
  has_secret: boolean;
  delivered_at: string | null;
  attempts: number;
  failing_since: string | null;
  retry_at: string | null;
  last_error: string | null;
  paused_reason: string | null;
  unread: number;
}

/** The bus gives a receiver ten seconds. */
const RECEIVER_MS = 10_000;

type Action = (args: Args, cli: Cli) => Promise<number>;

const ACTIONS: Readonly<Record<string, Action>> = {
  add,
  list,
  pause: (args, cli) => setActive(args, cli, false),
  resume: (args, cli) => setActive(args, cli, true),
  test,
  remove,
};

/** The original's words. */
const SYNONYMS: Readonly<Record<string, string>> = {
  register: "add",
  disable: "pause",
  enable: "resume",
  unregister: "remove",
};

const actionOf = (word: string | undefined): string | undefined =>
  word !== undefined && Object.hasOwn(SYNONYMS, word) ? SYNONYMS[word] : word;

export const verb: Verb = {
  help:
    `Have events sent to a URL as they come: each a POST, in order, tried again until it is taken.

Usage: event-bus webhook add URL [--channel CHANNEL] [--event-types A,B] [--secret TEXT]
       event-bus webhook list [--active] [--json]
       event-bus webhook pause | resume | test | remove ID

  add URL                    send what is published from now on; prints the webhook as JSON
    --url URL                the same URL; the bus's own --url stands before the word webhook
    --channel CHANNEL        exactly this channel, or with a * at its end all that begin so
    --event-types A,B        only these types
    --secret TEXT            signs each POST in X-Event-Bus-Signature; - reads it from standard input
  list                       all webhooks (--all says so), and what is wrong with those that fail
    --active                 only those that are not paused
  pause ID, resume ID        stop sending; go on where it stopped, at once
  test ID                    send one made-up event now; exits 1 when it is not taken
  remove ID                  forget it and what it was sent

The original's words register, disable, enable and unregister mean the same.

Examples:
  event-bus webhook add https://ci.example.org/hook --channel "repo:my-project" --event-types done
  openssl rand -hex 32 | event-bus webhook add http://localhost:9000/ --channel "repo:*" --secret -
`,
  options: {
    channel: { type: "string" },
    "event-types": { type: "string" },
    secret: { type: "string" },
    active: { type: "boolean" },
    all: { type: "boolean" },
  },
  positionals: ["action", "target"],
  takesUrl: ([word]) => actionOf(word) === "add",
  async run(args, cli) {
    const [word] = args.positionals;
    const name = actionOf(word) ?? "";
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (action === undefined) {
      const what = word === undefined ? "webhook requires" : `There is no webhook ${quoted(word)}:`;
      throw usageError(
        `${what} one of ${Object.keys(ACTIONS).join(", ")}; see event-bus help webhook`,
      );
    }
    return await action(args, cli);
  },
};

async function add(args: Args, { client, out, stdin }: Cli): Promise<number> {
  const [, positional] = args.positionals;
  const option = args.text("url");
  if (positional !== undefined && option !== undefined) {
    throw usageError(
      "webhook add takes one URL; the bus's own is named before: event-bus --url BUS webhook add URL",
    );
  }
  const url = positional ?? option;
  if (url === undefined) throw usageError("webhook add requires a URL; see event-bus help webhook");
  for (const filter of ["channel", "event-types"]) {
    // Mostly an unset variable; without it the webhook would get everything.
    if (args.text(filter) === "") throw usageError(`webhook add: --${filter} is empty`);
  }
  const secret = args.text("secret");
  const added = await client.call("register_webhook", {
    url,
    channel: args.text("channel"),
    event_types: args.list("event-types"),
    secret: secret === "-" ? (await stdin()).trim() : secret,
  });
  out(pretty(added));
  return EXIT.done;
}

async function list(args: Args, { json, client, out }: Cli): Promise<number> {
  if (args.positionals.length > 1) throw usageError("webhook list takes no ID");
  const all = await client.call<WireWebhook[]>("list_webhooks", {
    active_only: args.flag("active"),
  });
  out(json ? pretty(all) : webhooksText(all));
  return EXIT.done;
}

async function setActive(args: Args, cli: Cli, active: boolean): Promise<number> {
  const webhook_id = idOf(args);
  const answer = await cli.client.call("set_webhook_active", { webhook_id, active });
  cli.out(cli.json ? pretty(answer) : `Webhook ${webhook_id} ${active ? "resumed" : "paused"}\n`);
  return EXIT.done;
}

async function remove(args: Args, cli: Cli): Promise<number> {
  const webhook_id = idOf(args);
  const answer = await cli.client.call("unregister_webhook", { webhook_id });
  cli.out(cli.json ? pretty(answer) : `Webhook ${webhook_id} removed\n`);
  return EXIT.done;
}

async function test(args: Args, { client, json, out, err }: Cli): Promise<number> {
  const webhook_id = idOf(args);
  const answer = await client.call<{ success: boolean; status: number; reason?: string }>(
    "test_webhook",
    { webhook_id },
    { waitMs: RECEIVER_MS },
  );
  if (json) out(pretty(answer));
  else if (answer.success) out(`Webhook ${webhook_id} took it: HTTP ${answer.status}\n`);
  else err(`Webhook ${webhook_id} did not take it: ${safeLine(answer.reason ?? "")}`);
  return answer.success ? EXIT.done : EXIT.refused;
}

function idOf({ positionals: [action, id] }: Args): number {
  if (id !== undefined && /^[0-9]{1,15}$/.test(id)) return Number(id);
  throw usageError(
    `webhook ${action} requires the ID of a webhook; event-bus webhook list shows them`,
  );
}

function webhooksText(webhooks: readonly WireWebhook[]): string {
  if (webhooks.length === 0) return "No webhooks\n";
  return [`Webhooks (${webhooks.length}):`, "", ...webhooks.flatMap(webhookLines)].join("\n") +
    "\n";
}

function webhookLines(webhook: WireWebhook): string[] {
  const { webhook_id, url, active, has_secret, attempts, last_error, unread } = webhook;
  return [
    `  ${active ? "✓" : "✗"} ${webhook_id}${has_secret ? " 🔒" : ""}  ${safeLine(url)}`,
    `    channel: ${safeLine(webhook.channel ?? "all of them")}`,
    `    events: ${webhook.event_types?.map(safeLine).join(", ") ?? "all of them"}`,
    `    created: ${webhook.created_at}`,
    ...(webhook.delivered_at === null ? [] : [`    delivered: ${webhook.delivered_at}`]),
    ...(unread === 0 ? [] : [`    waiting: ${unread} event${unread === 1 ? "" : "s"}`]),
    ...(webhook.failing_since === null ? [] : [
      `    failing: since ${webhook.failing_since}, ${attempts} attempt${
        attempts === 1 ? "" : "s"
      }` +
      `: ${safeLine(last_error ?? "")}`,
    ]),
    ...(!active || webhook.retry_at === null ? [] : [`    next attempt: ${webhook.retry_at}`]),
    ...(active ? [] : [`    paused: ${safeLine(webhook.paused_reason ?? "on request")}`]),
    "",
  ];
}

const quoted = (word: string): string => JSON.stringify(word.slice(0, 40));
