/** An authority of a test's own, and certificates that it signed. */
import { join } from "node:path";
import type { Home } from "./home.ts";
import { isInstalled } from "./process.ts";

/** What keeps certificates from being made here, or null. */
export const NO_CERTIFICATES: string | null = isInstalled("openssl")
  ? null
  : "openssl is not installed";

export interface TestCertificate {
  /** PEM files: who signed, the certificate, its key, and a key that is not its own. */
  readonly authority: string;
  readonly cert: string;
  readonly key: string;
  readonly otherKey: string;
}

/** A certificate for localhost and 127.0.0.1, signed by an authority that nobody knows. */
export async function makeCertificate(home: Home): Promise<TestCertificate> {
  const at = (name: string) => join(home.path, name);
  home.write("names", "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const authority = ["-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", "/CN=test"];
  await openssl(["req", "-x509", ...newKey, ...authority, "-days", "2"]);
  for (const name of ["bus", "other"]) {
    const request = ["-keyout", at(`${name}.key`), "-out", at(`${name}.csr`), "-subj", "/CN=bus"];
    await openssl(["req", ...newKey, ...request]);
  }
  const signed = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "2"];
  const files = ["-in", at("bus.csr"), "-out", at("bus.pem"), "-extfile", at("names")];
  await openssl(["x509", "-req", ...signed, ...files]);
  return {
    authority: at("ca.pem"),
    cert: at("bus.pem"),
    key: at("bus.key"),
    otherKey: at("other.key"),
  };
}

async function openssl(args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, stdout: "null" }).output();
  if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}
