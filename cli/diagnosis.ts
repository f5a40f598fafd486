/** What the bus says of itself and of the paths to its sessions, as far as the commands show it. */
import { type Client, Refusal } from "./client.ts";
import type { WirePath } from "./format.ts";

/** What `get_diagnosis` answers. */
export interface Diagnosis {
  readonly version: string;
  readonly now: string;
  readonly started_at: string;
  readonly uptime_seconds: number;
  readonly database: {
    readonly path: string;
    readonly bytes: number;
    readonly wal_bytes: number;
    readonly free_bytes: number | null;
    readonly total_bytes: number | null;
    readonly checked_at: string | null;
  };
  readonly events: number;
  readonly sessions: readonly DiagnosedSession[];
}

export interface DiagnosedSession {
  readonly session_id: string;
  readonly display_id: string;
  readonly name: string;
  readonly machine: string;
  readonly client_id: string | null;
  readonly state: string;
  readonly state_since: string;
  /** How many events its next prompts will show it. */
  readonly unseen: number;
  readonly paths: readonly WirePath[];
  /** Whether no message would reach it unless it asks. */
  readonly deaf: boolean;
  readonly why?: string;
}

/** Asks the bus; undefined when it is too old to tell. Throws as `client.call` does otherwise. */
export async function diagnosisOf(client: Client): Promise<Diagnosis | undefined> {
  try {
    const diagnosis = await client.call<Diagnosis>("get_diagnosis", {});
    return Array.isArray(diagnosis?.sessions) ? diagnosis : undefined;
  } catch (failure) {
    if (failure instanceof Refusal && failure.body.code === "not_found") return undefined;
    throw failure;
  }
}
