/** Credentials that people paste by mistake, as their issuers shape them; masked before they are stored. */

interface Shape {
  /** What it is, for the sender. */
  readonly name: string;
  /** Linear in the length of the text, and `g`. A group, if there is one, is all that is masked. */
  readonly pattern: RegExp;
}

/** Only shapes that nothing else has: a mask over an innocent text loses something, too. */
const SHAPES: readonly Shape[] = [
  {
    name: "private key",
    pattern:
      /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----)[^]){0,20000}(?:-----END [A-Z0-9 ]{0,60}-----)?/g,
  },
  { name: "AWS access key", pattern: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/g },
  { name: "event-bus token", pattern: /\bebt_[0-9a-f]{64}(?![0-9a-f])/g },
  {
    name: "AWS secret key",
    pattern:
      /\baws_?(?:secret_?)?(?:access_?)?key["']?\s{0,5}[=:]\s{0,5}["']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])/gi,
  },
  {
    name: "GitHub token",
    pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{36,255})/g,
  },
  { name: "GitLab token", pattern: /\bgl(?:pat|ptt|dt|rt|soat|cbt|ft)-[A-Za-z0-9_.-]{20,64}/g },
  { name: "Anthropic key", pattern: /\bsk-ant-[A-Za-z0-9_-]{20,200}/g },
  {
    name: "OpenAI key",
    pattern: /\bsk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{32,200}|[A-Za-z0-9]{32,200})/g,
  },
  { name: "Google API key", pattern: /\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])/g },
  { name: "Google OAuth token", pattern: /\bya29\.[A-Za-z0-9_-]{20,500}/g },
  { name: "Slack token", pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,250}/g },
  { name: "Slack webhook", pattern: /\bhooks\.slack\.com\/services\/([A-Za-z0-9/]{20,100})/g },
  { name: "Stripe key", pattern: /\b[rs]k_live_[A-Za-z0-9]{16,250}/g },
  { name: "npm token", pattern: /\bnpm_[A-Za-z0-9]{36}\b/g },
  { name: "PyPI token", pattern: /\bpypi-AgE[A-Za-z0-9_-]{50,500}/g },
  { name: "Hugging Face token", pattern: /\bhf_[A-Za-z0-9]{34}\b/g },
  { name: "DigitalOcean token", pattern: /\bdo[opr]_v1_[a-f0-9]{64}\b/g },
  { name: "SendGrid key", pattern: /\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}/g },
  { name: "Azure storage key", pattern: /\bAccountKey=([A-Za-z0-9+/]{60,100}={0,2})/g },
  {
    name: "JSON web token",
    pattern:
      /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{20,2000}/g,
  },
  {
    name: "bearer token",
    pattern:
      /\bauthorization["']?\s{0,5}[:=]\s{0,5}["']?(?:bearer|basic|token)\s{1,5}([A-Za-z0-9._~+/=-]{12,2000})/gi,
  },
  {
    name: "password in a URL",
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@"'<>]{0,200}:([^\s/"'<>]{1,200})@/gi,
  },
];

export interface Masked {
  readonly text: string;
  /** What was masked, each kind once; mostly nothing. */
  readonly kinds: readonly string[];
}

/** A text with every known credential replaced by what it is. */
export function maskSecrets(text: string): Masked {
  const kinds = new Set<string>();
  let masked = text;
  for (const { name, pattern } of SHAPES) {
    masked = masked.replace(pattern, (found: string, group: unknown) => {
      kinds.add(name);
      const mask = `[masked: ${name}]`;
      if (typeof group !== "string") return mask;
      const at = found.lastIndexOf(group);
      return found.slice(0, at) + mask + found.slice(at + group.length);
    });
  }
  return { text: masked, kinds: [...kinds] };
}
