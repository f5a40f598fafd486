/** One attempt: where it may go, when it counts as taken, and what it says when it is not. */
import assert from "node:assert/strict";
import { BusError } from "../../src/errors.ts";
import { createCourier } from "../../src/courier.ts";
import { checkUrl, refusedAddress } from "../../src/webhook_url.ts";
import { receiver } from "../helpers/receiver.ts";

const letter = (url: string) => ({ url, headers: { "X-A": "b" }, body: "{}" });
const at = (...addresses: string[]) => () =>
  Promise.resolve(addresses.map((address) => ({ address })));

const ALLOWED = [
  "http://localhost:9000/hook",
  "http://LOCALHOST./",
  "http://127.0.0.1/",
  "http://127.1/",
  "http://2130706433/",
  "http://[::1]:80/",
  "http://[::ffff:127.0.0.1]/",
  "http://10.0.0.1/",
  "http://172.16.0.1/",
  "http://192.168.1.10:8123/api/webhook/x",
  "http://100.64.0.7/",
  "http://[fd7a:115c:a1e0::1]/",
  "https://hooks.example.org/a?b=c#d",
  "HTTPS://EXAMPLE.ORG",
  "http://metadata.example.org/",
];

const REFUSED: readonly [url: string, why: RegExp][] = [
  ["", /an http or https URL is expected/],
  ["hook", /an http or https URL is expected/],
  ["//example.org/", /an http or https URL is expected/],
  ["file:///etc/passwd", /an http or https URL is expected/],
  ["ftp://example.org/", /an http or https URL is expected/],
  ["javascript:alert(1)", /an http or https URL is expected/],
  ["http://", /an http or https URL is expected/],
  ["http://example.org/\n", /an http or https URL is expected/],
  [" http://example.org/", /an http or https URL is expected/],
  ["http://exa\tmple.org/", /an http or https URL is expected/],
  ["http://example.org:99999/", /an http or https URL is expected/],
  ["http://user@example.org/", /a user or a password is not taken/],
  ["http://:hunter2@example.org/", /a user or a password is not taken/],
  ["http://user:hunter2@example.org/", /a user or a password is not taken/],
  [`http://example.org/${"x".repeat(2048)}`, /at most 2048 characters/],
  ["http://169.254.169.254/latest/meta-data", /metadata/],
  ["http://169.254.169.254./", /metadata/],
  ["http://2852039166/", /metadata/],
  ["http://0xa9fea9fe/", /metadata/],
  ["http://0251.0376.0251.0376/", /metadata/],
  ["http://169.254.43518/", /metadata/],
  ["http://[::ffff:169.254.169.254]/", /metadata/],
  ["http://[::ffff:a9fe:a9fe]/", /metadata/],
  ["http://[::169.254.169.254]/", /metadata/],
  ["http://[64:ff9b::169.254.169.254]/", /metadata/],
  ["http://[2002:a9fe:a9fe::1]/", /metadata/],
  ["http://[fd00:ec2::254]/", /metadata/],
  ["http://[fd00:0ec2:0:0:0:0:0:0254]/", /metadata/],
  ["http://100.100.100.200/", /metadata/],
  ["http://metadata.google.internal/computeMetadata/v1", /metadata/],
  ["http://METADATA.google.internal./", /metadata/],
  ["http://ｍetadata.google.internal/", /metadata/],
  ["http://metadata/", /metadata/],
  ["http://169.254.1.1/", /link-local/],
  ["https://[fe80::1]/", /link-local/],
  ["https://[febf::1]/", /link-local/],
  ["http://0.0.0.0:8080/", /no single machine/],
  ["http://0/", /no single machine/],
  ["http://[::]/", /no single machine/],
  ["http://[::ffff:0.0.0.0]/", /no single machine/],
  ["http://224.0.0.251/", /no single machine/],
  ["http://255.255.255.255/", /no single machine/],
  ["http://[ff02::1]/", /no single machine/],
];

Deno.test("checkUrl takes http and https to loopback, private networks and the world", () => {
  for (const url of ALLOWED) assert.equal(checkUrl(url).href, new URL(url).href, url);
});

Deno.test("checkUrl refuses every spelling of what must not be called, and shows no password", () => {
  for (const [url, why] of REFUSED) {
    assert.throws(() => checkUrl(url), (thrown) => {
      assert.ok(thrown instanceof BusError, url);
      assert.equal(thrown.code, "invalid_argument");
      assert.match(thrown.message, why, url);
      assert.doesNotMatch(thrown.message, /hunter2/);
      return true;
    }, url);
  }
});

Deno.test("refusedAddress sees through zones and carried addresses, and takes no names", () => {
  assert.equal(refusedAddress("fe80::1%eth0"), "link-local");
  assert.equal(refusedAddress("::ffff:169.254.0.1"), "link-local");
  assert.equal(refusedAddress("::ffff:0:169.254.0.1"), "link-local");
  assert.equal(refusedAddress("example.org"), "no address");
  for (
    const address of ["::1", "127.0.0.53", "2001:db8::1", "fd00::1", "1.1.1.1", "fd00:ec2::253"]
  ) {
    assert.equal(refusedAddress(address), null, address);
  }
});

Deno.test("courier: a name is called at the address that was looked at, under its own name", async () => {
  await using hook = receiver();
  let asked = 0;
  const courier = createCourier({
    lookup(host) {
      asked++;
      assert.equal(host, "hooks.test");
      return at("127.0.0.1")();
    },
  });
  const answer = await courier.post(letter(`http://hooks.test:${hook.port}/x`));
  assert.deepEqual(answer, { taken: true, status: 200, error: null, hopeless: false });
  assert.equal(asked, 1);
  assert.equal(hook.posts[0]?.headers.get("host"), `hooks.test:${hook.port}`);
  assert.equal(hook.posts[0]?.headers.get("x-a"), "b");
});

Deno.test("courier: addresses that must not be called are left out, and with no other nothing is", async () => {
  await using hook = receiver();
  const url = `http://hooks.test:${hook.port}/x`;
  const mixed = createCourier({ lookup: at("169.254.169.254", "fe80::1%eth0", "127.0.0.1") });
  assert.equal((await mixed.post(letter(url))).taken, true);
  for (
    const addresses of [["169.254.169.254"], ["::ffff:a9fe:a9fe"], ["fe80::1%1", "0.0.0.0"], ["::"]]
  ) {
    const asked: unknown[] = [];
    const courier = createCourier({
      lookup: at(...addresses),
      fetch: (...request) => {
        asked.push(request);
        return Promise.resolve(new Response());
      },
    });
    for (const scheme of ["http", "https"]) {
      const answer = await courier.post(letter(`${scheme}://hooks.test/`));
      assert.equal(answer.taken, false);
      assert.match(answer.error ?? "", /^the host is at an address that is not called: /);
      assert.equal(answer.hopeless, false, "a name may stand for another address tomorrow");
    }
    assert.deepEqual(asked, [], addresses.join());
  }
});

Deno.test("courier: when nobody listens at the first address of a name, the next one is tried", async () => {
  await using hook = receiver();
  const courier = createCourier({ lookup: at("::1", "127.0.0.1") });
  assert.equal((await courier.post(letter(`http://hooks.test:${hook.port}/`))).taken, true);
  assert.equal(hook.posts.length, 1);
});

Deno.test("courier: https never falls back to plain text", async () => {
  const heard: number[] = [];
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = (async () => {
    for await (const connection of listener) {
      const bytes = new Uint8Array(1);
      await connection.read(bytes);
      heard.push(bytes[0] ?? 0);
      connection.close();
    }
  })();
  const courier = createCourier({ lookup: at("127.0.0.1") });
  const answer = await courier.post(letter(`https://localhost:${listener.addr.port}/token`));
  assert.equal(answer.taken, false);
  assert.doesNotMatch(answer.error ?? "", /token|:\/\//);
  listener.close();
  await accepted;
  assert.ok(heard.length > 0 && heard.every((byte) => byte === 0x16), "TLS handshakes only");
});

Deno.test("courier: only 2xx is taken, and a redirect is not followed", async () => {
  let status = 0;
  await using hook = receiver(() =>
    new Response(null, { status, headers: { location: "/elsewhere" } })
  );
  const courier = createCourier();
  for (status of [200, 201, 202, 204]) {
    assert.deepEqual(await courier.post(letter(hook.url)), {
      taken: true,
      status,
      error: null,
      hopeless: false,
    });
  }
  for (status of [301, 302, 303, 304, 307, 308, 400, 401, 404, 410, 429, 500, 503]) {
    const answer = await courier.post(letter(hook.url));
    assert.deepEqual([answer.taken, answer.status, answer.hopeless], [false, status, false]);
    assert.match(answer.error ?? "", new RegExp(`^HTTP ${status}`));
  }
  assert.deepEqual([...new Set(hook.posts.map(({ path }) => path))], ["/hook"]);
});

Deno.test("courier: an endless answer is not read", async () => {
  let pulled = 0;
  await using hook = receiver(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          pulled++;
          controller.enqueue(new Uint8Array(64 * 1024));
        },
      }),
    )
  );
  assert.equal((await createCourier().post(letter(hook.url))).taken, true);
  assert.ok(pulled < 1000);
});

Deno.test("courier: whatever goes wrong is an answer in words, without the URL", async () => {
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  const fails = (failure: Error) =>
    createCourier({ lookup: at("127.0.0.1"), fetch: () => Promise.reject(failure) });
  const never = new Promise<never>(() => {});
  const enough = new AbortController();
  enough.abort();
  const cases: [courier: ReturnType<typeof createCourier>, error: RegExp][] = [
    [createCourier({ lookup: at("127.0.0.1") }), /^Connection refused/],
    [createCourier({ lookup: at() }), /^the host has no address$/],
    [
      createCourier({
        lookup: () =>
          Promise.reject(Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" })),
      }),
      /^the host's name is not known$/,
    ],
    [createCourier({ lookup: () => never, timeoutMs: 20 }), /^no answer within 0.02 s$/],
    [
      createCourier({
        lookup: at("127.0.0.1"),
        timeoutMs: 20,
        fetch: (_url, { signal }) =>
          new Promise((_resolve, reject) =>
            signal?.addEventListener("abort", () => reject(signal.reason))
          ),
      }),
      /^no answer within 0.02 s$/,
    ],
    [fails(new TypeError(`for http://hooks.test:${port}/token-x`)), /^the request failed$/],
    [fails(new TypeError("fetch failed", { cause: new Error("a: b\r\nc") })), /^b {2}c$/],
  ];
  for (const [courier, error] of cases) {
    const answer = await courier.post(letter(`http://hooks.test:${port}/token-x`));
    assert.deepEqual([answer.taken, answer.status, answer.hopeless], [false, null, false]);
    assert.match(answer.error ?? "", error);
    assert.doesNotMatch(answer.error ?? "", /token-x/);
  }
  const stopped = await createCourier({ lookup: () => never })
    .post(letter("http://hooks.test/"), enough.signal);
  assert.equal(stopped.error, "given up: the bus is stopping");
  const hopeless = await createCourier().post(letter("http://169.254.169.254/token-x"));
  assert.deepEqual([hopeless.taken, hopeless.hopeless], [false, true]);
  assert.doesNotMatch(hopeless.error ?? "", /token-x/);
});
