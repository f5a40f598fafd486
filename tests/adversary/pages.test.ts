/** Web pages that a user of the bus happens to open: whatever they send, nothing comes of it. */
import assert from "node:assert/strict";
import { testApp } from "../helpers/server.ts";
import { doorsOf, everythingIn, knock, withVictim } from "./doors.ts";

const JSON_TYPE = { "content-type": "application/json" };

/** Names that somebody's DNS may point at this machine, and other ways of writing its address. */
const REBOUND = [
  "evil.example",
  "evil.example:8080",
  "localhost.evil.example",
  "127.0.0.1.nip.io:8080",
  "localhost.:8080",
  "2130706433",
  "0x7f000001",
  "127.1",
  "0.0.0.0:8080",
  "[::]:8080",
  "[::ffff:10.0.0.1]",
  "localhost,evil.example",
  "localhost evil.example",
  "",
];

const FOREIGN = [
  "https://evil.example",
  "null",
  "http://localhost",
  "http://127.0.0.1:8081",
  "https://127.0.0.1:8080.evil.example",
  "file://",
  "chrome-extension://abcdefgh",
];

Deno.test("every door refuses a host that a foreign name server could have pointed here, and does nothing", async () => {
  await using app = testApp();
  await withVictim(app);
  const before = everythingIn(app);
  for (const door of doorsOf(app)) {
    for (const host of REBOUND) {
      const answer = await knock(app, door, { ...JSON_TYPE, host });
      assert.equal(answer.status, 403, `${door.method} ${door.path} at ${host}`);
      assert.equal((await answer.json()).code, "forbidden");
    }
  }
  assert.equal(everythingIn(app), before);
});

Deno.test("every door refuses a page of another origin, does nothing, and lets it read nothing", async () => {
  await using app = testApp();
  await withVictim(app);
  const before = everythingIn(app);
  for (const door of doorsOf(app)) {
    const pages = [
      ...FOREIGN.map((origin) => ({ origin })),
      ...["cross-site", "same-site"].map((site) => ({ "sec-fetch-site": site })),
    ];
    for (const page of pages) {
      const answer = await knock(app, door, { ...JSON_TYPE, ...page });
      const what = `${door.method} ${door.path} from ${JSON.stringify(page)}`;
      assert.equal(answer.status, 403, what);
      assert.equal((await answer.json()).code, "forbidden", what);
      assert.ok(![...answer.headers.keys()].some((name) => /^access-control-/.test(name)), what);
    }
  }
  assert.equal(everythingIn(app), before);
});

Deno.test("no door allows a foreign page what it asks for first", async () => {
  await using app = testApp();
  for (const { path } of doorsOf(app)) {
    const answer = await app.fetch(path, {
      method: "OPTIONS",
      headers: {
        "origin": "https://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
        "access-control-request-private-network": "true",
      },
    });
    assert.equal(answer.status, 403, path);
    await answer.body?.cancel();
    const plain = await app.fetch(path, { method: "OPTIONS" });
    assert.equal(plain.status, 404, path);
    await plain.body?.cancel();
    for (const { headers } of [answer, plain]) {
      assert.ok(![...headers.keys()].some((name) => /^access-control-/.test(name)), path);
    }
  }
});

/** What a form, a beacon or a fetch without asking first may say that it sends. */
const SIMPLE_TYPES = [
  "text/plain",
  "text/plain; application/json",
  "text/plain;charset=UTF-8",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=application/json",
  "",
];

Deno.test("every POST: what a page may send without asking first does nothing, also where no header tells the page", async () => {
  await using app = testApp();
  await withVictim(app);
  const before = everythingIn(app);
  const posts = doorsOf(app).filter(({ method }) => method === "POST");
  assert.ok(posts.length > 25, "the operations are among them");
  for (const door of posts) {
    for (const type of SIMPLE_TYPES) {
      const what = `${door.path} with ${JSON.stringify(type)}`;
      const headers = { "content-type": type };
      for (const page of [{ origin: "https://evil.example" }, { origin: "null" }]) {
        const answer = await knock(app, door, { ...headers, ...page });
        assert.equal(answer.status, 403, what);
        await answer.body?.cancel();
      }
      // Any type is the point of this one: scripts send what they have. Pages are told by the above.
      if (door.path.startsWith("/publish/")) continue;
      const answer = await knock(app, door, headers);
      assert.equal(answer.status, 415, what);
      await answer.body?.cancel();
    }
  }
  assert.equal(everythingIn(app), before);
});

Deno.test("what a page may load without asking changes nothing, also where no header tells the page", async () => {
  await using app = testApp();
  await withVictim(app);
  const before = everythingIn(app);
  const gets = doorsOf(app).filter(({ method }) => method === "GET");
  for (const { path } of gets) {
    for (
      const query of ["", "?session_id=victim&resume=true", "?operation=publish_event&payload=x"]
    ) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await app.fetch(path + query, { method });
        assert.ok(answer.status < 500, `${path} ${answer.status}`);
        await answer.body?.cancel();
      }
    }
  }
  for (const header of ["x-http-method-override", "x-http-method", "x-method-override"]) {
    const answer = await app.fetch("/v1/publish_event", { headers: { [header]: "POST" } });
    assert.equal(answer.status, 404, header);
    await answer.body?.cancel();
  }
  assert.equal(everythingIn(app), before);
});

Deno.test("the doors that these tests find do work for whoever may use them", async () => {
  await using app = testApp();
  await withVictim(app);
  const working = new Set<string>();
  for (const door of doorsOf(app).filter(({ method }) => method === "POST")) {
    if (door.path.endsWith("/wait")) continue;
    const before = everythingIn(app);
    const answer = await knock(app, door, JSON_TYPE);
    assert.ok(answer.status < 500, `${door.path} ${answer.status}`);
    await answer.text();
    if (everythingIn(app) !== before) working.add(door.path);
  }
  for (const path of ["/v1/publish_event", "/publish/all", "/mcp", "/v1/unregister_session"]) {
    assert.ok(working.has(path), path);
  }
});
