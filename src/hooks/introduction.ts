/** What a session is told at its start: who it is, who else is here, and what happened lately. */
import type { Bus } from "../bus.ts";
import { stateOf } from "../bus/presence.ts";
import { livingSessions } from "../bus/sessions.ts";
import { channelsOf } from "../channel.ts";
import type { Session } from "../session.ts";
import { readEvents, tip } from "../store/events.ts";
import { newsOf } from "./digest.ts";
import { oneLine } from "./harmless.ts";

/** Everybody pays for this list at every start. */
const MAX_PEERS = 6;
/** What a newcomer is told of the time before it came. */
const MAX_NEWS = 5;
const NEWS_MS = 24 * 60 * 60 * 1000;

/** Who the session is, and who else is here; two lines or three. */
export function introduction(bus: Bus, session: Session, now: number): string {
  const others = livingSessions(bus).filter(({ id }) => id !== session.id);
  const who = `event-bus: this session is ${session.display_id} (${oneLine(session.name, 80)}); ` +
    `its session_id for the event-bus tools is ${JSON.stringify(session.id)}.`;
  if (others.length === 0) return `${who} No other session is here.`;
  const peers = others.slice(0, MAX_PEERS).map((other) => peer(other, now));
  const more = others.length - peers.length;
  return `${who}\nAlso here: ${peers.join("; ")}${more > 0 ? `; and ${more} more` : ""}.`;
}

function peer(session: Session, now: number): string {
  const { state } = stateOf(session, now);
  const status = session.status === null ? "" : `: "${oneLine(session.status, 60)}"`;
  return `${session.display_id} (${oneLine(session.name, 40)}, ${state}${status})`;
}

/** What was said lately on the channels that a newcomer hears; empty when nothing was. */
export function recentNews(bus: Bus, session: Session, chars: number, now: number): string[] {
  const { store } = bus;
  const own = tip(store);
  const { events } = readEvents(store, 0, {
    channels: channelsOf(session),
    min_level: "info",
    not_from: session.id,
  }, { limit: MAX_NEWS, maxBytes: 64 * 1024, newest: true, through: own });
  const recent = events.filter(({ at }) => now - at < NEWS_MS).reverse();
  const text = newsOf(bus, recent, { now, chars: Math.floor(chars / 2) });
  return text === "" ? [] : [text];
}
