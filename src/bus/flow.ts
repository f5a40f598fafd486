/** The rules of flow: a conversation that runs away loses its urgency. */
import type { Bus, Call } from "../bus.ts";
import { channelOfSession } from "../channel.ts";
import type { Session } from "../session.ts";
import { countFrom, latestAlike } from "../store/flow.ts";
import type { Store } from "../store/open.ts";
import { append } from "./log.ts";

/** So often two sessions may go back and forth before their humans should know. */
export const MAX_ROUNDS = 10;
/** A conversation that rested for so long begins anew. */
const ROUND_MS = 60 * 60 * 1000;

/** Whether two sessions have gone back and forth too often since a human said something to either. */
export function runsAway({ store }: Bus, from: Session, to: Session, now: number): boolean {
  const since = Math.max(now - ROUND_MS, from.prompted_at ?? 0, to.prompted_at ?? 0);
  return said(store, from, to, since) >= MAX_ROUNDS && said(store, to, from, since) >= MAX_ROUNDS;
}

function said(store: Store, from: Session, to: Session, since: number): number {
  return countFrom(store, channelOfSession(to.id), from.id, since, MAX_ROUNDS);
}

const PAUSED = "conversation_paused";

/** Tells both sessions, and the human, that what they say to each other waits; once each time. */
export function tellOfPause(bus: Bus, from: Session, to: Session, call: Call): void {
  const since = Math.max(call.now - ROUND_MS, from.prompted_at ?? 0, to.prompted_at ?? 0);
  const told = { event_type: PAUSED, channel: channelOfSession(to.id), session_id: "anonymous" };
  const [one, other] = [from.display_id, to.display_id].sort();
  const payload = `${one} and ${other} have gone back and forth ` +
    `${MAX_ROUNDS} times without a human; until one says something, their messages to each ` +
    "other wait for the next prompt instead of interrupting";
  if (latestAlike(bus.store, { ...told, payload }, since, 1).length > 0) return;
  for (const session of [to, from]) {
    append(bus, {
      ...told,
      payload,
      channel: channelOfSession(session.id),
      signal_level: "info",
    }, call);
  }
  call.afterCommit(() =>
    void bus.desktop.show({
      title: `🔁 ${from.name} ↔ ${to.name}`,
      message: payload,
      sound: false,
    })
  );
}
