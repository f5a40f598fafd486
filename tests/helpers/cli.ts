/** The command line in this process, with streams and an environment that tests hold in their hands. */
import { runCli } from "../../cli/run.ts";
import { envOf, type Home } from "./home.ts";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CliOptions {
  readonly home: Home;
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  /** Stands in for standard output; may throw as a closed pipe does. */
  readonly out?: (text: string) => void;
}

/** Runs one command line to its end. */
export async function cli(args: readonly string[], options: CliOptions): Promise<Ended> {
  let out = "";
  let err = "";
  const terminal = {
    out: options.out ?? ((text: string) => void (out += text)),
    err: (line: string) => void (err += `${line}\n`),
    stdin: () => Promise.resolve(options.stdin ?? ""),
  };
  const code = await runCli(args, terminal, envOf(options.home, options.env));
  return { code, out, err };
}

export interface Asked {
  readonly path: string;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- looked at field by field
  readonly body: any;
}

export interface StandIn extends AsyncDisposable {
  readonly url: string;
  readonly asked: Asked[];
}

/** A server that notes what it is asked, and answers what it is told to. */
export function standIn(
  answer: (asked: Asked) => Response | Promise<Response> = () => Response.json({}),
): StandIn {
  const asked: Asked[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const text = await request.text();
      const { pathname: path } = new URL(request.url);
      const one = { path, headers: request.headers, body: text === "" ? null : JSON.parse(text) };
      asked.push(one);
      return await answer(one);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    asked,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
