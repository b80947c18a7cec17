import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";

type Labels = Readonly<Record<string, string>>;
/** One value, or one for each label's value. */
export type Reading = number | null | readonly { readonly labels: Labels; readonly value: number }[];

export interface MetricDefinition<Source> {
  readonly name: string;
  readonly kind: "gauge" | "counter";
  readonly help: string;
  readonly labels?: readonly string[];
  read(source: Source): Reading;
}

/**
 * A registry whose every metric is read from one source when it is scraped: nothing is counted twice, and what a process
 * shows and what it serves cannot differ.
 */
export function metricSet<Source>(
  definitions: readonly MetricDefinition<Source>[],
  source: () => Source | Promise<Source>,
): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Metrics are collected together: one look serves them all.
  let look: Promise<Source> | null = null;
  const once = () => {
    look ??= Promise.resolve(source()).finally(() => {
      look = null;
    });
    return look;
  };
  for (const { name, kind, help, labels = [], read } of definitions) {
    const readNow = async () => readings(read(await once()));
    const configuration = { name, help, labelNames: [...labels], registers: [registry] };
    if (kind === "gauge") {
      new Gauge({
        ...configuration,
        async collect() {
          const now = await readNow();
          this.reset();
          // What is not known is left out: a 0 would be a figure.
          if (now.length === 0 && labels.length === 0) this.remove();
          for (const { labels: set, value } of now) this.set(set, value);
        },
      });
    } else {
      new Counter({
        ...configuration,
        async collect() {
          const now = await readNow();
          this.reset();
          for (const { labels: set, value } of now) this.inc(set, value);
        },
      });
    }
  }
  return registry;
}

function readings(reading: Reading): readonly { readonly labels: Labels; readonly value: number }[] {
  if (reading === null) return [];
  return typeof reading === "number" ? [{ labels: {}, value: reading }] : reading;
}
