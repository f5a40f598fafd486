/** Secrets that a test gives to a bus, and the search for them in whatever it wrote or answered. */
import type { TestBus } from "../helpers/bus.ts";

export interface Secrets {
  /** The one that server and clients share. */
  readonly shared: string;
  /** A token with a name; only its hash is anywhere. */
  readonly token: string;
  /** One that is not, or not any more, a token. */
  readonly wrong: string;
  /** What webhooks are signed with; the database has to have it. */
  readonly signing: string;
  /** A credential that somebody pasted. */
  readonly credential: string;
}

/** Gives a bus its secrets. */
export async function makeSecrets(bus: TestBus, shared: string): Promise<Secrets> {
  const { token } = await bus.call("create_token", {
    name: "planted",
    scopes: ["read", "publish", "admin"],
  });
  const signing = "signing-with-this-alone";
  await bus.call("register_webhook", {
    url: "http://127.0.0.1:9/",
    channel: "none",
    secret: signing,
  });
  return {
    shared,
    token,
    signing,
    wrong: "a-guess-that-somebody-makes",
    credential: "AKIAQWERTYUIOPASDFGH",
  };
}

/** Which secrets are in a text or in bytes. All of them are ASCII. */
export function leaksIn(written: string | Uint8Array, secrets: Secrets): string[] {
  const text = typeof written === "string" ? written : new TextDecoder("latin1").decode(written);
  return Object.values(secrets).filter((secret) => text.includes(secret));
}
