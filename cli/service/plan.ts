/** A plan is made by looking only; carrying it out is another matter. `--dry-run` stops in between. */
import { pretty, safeLine } from "../format.ts";
import type { Cli } from "../verb.ts";

/** Says something that is not a step, while a plan is made or carried out. */
export interface Tell {
  /** Something to know. */
  note(text: string): void;
  /** Something to act on. */
  warn(text: string): void;
}

interface Step {
  /** What is done, as an infinitive: "copy a to b". */
  readonly text: string;
  /** Lines that show it in detail; printed by a dry run only. */
  readonly shows: readonly string[];
  run(tell: Tell): Promise<void> | void;
}

interface Remark {
  readonly kind: "note" | "warning";
  readonly text: string;
}

/** Steps and remarks in the order in which they are carried out and told. */
export class Plan implements Tell {
  readonly entries: (Step | Remark)[] = [];

  step(text: string, run: Step["run"], shows: readonly string[] = []): void {
    this.entries.push({ text, shows, run });
  }

  note(text: string): void {
    this.entries.push({ kind: "note", text });
  }

  warn(text: string): void {
    this.entries.push({ kind: "warning", text });
  }

  get isEmpty(): boolean {
    return !this.entries.some((entry) => "run" in entry);
  }
}

/**
 * Tells the plan line by line and, unless it is a dry run, does it. Steps are told before they are
 * done, so that the last line says where it failed.
 */
export async function carryOut(
  plan: Plan,
  dryRun: boolean,
  { json, out, err }: Pick<Cli, "json" | "out" | "err">,
): Promise<void> {
  const told: Record<"steps" | "notes" | "warnings", string[]> = {
    steps: [],
    notes: [],
    warnings: [],
  };
  const say = (line: string) => json ? undefined : out(`${safeLine(line)}\n`);
  const tell = {
    note(text: string) {
      told.notes.push(text);
      say(text);
    },
    warn(text: string) {
      told.warnings.push(text);
      if (!json) err(`Warning: ${safeLine(text)}`);
    },
  };
  for (const entry of plan.entries) {
    if (!("run" in entry)) {
      if (entry.kind === "note") tell.note(entry.text);
      else tell.warn(entry.text);
      continue;
    }
    told.steps.push(entry.text);
    say(dryRun ? `would ${entry.text}` : entry.text);
    if (dryRun) entry.shows.forEach((line) => say(`    ${line}`));
    else await entry.run(tell);
  }
  if (json) out(pretty({ dry_run: dryRun, ...told }));
}
