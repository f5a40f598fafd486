/** Counts what happens, in memory, for whoever watches the bus; in Prometheus' text format. */

export type Labels = Readonly<Record<string, string>>;

/** One number; a histogram has several, told apart by what is added to its name. */
export interface Sample {
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

/** A metric with its numbers of now. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** What is counted while the bus runs. Every label has few values, and none that a caller makes up. */
export interface Metrics {
  /** Notes a call that has ended; `seconds` is null for one that waited, which says nothing of us. */
  performed(operation: string, outcome: string, seconds: number | null): void;
  /** Notes a request over HTTP that was refused. */
  refused(door: string, code: string): void;
  /** Notes that a position has moved, and how many events were handed over with that. */
  moved(path: string, events: number): void;
  families(): Family[];
}

/** Upper bounds in seconds: a read takes a part of the first, and a publish waits for the disk. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export function createMetrics(): Metrics {
  const operations = counter(
    "event_bus_operations_total",
    "Calls by operation and outcome: ok, or the code of the refusal",
  );
  const seconds = histogram(
    "event_bus_operation_seconds",
    "How long operations took, without calls that waited for events",
  );
  const refusals = counter(
    "event_bus_http_refusals_total",
    "Requests answered with an error over HTTP, by door and code; a refusal of a tool is in event_bus_operations_total",
  );
  const moves = counter(
    "event_bus_reads_total",
    "Reads that moved a position, by the path that they left by",
  );
  const delivered = counter(
    "event_bus_events_delivered_total",
    "Events handed over to consumers, by the path that they left by",
  );
  return {
    performed(operation, outcome, took) {
      operations.add({ operation, outcome });
      if (took !== null) seconds.observe({ operation }, took);
    },
    refused: (door, code) => refusals.add({ door, code }),
    moved(path, events) {
      moves.add({ path });
      delivered.add({ path }, events);
    },
    families: () => [operations, seconds, refusals, moves, delivered].map((one) => one.family()),
  };
}

function counter(name: string, help: string) {
  const counts = new Map<string, { labels: Labels; value: number }>();
  return {
    add(labels: Labels, by = 1): void {
      const key = Object.values(labels).join("\n");
      const count = counts.get(key);
      if (count === undefined) counts.set(key, { labels, value: by });
      else count.value += by;
    },
    family: (): Family => ({ name, type: "counter", help, samples: [...counts.values()] }),
  };
}

function histogram(name: string, help: string) {
  const series = new Map<string, { labels: Labels; counts: number[]; sum: number }>();
  return {
    observe(labels: Labels, value: number): void {
      const key = Object.values(labels).join("\n");
      let one = series.get(key);
      if (one === undefined) {
        // The last is for what is beyond every bound.
        series.set(key, one = { labels, counts: [...BOUNDS, 0].map(() => 0), sum: 0 });
      }
      const place = BOUNDS.findIndex((bound) => value <= bound);
      const index = place === -1 ? BOUNDS.length : place;
      one.counts[index] = (one.counts[index] ?? 0) + 1;
      one.sum += value;
    },
    family: (): Family => ({
      name,
      type: "histogram",
      help,
      samples: [...series.values()].flatMap(({ labels, counts, sum }) => {
        let value = 0;
        const buckets = counts.map((count, index) => {
          const le = index < BOUNDS.length ? String(BOUNDS[index]) : "+Inf";
          return { suffix: "_bucket", labels: { ...labels, le }, value: value += count };
        });
        return [
          ...buckets,
          { suffix: "_sum", labels, value: sum },
          { suffix: "_count", labels, value },
        ];
      }),
    }),
  };
}

/** The media type of `metricsText`. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Families as Prometheus reads them. */
export function metricsText(families: readonly Family[]): string {
  return families.map(({ name, type, help, samples }) => {
    const lines = samples.map(({ suffix = "", labels = {}, value }) =>
      `${name}${suffix}${labelsText(labels)} ${value}\n`
    );
    const said = help.replace(/[\\\n]/g, escaped);
    return `# HELP ${name} ${said}\n# TYPE ${name} ${type}\n${lines.join("")}`;
  }).join("");
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) =>
    `${name}="${value.replace(/[\\\n"]/g, escaped)}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const escaped = (character: string): string => character === "\n" ? "\\n" : `\\${character}`;
