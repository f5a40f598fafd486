/** Serves `handler` on a port of the system's choice and prints where, as the real server does. */
export function listen(handler: (request: Request) => Response | Promise<Response>): void {
  const onListen = ({ hostname, port }: Deno.NetAddr) => {
    const line = `listening at http://${hostname}:${port}\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(line));
  };
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, handler);
}
