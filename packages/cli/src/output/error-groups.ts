import type { QuarantinedEvent } from "@cim-replay/nats";
import { refusedBy } from "./quarantine-text.ts";

const MOST_RANGES = 50;
const SAMPLES = 3;

export interface ErrorGroup {
  readonly kind: QuarantinedEvent["kind"];
  /** Of a run with several targets: which projection could not take them. */
  readonly by: string | null;
  /** Of the first of them; the others' differ in numbers, quoted texts and ids at most. */
  readonly reason: string;
  count: number;
  readonly ranges: { from: number; to: number }[];
  /** Whether there are more ranges of sequences than are kept. */
  isCut: boolean;
  readonly samples: QuarantinedEvent[];
}

/** Gathers events of one run, which come by their sequence, by kind and reason; keeps few of them, whatever there are. */
export class ErrorGroups {
  readonly #groups = new Map<string, ErrorGroup>();
  total = 0;

  add(event: QuarantinedEvent): void {
    const { kind, reason, seq, target = "" } = event;
    const by = target === "" ? null : refusedBy(event);
    const key = `${kind} ${target} ${alike(reason)}`;
    const group = this.#groups.get(key) ?? { kind, by, reason, count: 0, ranges: [], isCut: false, samples: [] };
    this.#groups.set(key, group);
    this.total += 1;
    group.count += 1;
    const last = group.ranges.at(-1);
    if (!group.isCut && last?.to === seq - 1) last.to = seq;
    else if (group.ranges.length < MOST_RANGES) group.ranges.push({ from: seq, to: seq });
    else group.isCut = true;
    if (group.samples.length < SAMPLES) group.samples.push(event);
  }

  /** The most frequent first. */
  list(): ErrorGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count);
  }
}

function alike(reason: string): string {
  return reason
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, "#")
    .replace(/"[^"]*"|'[^']*'/g, "#")
    .replace(/\d+/g, "#");
}
