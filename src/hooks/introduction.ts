/** What a session is told at its start: who it is, who else is here, and what happened lately. */
import type { Bus } from "../bus.ts";
import { stateOf } from "../bus/presence.ts";
import { livingSessions } from "../bus/sessions.ts";
import { channelsOf } from "../channel.ts";
import type { Session } from "../session.ts";
import { readEvents } from "../store/events.ts";
import { newsOf } from "./digest.ts";
import { asJson, inQuotes, label } from "./harmless.ts";

/** Everybody pays for this at every start. */
const MAX_CHARS = 600;
/** The longest id with which there is room for others; it is no secret from its own session. */
const MAX_ID_CHARS = 140;
/** What a newcomer is told of the time before it came. */
const MAX_NEWS = 5;
const NEWS_MS = 24 * 60 * 60 * 1000;
/** What may stand before the news: the introduction, and that the bus was away. */
const BEFORE_NEWS_CHARS = MAX_CHARS + 200;

/** Who the session is, and who else is here, those of its repository first; at most 600 characters. */
export function introduction(bus: Bus, session: Session, now: number): string {
  const id = asJson(session.id);
  const who = `event-bus: this session is ${session.display_id} (${label(session.name, 80)})${
    id.length > MAX_ID_CHARS ? "" : `; its session_id for the event-bus tools is ${id}`
  }.`;
  const others = livingSessions(bus).filter(({ id }) => id !== session.id)
    .sort((a, b) => Number(b.repo === session.repo) - Number(a.repo === session.repo));
  if (others.length === 0) return `${who} No other session is here.`;
  const list = others.map((other) => peerLine(other, now));
  let told = "";
  for (let n = 1; n <= list.length; n++) {
    const more = list.length - n;
    const line = `Also here: ${list.slice(0, n).join("; ")}${more === 0 ? "" : `; ${more} more`}.`;
    if (who.length + 1 + line.length > MAX_CHARS) break;
    told = line;
  }
  return `${who}\n${told}`;
}

function peerLine(session: Session, now: number): string {
  const { state } = stateOf(session, now);
  const status = session.status === null ? "" : `: ${inQuotes(session.status, 60)}`;
  return `${session.display_id} (${label(session.name, 40)}, ${state}${status})`;
}

/** What was said lately on the channels that a newcomer hears; empty when nothing was. */
export function recentNews(bus: Bus, session: Session, chars: number, now: number): string[] {
  const { events } = readEvents(bus.store, 0, {
    channels: channelsOf(session),
    min_level: "info",
    not_from: session.id,
  }, { limit: MAX_NEWS, maxBytes: 64 * 1024, newest: true });
  const recent = events.filter(({ at }) => now - at < NEWS_MS).reverse();
  const room = Math.min(Math.floor(chars / 2), chars - BEFORE_NEWS_CHARS);
  const text = newsOf(bus, session, recent, { now, chars: room });
  return text === "" ? [] : [text];
}
