/** The server takes what waited for it in the spool of its own data folder. */
import { getLogger } from "@logtape/logtape";
import type { Bus, Caller } from "./bus.ts";
import { BusError, type ErrorCode } from "./errors.ts";
import { perform } from "./operations/perform.ts";
import { publishEvent } from "./operations/publish_event.ts";
import type { Spool } from "./spool.ts";
import { EVERY_SCOPE } from "./token.ts";

/** So much is in memory at once. */
const PART_ENTRIES = 500;
const PART_BYTES = 8 * 1024 * 1024;

/** The fault of the moment, or of us who bring it: somebody else may still deliver it. */
const LATER = new Set<ErrorCode>([
  ...["unauthenticated", "forbidden", "too_many", "unavailable"] as const,
  ...["caller_left", "internal"] as const,
]);

/** Whoever may write into this user's folder is on this machine, as this user. */
const CALLER: Caller = {
  principal: "loopback",
  scopes: EVERY_SCOPE,
  local: true,
  peer: "spool",
  path: "http",
};

const log = getLogger(["event-bus", "spool"]);

/**
 * Publishes what waits for a bus that `isHere`, oldest first, each once, and before whatever is asked
 * after this was called. What is damaged or refused is set aside; while a client is at it, that one
 * goes on. Never rejects.
 */
export async function takeSpool(
  bus: Bus,
  spool: Spool,
  isHere: (url: string) => boolean,
): Promise<void> {
  try {
    if (spool.names().length === 0) return;
    using lock = spool.lock();
    if (lock === null) return;
    let delivered = 0;
    for (let names = spool.names(); names.length > 0;) {
      const { sending, seen } = sendPart(bus, spool, names, isHere);
      for (const sent of await Promise.all(sending)) delivered += sent;
      names = names.slice(seen);
    }
    if (delivered > 0) log.info("took {delivered} events from the spool", { delivered });
  } catch (failure) {
    log.error("the spool in {folder} cannot be taken: {failure}", {
      folder: spool.folder,
      failure,
    });
  }
}

/** Hands a part of the spool to the next batch, without giving up the thread: so it stays in order. */
function sendPart(
  bus: Bus,
  spool: Spool,
  names: readonly string[],
  isHere: (url: string) => boolean,
): { sending: Promise<number>[]; seen: number } {
  const sending: Promise<number>[] = [];
  let bytes = 0;
  let seen = 0;
  for (const name of names) {
    if (sending.length >= PART_ENTRIES || bytes > PART_BYTES) break;
    seen++;
    try {
      const entry = spool.read(name);
      if (entry === null || !isHere(entry.url)) continue;
      bytes += String(entry.args.payload).length;
      sending.push(send(bus, spool, name, entry.args));
    } catch (damage) {
      setAside(spool, name, (damage as Error).message);
    }
  }
  return { sending, seen };
}

async function send(bus: Bus, spool: Spool, name: string, args: unknown): Promise<number> {
  try {
    await perform(bus, publishEvent, args, CALLER);
    spool.remove(name);
    return 1;
  } catch (failure) {
    if (failure instanceof BusError && !LATER.has(failure.code)) {
      setAside(spool, name, failure.message);
    } else log.warn("{name} stays in the spool: {failure}", { name, failure });
    return 0;
  }
}

function setAside(spool: Spool, name: string, reason: string): void {
  spool.setAside(name, reason);
  log.warn("set aside {name} of the spool: {reason}", { name, reason });
}
