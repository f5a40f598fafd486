/** What the doctor finds, and how it reads. */
import { safeLine } from "../format.ts";

export type Verdict = "ok" | "warning" | "broken";

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  readonly found: string;
  /** The command that puts it right, or what to do where no command can; null when all is well. */
  readonly fix: string | null;
}

export const ok = (check: string, found: string): Finding => ({
  check,
  verdict: "ok",
  found,
  fix: null,
});

/** Something works less well than it could. */
export const warning = (check: string, found: string, fix: string): Finding => ({
  check,
  verdict: "warning",
  found,
  fix,
});

/** Something does not work. */
export const broken = (check: string, found: string, fix: string): Finding => ({
  check,
  verdict: "broken",
  found,
  fix,
});

/** The worst of all verdicts. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  return (["broken", "warning"] as const).find((worst) =>
    findings.some(({ verdict }) => verdict === worst)
  ) ?? "ok";
}

const MARKS: Readonly<Record<Verdict, string>> = { ok: "✓", warning: "!", broken: "✗" };

/** One line for each finding, its fix indented below it, and the sum of it all. */
export function findingsText(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ check, verdict, found, fix }) => [
    `${MARKS[verdict]} ${safeLine(check)}: ${safeLine(found)}`,
    ...(fix === null ? [] : [`    fix: ${safeLine(fix)}`]),
  ]);
  const count = (verdict: Verdict) => findings.filter((one) => one.verdict === verdict).length;
  const sum = verdictOf(findings) === "ok"
    ? "All is well"
    : `${count("broken")} broken, ${count("warning")} to look at`;
  return [...lines, "", sum, ""].join("\n");
}
