/** Which build of event-bus is running, told honestly: sources, a release, or a test build. */
import manifest from "../deno.json" with { type: "json" };

/** `deno task compile` writes another word over `source` in the bundle; see `tools/binary.ts`. */
const STAMP: string = "event-bus build: source";

/** From running the sources to what users install; a test build runs on another Deno than a release. */
export type Build = "source" | "release" | "test";

/** The version in `deno.json`, the only place that holds it. */
export const VERSION: string = manifest.version;

/** How this program came to be. */
export const BUILD = STAMP.slice("event-bus build: ".length) as Build;

const ORIGIN: Record<Build, (deno: string) => string> = {
  source: (deno) => ` (from source, Deno ${deno})`,
  release: () => "",
  test: (deno) => ` (test build on Deno ${deno})`,
};

/** One line for people: name, version and, unless this is a release, where it comes from. */
export function versionText(build: Build = BUILD, deno: string = Deno.version.deno): string {
  return `event-bus ${VERSION}${ORIGIN[build](deno)}`;
}
