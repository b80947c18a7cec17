import { type CompiledProjection, compileDomain, type DomainSettings } from "@cim-replay/core";
import { type Folded, type FoldTools, foldSample, type Place } from "./determinism-fold.ts";
import type { SampledAggregate } from "./determinism-sample.ts";
import { OTHER_WAYS, PLAIN, type Way } from "./determinism-ways.ts";
import { diffValues, pathText } from "./diff-value.ts";

/** Encoding after each event costs its number squared; the first few aggregates show what is wrong. */
const MOST_TRACED = 10;

/** A clock, or randomness, that the projection asked while it folded. */
export interface ImpureUse {
  readonly what: string;
  readonly step: Place["step"];
  /** Of the first time; null in `initial` and `encode`. */
  readonly eventType: string | null;
  readonly seq: number | null;
  readonly aggregateId: string;
  readonly times: number;
}

/** An aggregate whose value depends on how it is folded. */
export interface Parting {
  readonly way: string;
  readonly aggregateId: string;
  /** The first place in the value that differs, `(all)` where one of them is none. */
  readonly path: string;
  /** In one go, and in this way; where an event was refused, that and why. */
  readonly expected: unknown;
  readonly found: unknown;
  /** The first event after which the values differ; null where it was not looked for, or they agreed the next time. */
  readonly firstEvent: { readonly seq: number; readonly type: string } | null;
}

export interface DeterminismCheck {
  readonly holds: boolean;
  readonly aggregates: number;
  readonly events: number;
  /** Aggregates with more events than were folded. */
  readonly cut: number;
  /** Aggregates of which an event was refused, in one go: compared is only that it always is. */
  readonly refused: readonly { readonly aggregateId: string; readonly seq: number | null; readonly reason: string }[];
  readonly ways: readonly string[];
  readonly uses: readonly ImpureUse[];
  readonly partings: readonly Parting[];
}

/**
 * Folds a sample in one go, and then in other ways that must come to the same bytes. Synchronous; meanwhile the process's
 * clocks and random sources are replaced by ones that tell of their use. What shows here is proved; what does not show may
 * still be there, in events that the sample has not.
 */
export function checkDeterminism(
  sample: readonly SampledAggregate[],
  options: {
    readonly domain: string;
    readonly domainSettings: DomainSettings;
    readonly projection: CompiledProjection;
  },
): DeterminismCheck {
  const tools = { projection: options.projection, codec: compileDomain(options.domain, options.domainSettings) };
  const uses = new Map<string, ImpureUse>();
  const expected = foldSample(sample, PLAIN, tools, { onUse: (what, place) => addUse(uses, what, place) });
  const partings = OTHER_WAYS.flatMap((way) => partingsOf(sample, way, tools, expected));
  return {
    holds: uses.size === 0 && partings.length === 0,
    aggregates: sample.length,
    events: sample.reduce((sum, { messages }) => sum + messages.length, 0),
    cut: sample.filter(({ isCut }) => isCut).length,
    refused: sample.flatMap(({ id }, i) => {
      const refused = expected[i]?.refused;
      return refused ? [{ aggregateId: id, ...refused }] : [];
    }),
    ways: OTHER_WAYS.map(({ name }) => name),
    uses: [...uses.values()],
    partings,
  };
}

/** One a kind of event: a projection that asks the clock does so millions of times. */
function addUse(uses: Map<string, ImpureUse>, what: string, { aggregateId, event, step }: Place): void {
  const key = JSON.stringify([what, step, event?.type]);
  const known = uses.get(key);
  const first = { what, step, eventType: event?.type ?? null, seq: event?.seq ?? null, aggregateId, times: 0 };
  uses.set(key, { ...(known ?? first), times: (known?.times ?? 0) + 1 });
}

function partingsOf(
  sample: readonly SampledAggregate[],
  way: Way,
  tools: FoldTools,
  expected: readonly Folded[],
): Parting[] {
  const found = foldSample(sample, way, tools, {});
  const parted = sample.flatMap((_, i) => (isSame(expected[i], found[i]) ? [] : [i]));
  const firstEvents = firstPartings(sample, way, tools, parted.slice(0, MOST_TRACED));
  return parted.flatMap((i) => {
    const [aggregate, before, after] = [sample[i], expected[i], found[i]];
    if (!aggregate || !before || !after) return [];
    const firstEvent = firstEvents.get(i) ?? null;
    return [{ way: way.name, aggregateId: aggregate.id, ...whereParted(before, after), firstEvent }];
  });
}

/** A reason may hold what is never the same, an address say: that the same event is refused is enough. */
function isSame(a: Folded | undefined, b: Folded | undefined): boolean {
  return a?.text === b?.text && a?.refused?.seq === b?.refused?.seq && (a?.refused === null) === (b?.refused === null);
}

function whereParted(before: Folded, after: Folded): Pick<Parting, "path" | "expected" | "found"> {
  if (before.text === null || after.text === null) {
    return { path: "(all)", expected: outcomeOf(before), found: outcomeOf(after) };
  }
  const [first] = diffValues(Buffer.from(before.text), Buffer.from(after.text));
  // The same value in other bytes is nothing that canonical JSON can be.
  if (!first) return { path: "(all)", expected: before.text, found: after.text };
  return { path: pathText(first.path), expected: first.left, found: first.right };
}

function outcomeOf({ text, refused }: Folded): unknown {
  if (text !== null) return JSON.parse(text);
  if (refused === null) return null;
  const { seq, reason } = refused;
  return `refused ${seq === null ? "when it was encoded" : `at sequence ${seq}`}: ${reason}`;
}

/** Folds both ways again, event by event. */
function firstPartings(
  sample: readonly SampledAggregate[],
  way: Way,
  tools: FoldTools,
  positions: readonly number[],
): Map<number, { seq: number; type: string }> {
  const first = new Map<number, { seq: number; type: string }>();
  if (positions.length === 0) return first;
  const traced = new Set(positions);
  const before = foldSample(sample, PLAIN, tools, { traced });
  const after = foldSample(sample, way, tools, { traced });
  for (const i of positions) {
    const other = after[i]?.trace ?? [];
    const parted = before[i]?.trace.find(({ hash }, at) => other[at]?.hash !== hash);
    if (parted) first.set(i, { seq: parted.seq, type: parted.type });
  }
  return first;
}
