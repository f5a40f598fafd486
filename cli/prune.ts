import { durationOf } from "./duration.ts";
import { jsonLine, safeLine } from "./format.ts";
import { EXIT, usageError, type Verb } from "./verb.ts";

interface Pruned {
  events: number;
  through: string | null;
  timestamp: string | null;
  has_more: boolean;
  held_by: string[];
}

export const verb: Verb = {
  help: `Move old events from the log to the archive.

Usage: event-bus prune --older-than TIME [--dry-run] [--json]

  --older-than TIME   what was published longer ago: 90d, 12h
  --dry-run           say what would go, and leave it

The archive is beside the database: archive/2026-11.jsonl.gz, a file for each month, lines of JSON. Read
it with: event-bus events --archive. With the events go the record of who had them and the sessions that
ended before. What a living session, a webhook or a consumer in use has yet to be handed stays, and all
that came after it.

The setting "retention" ("90d" in config.json, or EVENT_BUS_RETENTION) has the server do this by itself.

Examples:
  event-bus prune --older-than 90d --dry-run
  event-bus prune --older-than 90d
`,
  options: {
    "older-than": { type: "string" },
    "dry-run": { type: "boolean" },
  },
  async run(args, { json, client, out, err }) {
    const ms = durationOf("older-than", args.need("older-than"));
    if (ms < 1000) throw usageError("Cannot prune what is younger than a second");
    const dry_run = args.flag("dry-run");
    const older_than_seconds = Math.floor(ms / 1000);
    let events = 0;
    let reached: Pick<Pruned, "through" | "timestamp"> = { through: null, timestamp: null };
    let last: Pruned;
    do {
      last = await client.call<Pruned>("prune", { older_than_seconds, dry_run }, {
        // Going through a long log to count takes its time.
        waitMs: dry_run ? COUNTING_MS : 0,
      });
      events += last.events;
      if (last.through !== null) reached = last;
      if (last.has_more && !json) err(`${events} events so far, through event ${last.through}`);
    } while (last.has_more);
    const { through, timestamp } = reached;
    if (json) out(jsonLine({ ...last, events, through, timestamp }));
    else out(`${dry_run ? "Would move" : "Moved"} ${events} events to the archive\n`);
    if (!json && last.held_by.length > 0) {
      err(
        "Older events stay, for they have yet to be handed to: " +
          last.held_by.map(safeLine).join(", "),
      );
    }
    return EXIT.done;
  },
};

const COUNTING_MS = 300_000;
