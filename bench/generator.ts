/**
 * A load generator for where there is no wrk: keeps some connections busy with one request for some
 * seconds and prints what it counted as JSON. Reads from the socket itself, because `fetch` would
 * be slower than the servers that it measures.
 */
import type { Answers, Target } from "./load.ts";

interface Task {
  readonly target: Target;
  readonly connections: number;
  readonly seconds: number;
}

const END_OF_HEADERS = "\r\n\r\n";
/** One character a byte, so that a text is as long as what was received. */
const LATIN_1 = new TextDecoder("latin1");

async function generate({ target, connections, seconds }: Task): Promise<Answers> {
  const request = requestOf(target);
  const { hostname, port } = new URL(target.url);
  const started = performance.now();
  const end = started + seconds * 1000;
  const answers = { answered: 0, failed: 0 };
  await Promise.all(Array.from({ length: connections }, async () => {
    try {
      using connection = await Deno.connect({ hostname, port: Number(port) });
      while (performance.now() < end) {
        await connection.write(request);
        if (!(await isAnswered(connection))) answers.failed++;
        else answers.answered++;
      }
    } catch {
      answers.failed++;
    }
  }));
  return { ...answers, seconds: (performance.now() - started) / 1000 };
}

function requestOf({ url, headers, body }: Target): Uint8Array {
  const { host, pathname, search } = new URL(url);
  const bytes = new TextEncoder().encode(body);
  const lines = [
    `POST ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    `Content-Length: ${bytes.length}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  const head = new TextEncoder().encode(lines.join("\r\n") + END_OF_HEADERS);
  const request = new Uint8Array(head.length + bytes.length);
  request.set(head);
  request.set(bytes, head.length);
  return request;
}

/** Reads one answer to its end and says whether it is a 2xx. */
async function isAnswered(connection: Deno.Conn): Promise<boolean> {
  const chunk = new Uint8Array(16 * 1024);
  let text = "";
  for (let expected = Infinity; text.length < expected;) {
    const size = await connection.read(chunk);
    if (size === null) throw new Error("The server closed the connection");
    text += LATIN_1.decode(chunk.subarray(0, size));
    const body = text.indexOf(END_OF_HEADERS) + END_OF_HEADERS.length;
    if (body < END_OF_HEADERS.length) continue;
    const length = text.slice(0, body).match(/^content-length: *([0-9]+)/im)?.[1];
    if (length !== undefined) expected = body + Number(length);
    // Without a length it comes in chunks, and an empty one is the last.
    else if (text.endsWith(`0${END_OF_HEADERS}`)) expected = text.length;
  }
  return /^HTTP\/1\.1 2/.test(text);
}

if (import.meta.main) {
  const answers = await generate(JSON.parse(Deno.args[0] ?? "") as Task);
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(answers)}\n`));
}
