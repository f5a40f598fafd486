/** Reads a stream on across whatever happens to the connection: without a gap, without a repeat. */
import { type Client, Refusal } from "./client.ts";
import type { WireEvent } from "./format.ts";
import { CliError, EXIT } from "./verb.ts";

/** What came: an event, or only word that everything through `id` was looked at. */
export interface Step {
  readonly id: string;
  readonly event: WireEvent | null;
}

/** What a stream is asked for: the filters of `get_events`. */
export type Asked = Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

export interface Following {
  /** Ends it, quietly. */
  readonly signal: AbortSignal;
  /** The bus is gone for a while; said once until it is back. */
  away?(failure: Error): void;
  back?(): void;
  /** What was asked for through an id has left the log. */
  archived?(through: string): void;
  /** The first pause before it is looked for again; then longer ones, up to ten seconds. */
  readonly pauseMs?: number;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/**
 * The events that match, as they come. What cannot be had at the first contact is thrown; after
 * that, a bus that cannot be reached is waited for, and any other refusal is thrown.
 */
export async function* follow(
  client: Client,
  asked: Asked,
  { signal, away, back, archived, pauseMs = FIRST_PAUSE_MS }: Following,
): AsyncGenerator<Step, void, void> {
  const path = `/v1/events/stream${queryOf(asked)}`;
  let last: string | undefined;
  let failures = 0;
  let met = false;
  while (!signal.aborted) {
    let failure: Error = new CliError("The connection ended", EXIT.unreachable);
    try {
      const pieces = await client.stream(path, last, signal);
      met = true;
      for await (const { event, id, data } of blocksOf(pieces)) {
        if (event === "end") throw new Refusal(JSON.parse(data));
        if (failures > 0) back?.();
        failures = 0;
        if (event === "archived") archived?.((JSON.parse(data) as { through: string }).through);
        if (id === undefined) continue;
        last = id;
        yield { id, event: data === "" ? null : JSON.parse(data) as WireEvent };
      }
    } catch (thrown) {
      failure = thrown as Error;
    }
    if (signal.aborted) return;
    if (!met || !isAway(failure)) throw failure;
    if (failures++ === 0) away?.(failure);
    await pause(pauseMs, failures, signal);
  }
}

/** Whether a failure may pass: the bus cannot be reached, is stopping, or has no room now. */
export function isAway(failure: unknown): boolean {
  return failure instanceof Refusal
    ? failure.body.code === "unavailable"
    : failure instanceof CliError && failure.exit === EXIT.unreachable;
}

function queryOf(asked: Asked): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(asked)) {
    if (value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

interface Block {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** The blocks of server-sent events, each as soon as it is whole. */
export async function* blocksOf(pieces: AsyncIterable<string>): AsyncGenerator<Block, void, void> {
  let rest = "";
  for await (const piece of pieces) {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) yield blockOf(block);
  }
}

function blockOf(text: string): Block {
  const fields: Record<string, string> = {};
  for (const line of text.split("\n")) {
    // A line ends with LF alone: JSON leaves the other separators as they are.
    const [, name, value] = line.match(/^(id|event|data): ?(.*)$/s) ?? [];
    if (name !== undefined && value !== undefined) fields[name] = value;
  }
  return { event: fields.event ?? "", id: fields.id, data: fields.data ?? "" };
}

/** Longer after each failure, and never the same for everybody who lost the bus at once. */
function pause(firstMs: number, failures: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(firstMs * 2 ** (failures - 1), LONGEST_PAUSE_MS);
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, longest * (0.5 + Math.random() / 2));
    signal.addEventListener("abort", done, { once: true });
  });
}
