/** Delivers what waits in the spool, before anything newer is published. */
import type { Spool } from "../src/spool.ts";
import { Refusal } from "./client.ts";
import { safeLine } from "./format.ts";
import { type Cli, CliError } from "./verb.ts";

/** A call that finds a long spool does some of it, and leaves the rest to the next one. */
const MAX_ENTRIES = 200;
const MAX_MS = 5000;

/** The fault of the caller or of the moment, and not of the event: it waits on. */
const LATER = new Set(["unauthenticated", "too_many", "unavailable", "caller_left", "internal"]);

/**
 * Publishes what waits for this bus, oldest first, each once; leaves it to another process that is at
 * it. What is damaged or refused is set aside and told. Throws when the bus cannot be reached.
 */
export async function deliverSpool(spool: Spool, cli: Pick<Cli, "client" | "err">): Promise<void> {
  try {
    await deliver(spool, cli);
  } catch (failure) {
    if (failure instanceof CliError) throw failure;
    // Whatever is wrong with the folder, it must not keep the newest event from its bus.
    cli.err(`Cannot deliver the spool ${spool.folder}: ${safeLine((failure as Error).message)}`);
  }
}

async function deliver(spool: Spool, { client, err }: Pick<Cli, "client" | "err">): Promise<void> {
  if (spool.names().length === 0) return;
  using lock = spool.lock();
  if (lock === null) return;
  const setAside = (name: string, reason: string) => {
    spool.setAside(name, reason);
    err(`Set aside what waited in ${spool.folder}/${name}: ${safeLine(reason)}`);
  };
  const end = performance.now() + MAX_MS;
  let delivered = 0;
  for (const name of spool.names()) {
    if (delivered >= MAX_ENTRIES || performance.now() > end) break;
    let entry: ReturnType<Spool["read"]>;
    try {
      entry = spool.read(name);
    } catch (damage) {
      setAside(name, (damage as Error).message);
      continue;
    }
    if (entry === null || entry.url !== client.base) continue;
    try {
      await client.call("publish_event", entry.args);
      spool.remove(name);
      delivered++;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (LATER.has(refusal.body.code)) break;
      setAside(name, refusal.message);
    }
  }
  if (delivered > 0) {
    err(`Delivered ${delivered} ${delivered === 1 ? "event" : "events"} from the spool`);
  }
}
