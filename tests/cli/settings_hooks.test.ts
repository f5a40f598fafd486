/** Our hooks in other people's settings.json: what is theirs stays as they wrote it, byte for byte. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { busOf, DEFAULT_TARGET, hooksFor, isOurs } from "../../cli/service/hooks.ts";
import { JsonText } from "../../cli/service/json_text.ts";
import { emptyContainers, withHooks, withoutHooks } from "../../cli/service/settings_hooks.ts";

const OURS = hooksFor(DEFAULT_TARGET);
const ELSEWHERE = hooksFor({ url: "http://100.64.0.1:9090", program: "/h/.local/bin/event-bus" });

const handler = fc.oneof(
  fc.record({ type: fc.constant("command"), command: fc.string() }),
  fc.constant({ type: "http", url: "http://127.0.0.1:9999/hooks/claude-code" }),
  fc.constant({ type: "command", command: "event-bus-cli", args: ["hook"] }),
  fc.jsonValue(),
);
const group = fc.oneof(
  { weight: 4, arbitrary: fc.record({ matcher: fc.string(), hooks: fc.array(handler) }) },
  { weight: 4, arbitrary: fc.record({ hooks: fc.array(handler) }) },
  { weight: 1, arbitrary: fc.jsonValue() },
);
const event = fc.oneof(
  fc.constantFrom(...Object.keys(OURS), "PreToolUse", "7", "valueOf", "__proto__"),
  fc.string(),
);
const settings = fc.record({
  before: fc.dictionary(fc.string(), fc.jsonValue()),
  hooks: fc.option(fc.dictionary(event, fc.array(group, { maxLength: 3 })), { nil: undefined }),
  after: fc.dictionary(fc.string(), fc.jsonValue()),
}).map(({ before, hooks, after }) => ({
  ...before,
  hooks,
  ...Object.fromEntries(Object.entries(after).filter(([key]) => key !== "hooks")),
}));

/** As JSON.stringify lays it out, by whatever indentation; then with other line ends. */
const tidy = fc.tuple(settings, fc.constantFrom(0, 1, 2, 4, "\t"), fc.constantFrom("", "\n"))
  .map(([value, indent, end]) => JSON.stringify(value, null, indent) + end)
  .chain((text) => fc.constantFrom(text, text.replaceAll("\n", "\r\n")));

/** With white space wherever JSON allows it. */
const untidy = fc.tuple(
  settings,
  fc.array(fc.constantFrom("", " ", "\n", "\n  ", "\t", "\r\n"), { minLength: 1 }),
).map(([value, gaps]) => {
  let i = 0;
  const gap = () => gaps[i++ % gaps.length];
  return tokens(JSON.stringify(value)).map((token) => gap() + token).join("") + gap();
});

const tokens = (text: string): string[] =>
  text.match(/"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+/g) ?? [];

function inAndOut(before: string): { within: JsonText; after: JsonText } {
  const text = new JsonText(before);
  const wasEmpty = emptyContainers(text);
  const within = withHooks(withHooks(text, ELSEWHERE, wasEmpty), OURS, wasEmpty);
  return { within, after: withoutHooks(within, wasEmpty) };
}

// deno-lint-ignore no-explicit-any -- settings may hold anything
const valueOf = ({ value }: JsonText): any => value;

/** What is ours in settings, by event. */
function oursIn(text: JsonText): Record<string, unknown[]> {
  // deno-lint-ignore no-explicit-any -- groups may be anything
  const of = (groups: any[]) => groups.flatMap((group) => group?.hooks ?? []).filter(isOurs);
  return Object.fromEntries(
    Object.entries<unknown[]>(valueOf(text).hooks)
      .map(([name, groups]) => [name, of(groups)])
      .filter(([, found]) => found?.length),
  );
}

const WANTED = Object.fromEntries(
  Object.entries(OURS).map(([name, groups]) => [name, groups.flatMap(({ hooks }) => hooks)]),
);

Deno.test("withHooks then withoutHooks gives tidy settings back byte for byte, whatever they are", () => {
  fc.assert(fc.property(tidy, (before) => {
    const { within, after } = inAndOut(before);
    assert.deepEqual(oursIn(within), WANTED);
    assert.equal(after.text, before);
  }));
});

Deno.test("withHooks then withoutHooks keeps every token and its order in untidy settings", () => {
  fc.assert(fc.property(untidy, (before) => {
    const { within, after } = inAndOut(before);
    assert.deepEqual(oursIn(within), WANTED);
    assert.deepEqual(tokens(after.text), tokens(before));
  }));
});

Deno.test("withHooks twice changes nothing more, and another address takes the same places", () => {
  fc.assert(fc.property(tidy, (before) => {
    const once = withHooks(new JsonText(before), OURS);
    assert.equal(withHooks(once, OURS).text, once.text);
    const there = withHooks(once, ELSEWHERE);
    assert.equal(withHooks(there, OURS).text, once.text);
  }));
});

Deno.test("withHooks keeps what JSON.parse would lose: order, long numbers, names said twice", () => {
  const before =
    '{\n\t"b": 12345678901234567890,\n\t"1": 1e400,\n\t"b": 2,\n\t"__proto__": {}\n}\n';
  const { within, after } = inAndOut(before);
  assert.ok(within.text.startsWith(before.slice(0, before.length - 3)));
  assert.match(within.text, /^\t"hooks": \{\n\t\t"SessionStart": \[\n\t\t\t\{$/m);
  assert.equal(after.text, before);
});

Deno.test("withHooks puts our hooks behind those that are there, and leaves their groups alone", () => {
  const theirs = { matcher: "*", hooks: [{ type: "command", command: "say done" }] };
  const text = new JsonText(JSON.stringify({ hooks: { Stop: [theirs] }, model: "opus" }, null, 4));
  const { hooks, model } = valueOf(withHooks(text, OURS));
  assert.deepEqual(hooks.Stop, [theirs, ...OURS.Stop ?? []]);
  assert.equal(model, "opus");
  assert.deepEqual(Object.keys(hooks), [
    "Stop",
    ...Object.keys(OURS).filter((name) => name !== "Stop"),
  ]);
});

Deno.test("withHooks replaces an older set of ours in place and drops events that we left", () => {
  const old = { type: "command", command: "/old/event-bus", args: ["hook", "--was"] };
  const shell = { type: "command", command: '"/a b/event-bus" hook --wake', timeout: 3 };
  const theirs = { type: "command", command: "mine" };
  const text = new JsonText(JSON.stringify({
    hooks: {
      SubagentStop: [{ hooks: [old] }],
      PreToolUse: [{ matcher: "Bash", hooks: [old, theirs] }],
      Stop: [{ hooks: [theirs, shell] }],
    },
  }));
  const { hooks } = valueOf(withHooks(text, OURS));
  assert.ok(!("SubagentStop" in hooks));
  assert.deepEqual(hooks.PreToolUse, [{ matcher: "Bash", hooks: [theirs] }]);
  const [post, listen] = WANTED.Stop ?? [];
  assert.deepEqual(hooks.Stop, [{ hooks: [theirs, post] }, { hooks: [listen] }]);
});

Deno.test("hooksFor: every hook leads to the one bus, also those that run a command", () => {
  const url = "http://100.64.0.1:9090/event-bus";
  const handlers = Object.values(hooksFor({ url, program: "event-bus" }))
    .flat().flatMap(({ hooks }) => hooks);
  assert.deepEqual(new Set(handlers.map(busOf)), new Set([url]));
  assert.deepEqual(
    new Set(handlers.filter(({ type }) => type === "command").map(({ args }) => String(args))),
    new Set([`hook,--url,${url}`, `hook,--wake,--url,${url}`]),
  );
});

Deno.test("busOf: a command of an older version leads to where the settings say", () => {
  assert.equal(busOf({ type: "command", command: "event-bus", args: ["hook", "--wake"] }), null);
  assert.equal(busOf({ type: "command", command: "event-bus hook" }), null);
  assert.equal(
    busOf({ type: "command", command: "event-bus hook --url http://x:1" }),
    "http://x:1",
  );
});

Deno.test("isOurs knows our hooks of any version and address, and nobody else's", () => {
  for (const ours of [OURS, ELSEWHERE]) {
    Object.values(ours).flat().flatMap(({ hooks }) => hooks).forEach((hook) =>
      assert.ok(isOurs(hook), JSON.stringify(hook))
    );
  }
  const older = [
    { type: "command", command: "/h/event-bus", args: ["hook"] },
    { type: "command", command: "/h/event-bus", args: ["hook", "--wake"] },
    { type: "command", command: "'/a b/event-bus' hook --wake" },
    { type: "command", command: "event-bus hook --wake --url http://127.0.0.1:8080" },
  ];
  for (const hook of older) assert.ok(isOurs(hook), JSON.stringify(hook));
  const others = [
    { type: "http", url: "http://127.0.0.1:8080/hooks/claude-code" },
    { type: "http", url: "http://127.0.0.1/x", allowedEnvVars: ["EVENT_BUS_TOKEN"] },
    { type: "command", command: "event-bus", args: ["publish"] },
    { type: "command", command: "event-bus publish --type hook" },
    { type: "command", command: "my-event-bus", args: ["hook"] },
    { type: "command", command: "event-bus-cli", args: ["hook"] },
    { type: "prompt", prompt: "event-bus hook" },
    null,
    "event-bus hook",
  ];
  for (const hook of others) assert.ok(!isOurs(hook), JSON.stringify(hook));
});

Deno.test("hooksFor waits for a bus of this machine for less than a prompt takes, for others a second", () => {
  const timeout = (url: string) => {
    const [group] = hooksFor({ url, program: "event-bus" }).UserPromptSubmit ?? [];
    return group?.hooks[0]?.timeout;
  };
  assert.deepEqual(
    ["http://127.0.0.1:8080", "http://[::1]:8080", "http://100.64.0.1:8080"].map(timeout),
    [0.3, 0.3, 1],
  );
});
