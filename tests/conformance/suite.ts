/** Runs the conformance suite against a server that is wired like the real one. */
import { createHookDoor } from "../../src/hooks/door.ts";
import { createApp } from "../../src/http/app.ts";
import type { McpDoorOptions } from "../../src/mcp/door.ts";
import { OPERATIONS } from "../../src/operations/all.ts";
import { harness, VERSION } from "../mcp/harness.ts";

/** The pinned suite; its frozen requirement sets are those of the two eras that we serve. */
const SUITE = "npm:@modelcontextprotocol/conformance@0.2.0-alpha.12";
export const REVISIONS = ["2025-11-25", "2026-07-28"] as const;
export type Revision = (typeof REVISIONS)[number];

export interface Score {
  passed: number;
  failed: number;
}

export interface Verdict {
  /** By scenario, in the order of the run. */
  readonly scores: ReadonlyMap<string, Score>;
  /** Whether the suite calls the server conformant: every scenario that it scores has passed. */
  readonly conformant: boolean;
  readonly output: string;
}

/** The suite's verdict on our app and MCP door, with `extend` mounted on every MCP server. */
export async function judge(
  revision: Revision,
  extend?: NonNullable<McpDoorOptions["extend"]>,
): Promise<Verdict> {
  await using bus = harness(extend === undefined ? {} : { extend });
  const app = createApp({
    bus: bus.bus,
    operations: OPERATIONS,
    version: VERSION,
    rules: { exposed: false, token: null, allowedHosts: [], allowedOrigins: [] },
    mcp: bus.door.fetch,
    hooks: createHookDoor({ bus: bus.bus, digestChars: 2000, outage: null }),
    health: () => ({ status: "ok" }),
  });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request, info) => app.fetch(request, { peer: info.remoteAddr.hostname }),
  );
  try {
    return await run(revision, `http://127.0.0.1:${server.addr.port}/mcp`);
  } finally {
    await bus.door.close();
    await server.shutdown();
  }
}

async function run(revision: Revision, url: string): Promise<Verdict> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-net=127.0.0.1", "--allow-read", "--allow-env", "--allow-sys"],
      ...[SUITE, "server", "--url", url, "--requirements", revision],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const output = decoder.decode(stdout) + decoder.decode(stderr);
  const scores = new Map<string, Score>();
  for (const [, name, passed, failed] of output.matchAll(SUMMARY_LINE)) {
    scores.set(name as string, { passed: Number(passed), failed: Number(failed) });
  }
  return { scores, conformant: success, output };
}

const SUMMARY_LINE = /^[✓✗] ([\w-]+): (\d+) passed, (\d+) failed/gm;
