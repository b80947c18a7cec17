/** By metric, by label, the values that were there. */
export type Exposed = Map<string, Map<string, Set<string>>>;

const SAMPLE = /^(?<metric>[a-zA-Z_:][\w:]*)(?:\{(?<labels>.*)\})? \S+$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Adds what an endpoint of Prometheus' text format exposes. */
export function addExposed(exposed: Exposed, text: string): Exposed {
  for (const line of text.split("\n")) {
    const { metric, labels = "" } = SAMPLE.exec(line)?.groups ?? {};
    if (metric === undefined) continue;
    const known = exposed.get(metric) ?? new Map<string, Set<string>>();
    exposed.set(metric, known);
    for (const [, label = "", value = ""] of labels.matchAll(LABEL)) {
      known.set(label, (known.get(label) ?? new Set()).add(value));
    }
  }
  return exposed;
}
