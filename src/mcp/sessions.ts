/**
 * Sessions of the 2025 revisions. Calls do not need one; a session exists so that the server can
 * tell a client something on its own. Losing one is harmless: its calls are served without.
 */
import type {
  Server,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { Follower } from "./follower.ts";
import { relay } from "./relay.ts";

/** A client that is still there and wants to be told something holds its stream open. */
export const IDLE_MS = 10 * 60 * 1000;
/** About 10 kB each: a client that initializes in a loop must not fill the memory. */
export const MAX_SESSIONS = 1000;
/** How often the idle are looked for; what is asked for in between is checked when it is. */
const SWEEP_MS = 60 * 1000;

export interface McpSession {
  readonly server: Server;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  /** What its client wants to be told of. */
  readonly follower: Follower;
  /** Who initialized it; nobody else has it. */
  readonly principal: string;
  /** Aborts when it must end: its principal's token is over. */
  readonly revoked: AbortSignal | undefined;
}

interface Entry extends McpSession {
  usedAt: number;
  /** Answers under way: its stream, and calls that are not finished. */
  open: number;
  readonly revoke: () => void;
}

export interface SessionLimits {
  readonly idleMs: number;
  readonly max: number;
  /** Milliseconds that only ever grow. */
  readonly clock: () => number;
}

export class Sessions {
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  /** Ids that their own clients gave up, the newest of them. */
  readonly #givenUp = new Set<string>();
  readonly #limits: SessionLimits;
  readonly #sweeper: ReturnType<typeof setInterval>;

  constructor(limits: SessionLimits) {
    this.#limits = limits;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** Whether there is room for one more, after the oldest idle one went if need be. */
  makeRoom(): boolean {
    if (this.#entries.size < this.#limits.max) return true;
    this.#sweep();
    if (this.#entries.size < this.#limits.max) return true;
    for (const [id, { open }] of this.#entries) {
      if (open > 0) continue;
      this.end(id);
      return true;
    }
    return false;
  }

  add(id: string, session: McpSession): void {
    const revoke = () => this.end(id);
    this.#entries.set(id, { ...session, usedAt: this.#limits.clock(), open: 0, revoke });
    session.revoked?.addEventListener("abort", revoke, { once: true });
    // It may have ended while the session was being made.
    if (session.revoked?.aborted) revoke();
  }

  /** The session called `id`, unless it never was, has expired, or is somebody else's. */
  find(id: string, principal: string): McpSession | null {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.principal !== principal) return null;
    if (!this.#isExpired(entry)) return entry;
    this.end(id);
    return null;
  }

  /** Ends a session because its client said so; from then on `wasGivenUp` knows the id. */
  giveUp(id: string): void {
    this.end(id);
    this.#givenUp.add(id);
    if (this.#givenUp.size <= this.#limits.max) return;
    for (const oldest of this.#givenUp) {
      this.#givenUp.delete(oldest);
      return;
    }
  }

  /** Whether a client ended this session itself: it cannot be surprised that it is gone. */
  wasGivenUp(id: string): boolean {
    return this.#givenUp.has(id);
  }

  /** Answers in a session's name; it counts as in use until the answer has been sent. */
  async answer(id: string, respond: () => Promise<Response>): Promise<Response> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return respond();
    const used = (open: number) => {
      entry.open += open;
      entry.usedAt = this.#limits.clock();
      if (!this.#entries.delete(id)) return;
      this.#entries.set(id, entry);
    };
    used(1);
    try {
      return relay(await respond(), { ended: () => used(-1) });
    } catch (failure) {
      used(-1);
      throw failure;
    }
  }

  /** Ends a session and its stream. */
  end(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    entry.revoked?.removeEventListener("abort", entry.revoke);
    entry.follower.end();
    void entry.server.close();
  }

  close(): void {
    clearInterval(this.#sweeper);
    for (const id of [...this.#entries.keys()]) this.end(id);
  }

  #sweep(): void {
    for (const [id, entry] of this.#entries) if (this.#isExpired(entry)) this.end(id);
  }

  #isExpired({ open, usedAt }: Entry): boolean {
    return open === 0 && this.#limits.clock() - usedAt >= this.#limits.idleMs;
  }
}
