import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };
import { createWorld } from "../bench/children.ts";
import { chooseGenerator, hasWrk } from "../bench/load.ts";
import { isMet, Report } from "../bench/report.ts";
import { interleave, median, ratio } from "../bench/rounds.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

function reported(write: (report: Report) => void): { text: string; unmeasured: number } {
  let text = "";
  const report = new Report((more) => text += more);
  write(report);
  return { text, unmeasured: report.unmeasured };
}

Deno.test("interleave: every contender once a round in turning order, and the first round does not count", async () => {
  const order: string[] = [];
  let figure = 0;
  const contender = (name: string) => () => {
    order.push(name);
    return ++figure;
  };
  const measured = await interleave(2, { a: contender("a"), b: contender("b") });
  assert.equal(order.join(""), "abbaab");
  assert.deepEqual(measured, { a: { samples: [4, 5] }, b: { samples: [3, 6] } });
});

Deno.test("interleave: a contender that fails is out with its reason, and the others go on", async () => {
  let calls = 0;
  const measured = await interleave(3, {
    bad: () => {
      calls++;
      throw new Error("gone");
    },
    good: () => Promise.resolve(1),
  });
  assert.deepEqual(measured, { bad: { failure: "gone" }, good: { samples: [1, 1, 1] } });
  assert.equal(calls, 1);
});

Deno.test("median, ratio: the middle figure, and the middle of the rounds' own ratios", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 2, 9]), 3);
  assert.ok(Number.isNaN(median([])));
  // The machine was ten times slower in the second round, for both.
  assert.equal(ratio([2, 20, 2], [1, 10, 1]), 2);
});

Deno.test("isMet: an aim is met by its own number, and never by none", () => {
  assert.ok(isMet({ atMost: 1.2 }, 1.2) && !isMet({ atMost: 1.2 }, 1.21));
  assert.ok(isMet({ atLeast: 4 }, 4) && !isMet({ atLeast: 4 }, 3.9));
  assert.ok(!isMet({ atMost: 1 }, NaN) && !isMet({ atLeast: 1 }, NaN));
});

Deno.test("Report: a missed aim is told and is no failure, a thing not measured is one", () => {
  const base = { samples: [1, 1] };
  const missed = reported((report) =>
    report.contender("slow", { samples: [3, 3] }, String, {
      to: base,
      of: "fast",
      aim: { atMost: 2 },
    })
  );
  assert.match(missed.text, /slow +3 +3\.00 x fast +aim <= 2 MISSED\n$/);
  assert.equal(missed.unmeasured, 0);

  const absent = reported((report) => report.absent("curl", "there is no curl"));
  assert.match(absent.text, /curl +not available: there is no curl\n$/);
  assert.equal(absent.unmeasured, 0);

  const failed = reported((report) => report.contender("bad", { failure: "a\ngone" }, String));
  assert.match(failed.text, /bad +FAILED: gone\n$/);
  assert.equal(failed.unmeasured, 1);

  const alone = reported((report) =>
    report.contender("slow", base, String, { to: { failure: "gone" }, of: "fast" })
  );
  assert.match(alone.text, /FAILED: .*no fast to compare with\n$/);
  assert.equal(alone.unmeasured, 1);
});

const wrk = await hasWrk();
for (const own of [true, false]) {
  Deno.test({
    name:
      `chooseGenerator: ${own ? "our own" : "wrk"} counts what was answered, and a refusal fails` +
      (own || wrk ? "" : " (wrk is not installed)"),
    ignore: !own && !wrk,
    async fn() {
      let received = 0;
      const wanted = { "Content-Type": "application/json", "X-Odd": 'a "quoted" \\ value' };
      const body = '{"text":"ünï \\"x\\" ]==]"}';
      await using world = await createWorld();
      await using server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen() {} },
        async (request) => {
          const asked = [request.headers.get("x-odd"), await request.text()];
          if (new URL(request.url).pathname === "/refuse") return new Response("", { status: 400 });
          assert.deepEqual(asked, [wanted["X-Odd"], body]);
          received++;
          // Without a length, so that it travels in chunks.
          return new Response(new Blob(["ok"]).stream());
        },
      );
      const generator = await chooseGenerator(world, own);
      assert.equal(generator.name, own ? "bench/generator.ts" : "wrk");
      const url = `http://127.0.0.1:${server.addr.port}`;
      const seconds = own ? 0.2 : 1;
      const answers = await generator.run({ url: `${url}/`, headers: wanted, body }, 2, seconds);
      assert.ok(answers.answered > 0 && answers.answered <= received);
      assert.ok(answers.seconds >= seconds * 0.9);
      const refused = { url: `${url}/refuse`, headers: wanted, body };
      await assert.rejects(generator.run(refused, 2, seconds), /[1-9][0-9]* failed/);
    },
  });
}

Deno.test("deno task bench --quick: every line has a figure, or says that this machine lacks it", async () => {
  const [program, ...args] = manifest.tasks.bench.split(" ");
  assert.equal(program, "deno");
  const run = new Deno.Command(Deno.execPath(), { args: [...args, "--quick"], cwd: ROOT });
  const { code, stdout, stderr } = await run.output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0, text + new TextDecoder().decode(stderr));

  const figure = String.raw`(?:[0-9.,]+ (?:ms|B|KB|MB|/s)|not available: \S.*)`;
  const multiple = String.raw`(?:.*[0-9] x \S.*|.*not available: \S.*)`;
  const verdict = String.raw`(?:.*aim [<>]= [0-9.]+ (?:met|MISSED)|.*not available: \S.*)`;
  const lines: readonly (readonly [name: string, count: number, rest: string])[] = [
    ["curl", 1, figure],
    ["python3, urllib", 1, figure],
    ["python3, requests", 1, figure],
    ["event-bus publish, from sources", 1, figure],
    ["event-bus publish, built", 1, figure],
    ["  how much faster than requests", 1, verdict],
    ["bare Hono, constant JSON", 2, figure],
    ["POST /v1/publish_event", 2, multiple],
    ["POST /v1/publish_event", 1, verdict],
    ["MCP SDK, constant tool", 2, figure],
    ["POST /mcp, publish_event", 2, multiple],
    ["POST /mcp, publish_event", 1, verdict],
    ["fresh", 1, verdict],
    ["after all of this load", 1, verdict],
    ...["streams", "long-polls"].flatMap((kind) =>
      [
        [`constant, ${kind}, p50`, 2, figure],
        [`constant, ${kind}, p99`, 2, figure],
        [`${kind}, p50`, 2, multiple],
        [`${kind}, p99`, 2, verdict],
        [`  ${kind}, by a constant that is synced first`, 2, multiple],
        [`${kind}, of [0-9]+`, 1, verdict],
      ] as const
    ),
    ["a start with [0-9]+ other sessions?", 4, verdict],
    ["a prompt", 1, verdict],
    ["a prompt, nothing to say", 1, verdict],
    ["a prompt, a message to show", 1, verdict],
    ["a batch of tools, nothing to say", 1, verdict],
    ["a batch of tools, a message to show", 1, verdict],
    ["the original's way: python3, urllib", 1, figure],
    ["the original's way: python3, requests", 1, figure],
    ["  a prompt, how much faster than urllib", 1, verdict],
    ["  a prompt, how much faster than requests", 1, verdict],
    ["a start: event-bus hook, from sources", 1, figure],
    ["a start: event-bus hook, built", 1, verdict],
    ["newest page", 1, verdict],
    ["page at a cursor in the middle", 1, verdict],
    ["page of a channel, at a cursor in the middle", 1, verdict],
    ["resume and peek from the middle", 1, verdict],
    ["resume from the middle", 1, verdict],
  ];
  for (const [name, count, rest] of lines) {
    const found = text.match(new RegExp(`^  ${name} +${rest}`, "gm")) ?? [];
    assert.equal(found.length, count, `${name} in\n${text}`);
  }
  assert.match(text, /all [0-9]+ acknowledged events are in the log/);
});
