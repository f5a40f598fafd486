/**
 * What is on its way to a session and not acknowledged yet. Who else wants to show something to that
 * session waits a moment for it, so that two paths at once do not show the same.
 */
import type { Passed } from "../bus/handing.ts";
import type { Path } from "../delivery.ts";

/** A client acknowledges a few milliseconds after it was answered. */
const WAIT_MS = 250;
/** What is pushed into a channel is acknowledged by the turn that it begins, if it does. */
const CHANNEL_WAIT_MS = 700;
/** Claims of one session that nobody ever settles are forgotten, the oldest first. */
const MAX_CLAIMS = 20;

export interface Claim {
  readonly sessionId: string;
  readonly path: Path;
  readonly passed: readonly Passed[];
  /** What a prompt of the session holds once it is shown; null for what never becomes one. */
  readonly text: string | null;
}

/** A claim that nobody else can settle any more. */
export interface Settling extends Claim {
  /** Lets go who waits for it, once it has counted; whether it was the first to show any of it. */
  end(isFirst: boolean): void;
}

export interface Claims {
  /** Whether nothing is on its way to a session, or was for too long. */
  isFree(sessionId: string): boolean;
  /** Resolves when a session was free, or after a time. Look again before claiming: others waited too. */
  free(sessionId: string, atMostMs?: number): Promise<void>;
  /** Whether what was last pushed into a session's channel was never seen: the client drops it. */
  isDoubtful(sessionId: string, path: Path): boolean;
  /** Notes that something is on its way; the answer is the name of the claim. */
  open(claim: Claim): string;
  /** Takes a claim, to count it; null for one that is not known (any more). */
  settle(id: string): Settling | null;
  /** The claims of a session whose text or name a prompt of it holds. */
  heldBy(sessionId: string, prompt: string): [id: string, claim: Claim][];
}

export function createClaims(uuid: () => string): Claims {
  const claims = new Map<string, Settling>();
  const onTheirWay = new Map<string, Set<Promise<void>>>();
  const doubtful = new Set<string>();
  const isDoubtful: Claims["isDoubtful"] = (sessionId, path) =>
    path === "channel" && doubtful.has(sessionId);

  return {
    isDoubtful,
    isFree: (sessionId) => !onTheirWay.has(sessionId),
    async free(sessionId, atMostMs) {
      const enough = Promise.withResolvers<void>();
      let isEnough = false;
      const timer = atMostMs === undefined ? undefined : setTimeout(() => {
        isEnough = true;
        enough.resolve();
      }, atMostMs);
      try {
        // Another claim may be opened by whoever waited just as long.
        while (!isEnough) {
          const [first] = onTheirWay.get(sessionId) ?? [];
          if (first === undefined) return;
          await Promise.race([first, enough.promise]);
        }
      } finally {
        clearTimeout(timer);
      }
    },
    open(claim) {
      const id = uuid();
      const { promise, resolve } = Promise.withResolvers<void>();
      const isPush = claim.path === "channel";
      const end = (isFirst: boolean) => {
        clearTimeout(timer);
        // The prompt of another path may hold the same text, and proves nothing.
        if (isPush && isFirst) doubtful.delete(claim.sessionId);
        const others = onTheirWay.get(claim.sessionId);
        others?.delete(promise);
        if (others?.size === 0) onTheirWay.delete(claim.sessionId);
        resolve();
      };
      const lapse = () => {
        if (isPush) doubtful.add(claim.sessionId);
        end(false);
      };
      // Nobody waits for what its client most likely dropped.
      const ms = isDoubtful(claim.sessionId, claim.path) ? 0 : isPush ? CHANNEL_WAIT_MS : WAIT_MS;
      const timer = setTimeout(lapse, ms);
      onTheirWay.set(
        claim.sessionId,
        (onTheirWay.get(claim.sessionId) ?? new Set()).add(promise),
      );
      claims.set(id, { ...claim, end });
      const unsettled = [...claims].filter(([, { sessionId }]) => sessionId === claim.sessionId);
      for (const [oldest] of unsettled.slice(0, -MAX_CLAIMS)) claims.delete(oldest);
      return id;
    },
    settle(id) {
      const claim = claims.get(id);
      if (claim === undefined) return null;
      claims.delete(id);
      return claim;
    },
    heldBy: (sessionId, prompt) =>
      [...claims].filter(([id, claim]) =>
        claim.sessionId === sessionId && claim.text !== null &&
        (prompt.includes(claim.text) || prompt.includes(id))
      ),
  };
}
