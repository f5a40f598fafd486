/** What a process that was killed has left beside a database: copies on their way to somewhere. */

/** Longer than any of them is needed. */
const LEFT_AFTER_MS = 24 * 60 * 60 * 1000;

const OURS = /^\.(importing|restoring|carrying-over|backup)-|\.original-v\d+-[^/]*\.part$/;

/** Removes what nobody needs any more from a folder. What cannot be removed stays: it is in nobody's way. */
export function sweepLeftovers(folder: string, now = Date.now()): void {
  for (const name of leftIn(folder, now)) {
    try {
      Deno.removeSync(`${folder}/${name}`, { recursive: true });
    } catch {
      // Somebody else's, or gone meanwhile.
    }
  }
}

function leftIn(folder: string, now: number): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => {
      const mtime = OURS.test(name) ? Deno.lstatSync(`${folder}/${name}`).mtime : null;
      return mtime !== null && now - mtime.getTime() > LEFT_AFTER_MS;
    });
  } catch {
    return [];
  }
}
