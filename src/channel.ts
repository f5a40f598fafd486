/** Channel names and who they address. Every session sees every event; a channel is its context. */
import { BusError, quoted } from "./errors.ts";

export const DEFAULT_CHANNEL = "all";
/** Room for `session:` and the longest session id; still one line of output and a key of an index. */
export const MAX_CHANNEL_LENGTH = 512;

export const channelOfSession = (sessionId: string): string => `session:${sessionId}`;

/** The session a direct message names (its session id or display id), or null for other channels. */
export function addressee(channel: string): string | null {
  return channel.startsWith("session:") ? channel.slice("session:".length) : null;
}

/** The channels a session is expected to care about, in the order that listings show them. */
export function channelsOf(session: { id: string; repo: string; machine: string }): string[] {
  return [
    DEFAULT_CHANNEL,
    channelOfSession(session.id),
    `repo:${session.repo}`,
    `machine:${session.machine}`,
  ];
}

/** A usable channel name: empty means the default; too long or unprintable is refused. */
export function checkChannel(channel: string): string {
  if (channel.length > MAX_CHANNEL_LENGTH || /\p{Cc}/u.test(channel)) {
    throw new BusError(
      "invalid_argument",
      `Cannot use channel ${quoted(channel, 40)}: ` +
        `a channel is at most ${MAX_CHANNEL_LENGTH} printable characters`,
    );
  }
  return channel === "" ? DEFAULT_CHANNEL : channel;
}

/** `repo:`, `session:` and `machine:` without a name address nobody; mostly an unset variable. */
export function addressesNobody(channel: string): boolean {
  return /^(session|repo|machine):$/.test(channel);
}
