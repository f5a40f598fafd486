/** Looks at what the bus says of its database and its clock. */
import { dirname } from "node:path";
import type { Diagnosis } from "../diagnosis.ts";
import { agoText } from "../format.ts";
import { shellLine } from "../service/machine.ts";
import { broken, type Finding, ok, warning } from "./finding.ts";
import type { Patient } from "./patient.ts";

const GB = 1e9;
/** With less room than this, or less than this part of a disk, it is time to look. */
const LITTLE_BYTES = GB;
const LITTLE_PART = 0.1;
/** With less than this the next publish may be refused. */
const NONE_BYTES = 50e6;
/** More than this between two machines makes times of events misleading. */
const CLOCK_MS = 2000;

/** Whether the database is sound and has room, and whether the bus's clock is ours. */
export function examineDatabase({ bus }: Patient): Finding[] {
  const { diagnosis, askedAt, isHere } = bus;
  if (diagnosis === null) return [];
  return [
    integrity(diagnosis),
    disk(diagnosis),
    isHere ? ok("clock", "the bus has this machine's clock") : clock(diagnosis, askedAt),
  ];
}

function integrity({ database, events, now }: Diagnosis): Finding {
  const check = "database";
  const { path, bytes, wal_bytes, checked_at } = database;
  const size = `${events} events, ${sizeText(bytes)} and ${sizeText(wal_bytes)} not yet merged`;
  if (checked_at === null) {
    return path === ":memory:"
      ? warning(check, "it is in memory, and gone with the server", "event-bus restart")
      : warning(check, `${path} was never checked`, "event-bus restart");
  }
  const ago = agoText(Date.parse(now) - Date.parse(checked_at));
  return ok(check, `${path} is sound, as of ${ago}: ${size}`);
}

function disk({ database: { path, free_bytes: free, total_bytes: total } }: Diagnosis): Finding {
  const check = "disk";
  if (free === null || total === null) return ok(check, "how much is free is not known");
  const found = `${sizeText(free)} of ${sizeText(total)} are free at ${dirname(path)}`;
  const look = shellLine("df", "-h", dirname(path));
  if (free < NONE_BYTES) return broken(check, found, `make room; ${look}`);
  if (free < LITTLE_BYTES || free < total * LITTLE_PART) {
    return warning(check, found, `make room; ${look}`);
  }
  return ok(check, found);
}

function clock({ now }: Diagnosis, askedAt: number): Finding {
  const check = "clock";
  const ahead = Date.parse(now) - askedAt;
  if (!(Math.abs(ahead) > CLOCK_MS)) return ok(check, "the bus has the same time as this machine");
  const direction = ahead > 0 ? "ahead of" : "behind";
  const found = `the bus is ${(Math.abs(ahead) / 1000).toFixed(1)} s ${direction} this machine`;
  return warning(check, found, "set the clocks of both by the network's time");
}

const UNITS = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]] as const;

/** Bytes for people. */
export function sizeText(bytes: number): string {
  const [size, unit] = UNITS.find(([size]) => bytes >= size) ?? [1, "B"];
  const number = bytes / size;
  return `${number < 10 && size > 1 ? number.toFixed(1) : Math.round(number)} ${unit}`;
}
