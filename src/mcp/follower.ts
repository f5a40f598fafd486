/** One client that follows inboxes: what it follows, and what it still has to be told. */
import type { Hints } from "./hints.ts";
import { relay } from "./relay.ts";

/** A session follows its own inbox; somebody who watches over others may follow a team's. */
export const MAX_FOLLOWED = 100;

interface Followed {
  readonly sessionId: string;
  /** Where to go on looking when the next stream is there. */
  from: number;
  stop: (() => number) | null;
}

/**
 * Hints go out on a stream, one for each resource at most until it was taken: a client that does
 * not read costs a flag. What happens while there is no stream is told on the next one.
 */
export class Follower {
  readonly #hints: Hints;
  readonly #send: (uri: string) => void;
  readonly #followed = new Map<string, Followed>();
  /** What changed and was not told yet. */
  readonly #due = new Set<string>();
  /** What was sent and not taken yet. */
  #underway: string | undefined;
  #streaming = false;
  #wanted = false;

  /** `send` writes a hint about a resource to the stream that is open. */
  constructor(hints: Hints, send: (uri: string) => void) {
    this.#hints = hints;
    this.#send = send;
  }

  /** Whether there is room for this resource, or it is followed already. */
  canFollow(uri: string): boolean {
    return this.#followed.has(uri) || this.#followed.size < MAX_FOLLOWED;
  }

  /** Follows the inbox of a session under the address `uri`, from the event `from` on. */
  follow(uri: string, sessionId: string, from: number): void {
    if (this.#followed.has(uri)) return;
    const followed = { sessionId, from, stop: null };
    this.#followed.set(uri, followed);
    if (this.#streaming) this.#watch(uri, followed);
  }

  unfollow(uri: string): void {
    this.#followed.get(uri)?.stop?.();
    this.#followed.delete(uri);
    this.#due.delete(uri);
    if (this.#underway === uri) this.#underway = undefined;
  }

  /** From now on, and until it ends, `response` is the stream that hints go out on. */
  carriedBy(response: Response, ended: () => void = () => {}): Response {
    this.#streaming = true;
    for (const [uri, followed] of this.#followed) this.#watch(uri, followed);
    return relay(response, {
      wanted: () => {
        this.#wanted = true;
        this.#underway = undefined;
        this.#next();
      },
      ended: () => {
        this.#pause();
        ended();
      },
    });
  }

  /** Forgets everything; for a client that is gone. */
  end(): void {
    this.#pause();
    this.#followed.clear();
    this.#due.clear();
  }

  #watch(uri: string, followed: Followed): void {
    followed.stop = this.#hints.watch(followed.sessionId, followed.from, () => {
      this.#due.add(uri);
      this.#next();
    });
  }

  /** One hint for each that was taken, so that they never pile up. */
  #next(): void {
    const [uri] = this.#due;
    if (uri === undefined || !this.#wanted) return;
    this.#due.delete(uri);
    this.#wanted = false;
    this.#underway = uri;
    this.#send(uri);
  }

  #pause(): void {
    this.#streaming = false;
    this.#wanted = false;
    // Nobody took it: then it is told again.
    if (this.#underway !== undefined) this.#due.add(this.#underway);
    this.#underway = undefined;
    for (const followed of this.#followed.values()) {
      followed.from = followed.stop?.() ?? followed.from;
      followed.stop = null;
    }
  }
}
