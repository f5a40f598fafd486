/** Credentials are masked, and nothing else is. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { maskSecrets } from "../src/secrets.ts";

/** Of the right shape, and made up: put together here, so that no scanner takes them for real. */
const x = (n: number, alphabet = "aB3dE5gH7") => alphabet.repeat(n).slice(0, n);

const SECRETS: Record<string, string[]> = {
  "private key": [
    `-----BEGIN RSA ${"PRIVATE"} KEY-----\n${x(64)}\n${x(20)}=\n-----END RSA ${"PRIVATE"} KEY-----`,
    `-----BEGIN ${"PRIVATE"} KEY-----\n${x(64)}`,
    `-----BEGIN OPENSSH ${"PRIVATE"} KEY-----\\n${x(64)}\\n-----END OPENSSH ${"PRIVATE"} KEY-----`,
  ],
  "AWS access key": [`AKIA${x(16, "ABCDEFG234567")}`],
  "event-bus token": [`ebt_${x(64, "0123456789abcdef")}`],
  "AWS secret key": [`aws_secret_access_key = ${x(40)}`, `"AWSSecretAccessKey": "${x(40)}"`],
  "GitHub token": [`ghp_${x(36)}`, `github_pat_${x(22)}_${x(59)}`],
  "GitLab token": [`glpat-${x(20)}`],
  "Anthropic key": [`sk-ant-api03-${x(90)}`],
  "OpenAI key": [`sk-${x(48)}`, `sk-proj-${x(60)}`],
  "Google API key": [`AIza${x(35)}`],
  "Google OAuth token": [`ya29.${x(60)}`],
  "Slack token": [`xoxb-${x(12, "1234567")}-${x(24)}`],
  "Slack webhook": [`https://hooks.slack.com/services/T${x(8)}/B${x(8)}/${x(24)}`],
  "Stripe key": [`sk_live_${x(24)}`],
  "npm token": [`npm_${x(36)}`],
  "PyPI token": [`pypi-AgE${x(100)}`],
  "Hugging Face token": [`hf_${x(34)}`],
  "DigitalOcean token": [`dop_v1_${x(64, "0123456789abcdef")}`],
  "SendGrid key": [`SG.${x(22)}.${x(43)}`],
  "Azure storage key": [`AccountKey=${x(86)}==`],
  "JSON web token": [`eyJ${x(20)}.eyJ${x(40)}.${x(43)}`],
  "bearer token": [`Authorization: Bearer ${x(30)}`, `"authorization": "Basic ${x(24)}"`],
  "password in a URL": [
    `https://me:p@${x(9)}@example.org`,
    `postgres://me:${x(12)}@db.example/x`,
    `https://:${x(9)}@example.org`,
  ],
};

Deno.test("maskSecrets() masks each kind wherever it stands, and says which it was", () => {
  for (const [kind, secrets] of Object.entries(SECRETS)) {
    for (const secret of secrets) {
      const { text, kinds } = maskSecrets(`before ${secret} after`);
      assert.deepEqual(kinds, [kind], secret);
      assert.match(text, /^before .*\[masked: /s);
      const longest = secret.split(/[^A-Za-z0-9+]/).toSorted((a, b) => b.length - a.length)[0] ??
        "";
      assert.ok(!text.includes(longest), `${longest} is gone from ${text}`);
    }
  }
});

Deno.test("maskSecrets() keeps what stands around a secret; of a key that was cut, nothing is sure", () => {
  for (const [secret] of Object.values(SECRETS)) {
    assert.match(maskSecrets(`before ${secret} after`).text, /^before .* after$/s);
  }
});

Deno.test("maskSecrets() leaves what only looks a little like it", () => {
  const innocent = [
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0ba1cf4f5f0f1a0c5a9d55",
    "commit 0123456789abcdef0123456789abcdef01234567",
    "550e8400-e29b-41d4-a716-446655440000",
    "see https://example.org/a:b@c and git@github.com:me/repo.git",
    "http://127.0.0.1:8080/mcp",
    "sk-this-is-a-long-branch-name-and-no-key-at-all",
    "sk-learn, task-list, AKIA, ghp_short, xoxb",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "the authorization: bearer of bad news",
    "日本語 🎉 ünï",
  ];
  for (const text of innocent) assert.deepEqual(maskSecrets(text), { text, kinds: [] });
});

Deno.test("maskSecrets() takes long texts without any trouble, and masks no mask", () => {
  const hostile = fc.array(
    fc.constantFrom(
      "-----BEGIN ",
      "PRIVATE KEY-----",
      "eyJ",
      ".",
      "a",
      "AKIA",
      "://",
      ":",
      "@",
      " ",
      "sk-",
    ),
    { maxLength: 2000 },
  ).map((parts) => parts.join(""));
  fc.assert(
    fc.property(hostile, (text) => {
      const once = maskSecrets(text).text;
      assert.equal(maskSecrets(once).text, once);
    }),
    { numRuns: 200 },
  );
  const parts = [
    "-----BEGIN PRIVATE KEY-----",
    "eyJa.",
    "eyJ-",
    "a://b:",
    "sk-a",
    "xoxb-",
    "glpat-",
  ];
  const long = [...parts, "authorization: bearer "]
    .map((part) => part.repeat(256 * 1024 / part.length));
  for (const text of long) {
    const before = performance.now();
    maskSecrets(text);
    // Far above what any takes; a quadratic pattern takes minutes for the longest payload.
    assert.ok(performance.now() - before < 10_000, text.slice(0, 30));
  }
});
