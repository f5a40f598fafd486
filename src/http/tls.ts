/** The certificate that the bus shows, read once, at its start. */
import { BusError } from "../errors.ts";

export interface Certificate {
  /** PEM texts. */
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads the certificate and its key, or null when there are neither. Throws `invalid_argument` naming
 * the file that is missing or cannot be read, and when others can read the key.
 */
export function readCertificate(cert: string | null, key: string | null): Certificate | null {
  if (cert === null && key === null) return null;
  if (cert === null || key === null) {
    const [given, missing] = cert === null ? ["tls_key", "tls_cert"] : ["tls_cert", "tls_key"];
    throw new BusError(
      "invalid_argument",
      `Cannot serve https with ${given} alone: ${missing} is missing`,
    );
  }
  const pem = { cert: read("certificate", cert), key: read("key", key) };
  const { mode } = Deno.statSync(key);
  if (mode !== null && (mode & 0o007) !== 0) {
    throw new BusError(
      "invalid_argument",
      `Cannot use the key ${key}: everybody can read it; run chmod 600 ${key}`,
    );
  }
  return pem;
}

function read(what: string, path: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (failure) {
    throw new BusError(
      "invalid_argument",
      `Cannot read the ${what} ${path}: ${(failure as Error).message}`,
    );
  }
  if (text.includes("-----BEGIN ")) return text;
  throw new BusError("invalid_argument", `Cannot use the ${what} ${path}: it is not a PEM file`);
}
