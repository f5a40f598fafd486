/** The report: one line for each thing measured, with its ratio, its aim, and whether that is met. */
import { type Measured, median, ratio } from "./rounds.ts";

/** What a number should be; `atMost` and `atLeast` are met by the number itself too. */
export type Aim = { readonly atMost: number } | { readonly atLeast: number };

export interface Ratio {
  readonly value: number;
  /** What it is a multiple of: `curl`. */
  readonly of: string;
}

export interface Line {
  readonly name: string;
  readonly figure: string;
  readonly ratio?: Ratio | undefined;
  /** About the ratio, or about `judged` when there is one. */
  readonly aim?: Aim | undefined;
  readonly judged?: number;
}

/** How figures of one kind are written. */
export type Unit = (figure: number) => string;

export const MILLISECONDS: Unit = (ms) => `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;
export const PER_SECOND: Unit = (n) => `${Math.round(n).toLocaleString("en")} /s`;
export const BYTES: Unit = (bytes) => `${bytes} B`;
export const KILOBYTES: Unit = (kb) => `${kb.toFixed(0)} KB`;
export const MEGABYTES: Unit = (mb) => `${mb.toFixed(0)} MB`;

export class Report {
  readonly #write: (text: string) => void;
  #unmeasured = 0;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** How many things could not be measured though they should have been. */
  get unmeasured(): number {
    return this.#unmeasured;
  }

  section(title: string): void {
    this.#write(`\n${title}\n`);
  }

  line({ name, figure, ratio, aim, judged }: Line): void {
    const verdict = aim === undefined
      ? ""
      : `${aimText(aim)} ${isMet(aim, judged ?? ratio?.value ?? NaN) ? "met" : "MISSED"}`;
    const multiple = ratio === undefined ? "" : `${digits(ratio.value)} x ${ratio.of}`;
    const row = `  ${name.padEnd(44)} ${figure.padStart(14)}  ${multiple.padEnd(28)} ${verdict}`;
    this.#write(`${row.trimEnd()}\n`);
  }

  /** A remark below the lines that it explains. */
  note(text: string): void {
    this.#write(`  (${text})\n`);
  }

  /** Says what this machine does not have; nobody's fault. */
  absent(name: string, why: string): void {
    this.line({ name, figure: `not available: ${why}` });
  }

  /** Says what should have been measured and could not be. */
  failed(name: string, why: string): void {
    this.#unmeasured++;
    this.line({ name, figure: `FAILED: ${why.trim().split("\n").at(-1)}` });
  }

  /** One line for a contender: its median, and its ratio to `base` when that was measured too. */
  contender(
    name: string,
    measured: Measured,
    unit: Unit,
    compared?: { readonly to: Measured; readonly of: string; readonly aim?: Aim | undefined },
  ): void {
    if ("failure" in measured) return this.failed(name, measured.failure);
    const figure = unit(median(measured.samples));
    if (compared === undefined) return this.line({ name, figure });
    const { to, of, aim } = compared;
    if ("failure" in to) {
      return this.failed(name, `${figure}, but there is no ${of} to compare with`);
    }
    this.line({ name, figure, ratio: { value: ratio(measured.samples, to.samples), of }, aim });
  }
}

/** Whether a number is what it should be; NaN never is. */
export function isMet(aim: Aim, number: number): boolean {
  return "atMost" in aim ? number <= aim.atMost : number >= aim.atLeast;
}

function aimText(aim: Aim): string {
  return "atMost" in aim ? `aim <= ${aim.atMost}` : `aim >= ${aim.atLeast}`;
}

const digits = (value: number): string => value.toFixed(value < 10 ? 2 : 1);
