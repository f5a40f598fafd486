/** A line to a server that tests can cut, and lay to another server. */
export interface Wire extends AsyncDisposable {
  readonly url: string;
  /** How many connections have begun. */
  readonly connections: number;
  /** How many bytes of answers have gone through. */
  readonly answered: number;
  /** Where new connections go; null when nobody is there. */
  target: string | null;
  /** After so many bytes of answers a new connection breaks. */
  breaksAfter: () => number;
  /** Breaks every connection that there is. */
  cut(): void;
}

export function wireTo(target: string | null): Wire {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const running = new Set<Promise<void>>();
  let connections = 0;
  let answered = 0;

  const close = (connection: Deno.Conn) => {
    if (open.delete(connection)) connection.close();
  };

  /** Passes bytes on until either side ends or `most` are through. */
  async function pump(from: Deno.Conn, to: Deno.Conn, most: number, isAnswer: boolean) {
    const buffer = new Uint8Array(16 * 1024);
    try {
      for (let through = 0; through < most;) {
        const size = await from.read(buffer.subarray(0, Math.min(buffer.length, most - through)));
        if (size === null) break;
        for (let sent = 0; sent < size;) sent += await to.write(buffer.subarray(sent, size));
        through += size;
        if (isAnswer) answered += size;
      }
    } catch {
      // It was cut, or one of its ends is gone: either way it is over.
    }
    close(from);
    close(to);
  }

  async function relay(near: Deno.Conn): Promise<void> {
    open.add(near);
    if (wire.target === null) return close(near);
    const { hostname, port } = new URL(wire.target);
    const most = wire.breaksAfter();
    try {
      const far = await Deno.connect({ hostname, port: Number(port) });
      open.add(far);
      await Promise.all([pump(near, far, Infinity, false), pump(far, near, most, true)]);
    } catch {
      close(near);
    }
  }

  const accepting = (async () => {
    for await (const connection of listener) {
      connections++;
      const one = relay(connection).finally(() => running.delete(one));
      running.add(one);
    }
  })();

  const wire: Wire = {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    get connections() {
      return connections;
    },
    get answered() {
      return answered;
    },
    target,
    breaksAfter: () => Infinity,
    cut() {
      for (const connection of [...open]) close(connection);
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      wire.cut();
      await Promise.all(running);
    },
  };
  return wire;
}
