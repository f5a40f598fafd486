import { isAbsolute } from "node:path";
import { z } from "zod";
import { BusError, quoted } from "../errors.ts";
import { backUp } from "../store/backup.ts";
import { operation, READS } from "./operation.ts";
import { checkMayOperate } from "./operating.ts";

/** As long as paths get. */
export const filePath = z.string().min(1).max(4096);

/** A path means a file of the bus's machine; a relative one would depend on where it was started. */
export function checkAbsolute(action: string, path: string): void {
  if (isAbsolute(path)) return;
  throw new BusError("invalid_argument", `Cannot ${action} ${quoted(path)}: name the whole path`);
}

export const backup = operation({
  name: "backup",
  title: "Back up",
  description: "Write a verified copy of the database to a new file of the bus's machine.",
  input: z.strictObject({ path: filePath, force: z.boolean().default(false) }),
  output: z.object({
    machine: z.string(),
    path: z.string(),
    bytes: z.int(),
    schema: z.int(),
    events: z.int(),
    sessions: z.int(),
  }),
  annotations: { ...READS, readOnlyHint: false },
  scope: "admin",
  tool: false,
  writes: false,
  async run(bus, { path, force }, { caller }) {
    checkMayOperate("back up", caller);
    checkAbsolute("back up to", path);
    if (bus.store.path === ":memory:") {
      throw new BusError("conflict", "Cannot back up a bus that lives in memory: it has no file");
    }
    return { machine: bus.machine, ...await backUp(bus.store.path, path, force) };
  },
});
