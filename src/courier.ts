/** Makes the POSTs of webhooks: one attempt each, within its time, to nowhere it must not go. */
import { lookup as lookUp } from "node:dns/promises";
import { BusError } from "./errors.ts";
import { checkUrl, hostOf, isLiteral, refusedAddress } from "./webhook_url.ts";

/** One POST. */
export interface Letter {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** How an attempt ended; taken means that the receiver answered with 2xx. */
export interface Answer {
  readonly taken: boolean;
  readonly status: number | null;
  /** Why it was not taken, in words without the URL: its path may be a secret of the receiver. */
  readonly error: string | null;
  /** Whether no further attempt can end differently: the URL itself is not allowed. */
  readonly hopeless: boolean;
}

export interface Courier {
  /** Attempts one POST and never throws. `signal` gives it up before its time. */
  post(letter: Letter, signal?: AbortSignal): Promise<Answer>;
}

export interface CourierParts {
  readonly fetch: (url: URL, init: RequestInit & { client?: Deno.HttpClient }) => Promise<Response>;
  /** The addresses that a name stands for. */
  readonly lookup: (host: string) => Promise<readonly { address: string }[]>;
  readonly timeoutMs: number;
}

/** A receiver that needs longer should answer first and work then. */
const ATTEMPT_MS = 10_000;

/** Why nothing was sent, in words that are told as they are. */
class NotSent extends Error {}

/** A courier; tests bring a network of their own. */
export function createCourier(parts: Partial<CourierParts> = {}): Courier {
  const network: CourierParts = {
    fetch: (url, init) => fetch(url, init),
    lookup: (host) => lookUp(host, { all: true }),
    timeoutMs: ATTEMPT_MS,
    ...parts,
  };
  return {
    async post(letter, signal) {
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), network.timeoutMs);
      const over = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]);
      try {
        return answered(await attempt(network, letter, over));
      } catch (failure) {
        if (late.signal.aborted) return failed(`no answer within ${network.timeoutMs / 1000} s`);
        if (over.aborted) return failed("given up: the bus is stopping");
        return failed(reasonOf(failure), failure instanceof BusError);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function answered(status: number): Answer {
  if (status >= 200 && status < 300) {
    return { taken: true, status, error: null, hopeless: false };
  }
  const redirect = status >= 300 && status < 400 ? ", a redirect, which is not followed" : "";
  return { ...failed(`HTTP ${status}${redirect}`), status };
}

function failed(error: string, hopeless = false): Answer {
  return { taken: false, status: null, error, hopeless };
}

/** The status that the receiver answers. */
async function attempt(network: CourierParts, letter: Letter, over: AbortSignal): Promise<number> {
  const url = checkUrl(letter.url);
  const addresses = await addressesOf(network, url, over);
  const init = {
    method: "POST",
    headers: { ...letter.headers },
    body: letter.body,
    redirect: "manual" as const,
    signal: over,
  };
  // Whoever holds a certificate for the name is who was meant, whatever the name stands for by now.
  if (url.protocol === "https:") return await statusOf(network.fetch(url, init));
  let failure: unknown;
  for (const address of addresses) {
    // The very address that was looked at: asked again, the name could stand for another.
    using client = clientTo(address, url);
    try {
      return await statusOf(network.fetch(url, { ...init, client }));
    } catch (thrown) {
      if (over.aborted || !neverConnected(thrown)) throw thrown;
      failure = thrown;
    }
  }
  throw failure;
}

/** What a host stands for and may be called; throws when there is nothing. */
async function addressesOf(
  { lookup }: CourierParts,
  url: URL,
  over: AbortSignal,
): Promise<readonly string[]> {
  const host = hostOf(url);
  if (isLiteral(host)) return [host];
  const found = await until(over, lookup(host));
  const allowed = found.filter(({ address }) => refusedAddress(address) === null);
  const [first] = found;
  if (first === undefined) throw new NotSent("the host has no address");
  if (allowed.length === 0) {
    throw new NotSent(
      `the host is at an address that is not called: ${refusedAddress(first.address)}`,
    );
  }
  return allowed.map(({ address }) => address);
}

function clientTo(address: string, url: URL): Deno.HttpClient {
  const hostname = address.includes(":") ? `[${address}]` : address;
  const port = Number(url.port || 80);
  return Deno.createHttpClient({ proxy: { transport: "tcp", hostname, port } });
}

/** The status alone: what else the receiver says is not read. */
async function statusOf(responding: Promise<Response>): Promise<number> {
  const response = await responding;
  await response.body?.cancel();
  return response.status;
}

/** Only then is it certain that nobody has got anything, and the next address may be tried. */
function neverConnected(failure: unknown): boolean {
  return /client error \(Connect\)/.test(`${rootOf(failure).message}`);
}

function reasonOf(failure: unknown): string {
  if (failure instanceof BusError || failure instanceof NotSent) return failure.message;
  const { message, code } = rootOf(failure) as Error & { code?: string };
  if (code === "ENOTFOUND") return "the host's name is not known";
  // The runtime's message repeats the URL before it comes to the point.
  const point = message.split(": ").at(-1) ?? "";
  return (/:\/\//.test(point) ? "the request failed" : point).replace(/\p{Cc}/gu, " ").slice(
    0,
    200,
  );
}

function rootOf(failure: unknown): Error {
  const { cause } = failure as Error;
  return cause instanceof Error ? rootOf(cause) : failure as Error;
}

/** What `work` resolves to, or a rejection as soon as the time is over; a look-up cannot be aborted. */
function until<T>(over: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(new Error("given up"));
    if (over.aborted) leave();
    over.addEventListener("abort", leave, { once: true });
    work.then(resolve, reject).finally(() => over.removeEventListener("abort", leave));
  });
}
