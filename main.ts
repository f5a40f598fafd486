/** The process: arguments in, exit code out. */
import { runCli } from "./cli/run.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let rest = encoder.encode(text);
  while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
}

Deno.exit(
  await runCli(Deno.args, {
    out: (text) => write(Deno.stdout, text),
    err: (line) => write(Deno.stderr, `${line}\n`),
    stdin: async () => decoder.decode(await new Response(Deno.stdin.readable).arrayBuffer()),
  }),
);
