import assert from "node:assert/strict";
import { openApi } from "../../src/http/openapi.ts";
import { OPERATIONS } from "../../src/operations/all.ts";
import { testApp } from "../helpers/server.ts";

type Json = { [key: string]: Json };

/** Every value called `key`, however deep. */
function valuesOf(value: unknown, key: string): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === key ? [inner] : valuesOf(inner, key)
  );
}

Deno.test("/openapi.json: one path for every operation, and for /publish, /health and /metrics", async () => {
  await using app = testApp();
  const answer = await app.fetch("/openapi.json");
  assert.equal(answer.status, 200);
  const document = await answer.json();
  assert.deepEqual(
    Object.keys(document.paths).sort(),
    [
      ...OPERATIONS.map(({ name }) => `/v1/${name}`),
      "/v1/events/stream",
      "/publish/{channel}",
      "/health",
      "/metrics",
    ].sort(),
  );
});

Deno.test("openApi: has what OpenAPI 3.1 demands", () => {
  const document = openApi(OPERATIONS, "1.2.3") as unknown as Json;
  assert.match(String(document.openapi), /^3\.1\.\d+$/);
  assert.deepEqual(document.info, { title: "event-bus", version: "1.2.3" });
  const operations = Object.entries(document.paths as Json).flatMap(([path, item]) => {
    assert.ok(path.startsWith("/"));
    return Object.entries(item as Json).map(([method, operation]) => ({ path, method, operation }));
  });
  assert.ok(operations.length > OPERATIONS.length);
  const ids = operations.map(({ operation }) => String(operation.operationId));
  assert.equal(new Set(ids).size, ids.length, "an operationId names one operation");
  for (const { path, method, operation } of operations) {
    assert.match(method, /^(get|post)$/);
    const responses = Object.entries(operation.responses as Json);
    assert.ok(responses.length > 0, path);
    for (const [status, response] of responses) {
      assert.match(status, /^([1-5][0-9]{2}|default)$/);
      assert.equal(typeof response.description, "string", `${path} ${status}`);
    }
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const parameters = (operation.parameters ?? []) as unknown as Json[];
    const inPath = parameters.filter((parameter) => String(parameter.in) === "path");
    assert.deepEqual(inPath.map(({ name }) => String(name)), named, path);
    assert.ok(inPath.every(({ required }) => (required as unknown) === true));
    const keys = parameters.map(({ in: place, name }) => `${place} ${name}`);
    assert.equal(new Set(keys).size, keys.length, "a parameter is described once");
  }
});

Deno.test("openApi: describes arguments with the very schemas that check them", () => {
  const document = openApi(OPERATIONS, "1") as unknown as Json;
  for (const { name, inputSchema, outputSchema } of OPERATIONS) {
    const post = (document.paths as Json)[`/v1/${name}`]?.post as Json;
    assert.deepEqual(valuesOf(post.requestBody, "schema"), [inputSchema], name);
    assert.deepEqual(valuesOf((post.responses as Json)["200"], "schema"), [outputSchema], name);
  }
});

Deno.test("openApi: says of each way in which scope a token needs", () => {
  const document = openApi(OPERATIONS, "1") as unknown as Json;
  const scopeOf = (path: string, method: string) =>
    ((document.paths as Json)[path]?.[method]?.security as unknown as { token?: string[] }[])
      .flatMap(({ token }) => token ?? []);
  for (const { name, scope } of OPERATIONS) {
    assert.deepEqual(scopeOf(`/v1/${name}`, "post"), [scope], name);
  }
  assert.deepEqual(scopeOf("/publish/{channel}", "post"), ["publish"]);
  assert.deepEqual(scopeOf("/v1/events/stream", "get"), ["read"]);
});

Deno.test("openApi: every security scheme and reference that is named exists", () => {
  const document = openApi(OPERATIONS, "1");
  const { securitySchemes } = document.components as { securitySchemes: Record<string, unknown> };
  const named = (document.security as Record<string, unknown>[]).flatMap((one) => Object.keys(one));
  assert.ok(named.length > 0);
  for (const name of named) assert.ok(Object.hasOwn(securitySchemes, name), name);
  assert.deepEqual(valuesOf(document, "$ref"), [], "schemas stand on their own");
});
