/**
 * What an installation put in, so that `uninstall` takes back that and nothing else, and a file that
 * somebody changed by hand is told from one of an older version. Lost, everything counts as foreign.
 */
import { join } from "node:path";
import { contentOf, makeFolder, removeFile, writeWhole } from "./files.ts";

export interface Receipt {
  /** The copy of the program that was made. */
  readonly program?: string;
  /** The link that was made. */
  readonly link?: string;
  /** The folders that were made for them, the innermost first. */
  readonly folders?: readonly string[];
  /** The fingerprint of the config.json that was made for a bus elsewhere. */
  readonly config?: string;
  /** The service file, and its fingerprint as it was written. */
  readonly service?: { readonly file: string; readonly fingerprint: string };
  /** The address that Claude Code was told, and the one that it had before under our name. */
  readonly mcp?: { readonly url: string; readonly replaced?: string };
  /** Whether every hook was made a command. */
  readonly onlyCommands?: boolean | undefined;
  /** By folder: the fingerprints of the plugin's files, and whether its parent was made for it. */
  readonly plugins?: Readonly<
    Record<
      string,
      { readonly files: Readonly<Record<string, string>>; readonly made?: boolean } | undefined
    >
  >;
  /** By settings file with our hooks: whether we made it, what it was before, what was empty in it. */
  readonly settings?: Readonly<
    Record<
      string,
      | {
        readonly made?: boolean;
        readonly backup?: string;
        readonly wasEmpty?: readonly string[];
      }
      | undefined
    >
  >;
}

const pathIn = (dataDir: string) => join(dataDir, "install.json");

/** The receipt of the last installation; an empty one when there is none or it cannot be read. */
export function readReceipt(dataDir: string): Receipt {
  try {
    return JSON.parse(contentOf(pathIn(dataDir)) ?? "{}") ?? {};
  } catch (failure) {
    if (failure instanceof SyntaxError) return {};
    throw failure;
  }
}

/** Adds to the receipt. It is written before the thing itself is: better one too many than one lost. */
export function addToReceipt(dataDir: string, more: Receipt): void {
  makeFolder(dataDir, 0o700);
  const receipt = { ...readReceipt(dataDir), ...more };
  writeWhole(pathIn(dataDir), `${JSON.stringify(receipt, null, 2)}\n`, 0o600);
}

/** Forgets the installation. */
export function removeReceipt(dataDir: string): void {
  removeFile(pathIn(dataDir));
}
