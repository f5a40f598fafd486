/** How answers look on a terminal. Texts of other sessions cannot move the cursor or fake a line. */

/** Control, line-breaking and direction-changing characters, which a terminal would obey. */
const UNSAFE =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** `text` with every unsafe character but newlines shown as an escape; tabs become spaces. */
export function safe(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .replace(UNSAFE, (c) => c === "\t" ? "    " : escaped(c));
}

/** The same on one line. */
export function safeLine(text: string): string {
  return safe(text).replace(/\n/g, "\\n");
}

/** Pretty JSON with a newline; what scripts read. */
export function pretty(value: unknown): string {
  return `${harmless(JSON.stringify(value, null, 2))}\n`;
}

/** The same on one line. */
export function jsonLine(value: unknown): string {
  return `${harmless(JSON.stringify(value))}\n`;
}

/** JSON escapes the first 32 control characters by itself, and leaves the others as they are. */
function harmless(json: string): string {
  return json.replace(UNSAFE, (c) => c < " " ? c : escaped(c));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

export interface WireSession {
  session_id: string;
  display_id: string;
  name: string;
  machine: string;
  repo: string;
  cwd: string;
  client_id: string | null;
  age_seconds: number;
  subscribed_channels: string[];
  state: string;
  state_since: string;
  status: string | null;
  unread: number;
  reachable_by: string[];
}

/**
 * The live sessions; by which paths each is reached, when each last worked, and how much waits to be
 * shown to it, where that is known; else how much a read would return.
 */
export function sessionsText(
  sessions: readonly WireSession[],
  known?: { readonly now: string; readonly sessions: readonly Reached[] },
): string {
  if (sessions.length === 0) return "No active sessions\n";
  const reached = (session: WireSession): Reached | undefined =>
    known?.sessions.find(({ session_id }) => session_id === session.session_id);
  const paths = (session: WireSession): string[] => {
    const found = reached(session);
    if (known === undefined || found === undefined || found.paths.length === 0) return [];
    return [`    paths: ${pathsText(found.paths, Date.parse(known.now))}`];
  };
  const blocks = sessions.map((session) => [
    `  ${session.display_id}  ${safeLine(session.name)}`,
    `    repo: ${safeLine(session.repo)}, machine: ${safeLine(session.machine)}`,
    ...(session.client_id ? [`    client_id: ${safeLine(session.client_id)}`] : []),
    `    age: ${Math.floor(session.age_seconds)}s`,
    ...(session.session_id === session.display_id
      ? []
      : [`    session_id: ${safeLine(shortened(session.session_id))}`]),
    `    channels: ${session.subscribed_channels.map(safeLine).join(", ")}`,
    `    ${session.state} since ${session.state_since}, unread: ${
      unreadText(reached(session)?.unseen ?? session.unread)
    }, ` +
    `reachable by: ${session.reachable_by.join(", ") || "nothing"}`,
    ...(session.status === null ? [] : [`    status: ${safeLine(session.status)}`]),
    ...paths(session),
    "",
  ]);
  return [`Active sessions (${sessions.length}):`, "", ...blocks.flat()].join("\n") + "\n";
}

/** The bus counts no further than this. */
const UNREAD_COUNTED = 1000;

function unreadText(unread: number): string {
  return unread < UNREAD_COUNTED ? `${unread}` : `${unread} or more`;
}

/** A way by which a session is reached, and when it last worked. */
export interface WirePath {
  readonly path: string;
  readonly last_at: string | null;
  readonly listening: boolean;
}

/** A session, as far as the paths to it go. */
interface Reached {
  readonly session_id: string;
  readonly unseen: number;
  readonly paths: readonly WirePath[];
}

/** By which paths a session is reached now or was before, the latest first, as seen at `now`. */
export function pathsText(paths: readonly WirePath[], now: number): string {
  if (paths.length === 0) return "none so far";
  return paths.map(({ path, last_at, listening }) => {
    const ago = last_at === null ? [] : [agoText(now - Date.parse(last_at))];
    return [safeLine(path), ...(listening ? ["listening"] : ago)].join(" ");
  }).join(", ");
}

const SPANS = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]] as const;

/** How long ago something was, in its largest unit. */
export function agoText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [size, unit] = SPANS.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

function shortened(id: string): string {
  return id.length > 16 ? `${id.slice(0, 8)}…` : id;
}

export function channelsText(
  channels: readonly { channel: string; subscribers: number }[],
): string {
  if (channels.length === 0) return "No active channels\n";
  const lines = channels.map(({ channel, subscribers: n }) =>
    `  ${safeLine(channel)}  (${n} subscriber${n === 1 ? "" : "s"})`
  );
  return [`Active channels (${channels.length}):`, "", ...lines, ""].join("\n") + "\n";
}

export interface WireEvent {
  id: number;
  event_type: string;
  payload: string;
  session_id: string;
  timestamp: string;
  channel: string;
  correlation_id: string | null;
  signal_level: string;
  title?: string;
  tags?: string[];
}

export function eventsText(events: readonly WireEvent[]): string {
  return events.length === 0 ? "No events\n" : events.map(eventText).join("");
}

/** One event; every line of its payload is indented, so that none can pass for another event. */
function eventText(event: WireEvent): string {
  return [
    `[${event.id}] ${safeLine(event.event_type)} (${
      safeLine(event.channel)
    }) [${event.signal_level}]`,
    ...(event.title === undefined ? [] : [`    title: ${safeLine(event.title)}`]),
    ...safe(event.payload).split("\n").map((line) => `    ${line}`),
    `    from: ${safeLine(event.session_id)} at ${event.timestamp}` +
    (event.correlation_id === null ? "" : ` corr:${safeLine(event.correlation_id)}`) +
    (event.tags === undefined ? "" : ` tags:${event.tags.map(safeLine).join(",")}`),
    "",
    "",
  ].join("\n");
}

export interface WireReceipt {
  session_id: string | null;
  display_id: string | null;
  state: string;
  consumer: string | null;
  principal: string | null;
  path: string | null;
  at: string | null;
  after_ms: number | null;
  why?: string;
}

export interface WireDelivery {
  event_id: number;
  event_type: string;
  channel: string;
  session_id: string;
  timestamp: string;
  audience: WireReceipt[];
  others: WireReceipt[];
}

export function deliveryText(report: WireDelivery): string {
  const { event_id, event_type, channel, session_id, timestamp, audience, others } = report;
  const has = audience.filter(({ state }) => state === "has").length;
  return [
    `[${event_id}] ${safeLine(event_type)} (${safeLine(channel)})`,
    `    from: ${safeLine(session_id)} at ${timestamp}`,
    "",
    audience.length === 0
      ? "For nobody who was there"
      : `Has reached ${has} of ${audience.length}:`,
    ...audience.map(receiptLine),
    ...(others.length === 0 ? [] : ["", "Also:", ...others.map(receiptLine)]),
    "",
  ].join("\n");
}

function receiptLine(receipt: WireReceipt): string {
  const { display_id, session_id, principal, consumer, state, path, at, after_ms } = receipt;
  // A webhook's consumer belongs to no caller and is called by the webhook's id.
  const isWebhook = principal === ":webhook";
  const who = isWebhook
    ? `webhook ${consumer}`
    : display_id ?? session_id ?? `${principal} ${consumer}`;
  if (state !== "has") return `  ${safeLine(who)}: ${safeLine(receipt.why ?? state)}`;
  const how = isWebhook ? "" : `by ${path} (${safeLine(consumer ?? "")}) `;
  return `  ${safeLine(who)}: ${how}at ${at}, after ${after_ms} ms`;
}
