/**
 * The bus: the log, the bell, and the few things of the outside world that the rules need. The
 * rules themselves are plain synchronous functions in `src/bus/`, one file per noun.
 */
import type { Archive } from "./archive.ts";
import { type Bell, createBell } from "./bell.ts";
import { createCredentials, type Credentials } from "./bus/credentials.ts";
import { createSharing, type Sharing } from "./bus/sharing.ts";
import { type Courier, createCourier } from "./courier.ts";
import type { Path } from "./delivery.ts";
import type { Desktop } from "./desktop.ts";
import type { EventFilter } from "./filter.ts";
import { createLimits, DEFAULT_LIMITS, type Limits, type LimitValues } from "./limits.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createReaders, type Readers } from "./readers.ts";
import type { SessionProcess } from "./session.ts";
import type { Store } from "./store/open.ts";
import type { Scope } from "./token.ts";

export interface Bus {
  readonly store: Store;
  /** Where events go that leave the log; null when they cannot, as there is no folder for them. */
  readonly archive: Archive | null;
  /** The tokens that are valid now. */
  readonly credentials: Credentials;
  readonly bell: Bell;
  readonly shared: Sharing;
  /** Rung when a webhook came, went, was paused or resumed: who sends to them looks only then. */
  readonly webhookBell: Bell;
  readonly courier: Courier;
  readonly desktop: Desktop;
  readonly limits: Limits;
  readonly metrics: Metrics;
  /** Whether known credentials are masked before they are stored. */
  readonly masksSecrets: boolean;
  readonly readers: Readers;
  /** Since when it is there, in epoch milliseconds: what is kept in memory goes no further back. */
  readonly startedAt: number;
  /** What was last shown without being marked, by consumer; an acknowledgement goes by it. */
  readonly peeks: Map<string, Peek>;
  /** This machine's name and folder: stand in for what a local caller left out. */
  readonly machine: string;
  readonly cwd: string;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly uuid: () => string;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Whether a process of this machine exists, and is still the one that started then. */
  readonly isAlive: (process: SessionProcess) => boolean;
}

/** What a bus is made of; the rest of it begins empty. */
export type BusParts =
  & Omit<
    Bus,
    | "archive"
    | "credentials"
    | "bell"
    | "shared"
    | "webhookBell"
    | "courier"
    | "limits"
    | "metrics"
    | "masksSecrets"
    | "readers"
    | "startedAt"
    | "peeks"
  >
  & {
    courier?: Courier;
    limits?: LimitValues;
    masksSecrets?: boolean;
    archive?: Archive | null;
  };

export function createBus(parts: BusParts): Bus {
  const bell = createBell();
  return {
    archive: null,
    courier: createCourier(),
    masksSecrets: true,
    ...parts,
    limits: createLimits(parts.limits ?? DEFAULT_LIMITS, parts.clock),
    metrics: createMetrics(),
    credentials: createCredentials(parts.store, parts.clock),
    bell,
    shared: createSharing(bell),
    webhookBell: createBell(),
    readers: createReaders(),
    startedAt: parts.clock(),
    peeks: new Map(),
  };
}

/** A page that was shown and not yet acknowledged. */
export interface Peek {
  readonly through: number;
  readonly filter: EventFilter;
}

/** Who is calling, as the door found out; nothing here is the caller's own claim. */
export interface Caller {
  readonly principal: string;
  /** What it may do. */
  readonly scopes: ReadonlySet<Scope>;
  /** On this very machine, with nothing in between. */
  readonly local: boolean;
  /** The address at the other end. */
  readonly peer: string;
  /** By which way out what it reads leaves. */
  readonly path: Path;
  /** Looks at what a session has not read without being it: no sign of life, and nothing shown. */
  readonly looksOn?: boolean;
  /** Tells a caller that waits that it still does. */
  readonly progress?: () => void;
  /** Aborts when the caller leaves. */
  readonly signal?: AbortSignal;
  /** Aborts when the token that it called with is over: what goes on for long ends then. */
  readonly revoked?: AbortSignal;
}

/**
 * What one call may use. Time and fresh ids come from here alone, so that a recorded call replays
 * to the same state.
 */
export interface Call {
  readonly caller: Caller;
  readonly now: number;
  readonly uuid: () => string;
  readonly random: () => number;
  /** Runs `effect` when what the call wrote is durable; at once for a call that writes nothing. */
  readonly afterCommit: (effect: () => void) => void;
}
