/** The process: arguments in, exit code out. */
import { runCli } from "./cli/run.ts";
import { usageError } from "./cli/verb.ts";

const encoder = new TextEncoder();

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let rest = encoder.encode(text);
  while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
}

/** All of standard input; bytes that are not UTF-8 are refused, not silently replaced. */
async function readInput(): Promise<string> {
  const bytes = await new Response(Deno.stdin.readable).arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw usageError("Cannot read standard input: it is not UTF-8 text");
  }
}

Deno.exit(
  await runCli(Deno.args, {
    out: (text) => write(Deno.stdout, text),
    err: (line) => write(Deno.stderr, `${line}\n`),
    stdin: readInput,
  }),
);
