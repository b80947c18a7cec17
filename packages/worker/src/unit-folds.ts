import type { StreamMessage } from "@cim-replay/core";
import type { Aggregates } from "./aggregate-table.ts";
import type { CheckpointMeta, FoldMark } from "./checkpoint-codec.ts";
import { restoreInherited } from "./checkpointer.ts";
import { ContentDigest } from "./content-digest.ts";
import { type ExistingEntries, readExistingEntries } from "./continue-from-entries.ts";
import { shareDecoding } from "./share-decoding.ts";
import type { LiveFigures, UnitContext, UnitTarget } from "./unit-context.ts";
import { type BadEvent, UnitFold, type UnitFoldOptions } from "./unit-fold.ts";
import { WorkingSet } from "./working-set.ts";

/** The digest is of messages, which are the same for every target: the first one's fold makes it. */
const NO_DIGEST = { add: () => undefined };

/** A target's fold, and what its entries held before where the run goes on from them. */
interface TargetFold {
  readonly target: UnitTarget;
  readonly fold: UnitFold;
  readonly existing: ExistingEntries | null;
}

/**
 * The folds of a unit, one for each of the run's targets: each message is read and decoded once and folded by all. They know
 * nothing of each other, so that each ends as it would in a run of its own.
 */
export class UnitFolds {
  readonly first: UnitFold;
  readonly digest: ContentDigest;
  /** As the checkpoint said; null at the start. */
  readonly restored: CheckpointMeta | null;
  readonly #all: readonly TargetFold[];
  /** Null where there are none, so that the usual run pays nothing for them. */
  readonly #others: readonly UnitFold[] | null;
  readonly working: WorkingSet;

  private constructor(
    all: readonly [TargetFold, ...TargetFold[]],
    parts: { digest: ContentDigest; restored: CheckpointMeta | null; working: WorkingSet },
  ) {
    this.first = all[0].fold;
    this.#all = all;
    this.#others = all.length > 1 ? all.slice(1).map(({ fold }) => fold) : null;
    this.digest = parts.digest;
    this.restored = parts.restored;
    this.working = parts.working;
  }

  /** As the unit's last checkpoint left them; `readFromSeq` is where the digest begins. */
  static async open(context: UnitContext, readFromSeq: number): Promise<UnitFolds> {
    const size = { domain: context.plan.domain, targets: context.targets.length };
    const working = await WorkingSet.open(size, context.run.settings, context.log);
    try {
      return await UnitFolds.#openIn(working, context, readFromSeq);
    } catch (error) {
      working.close();
      throw error;
    }
  }

  static async #openIn(working: WorkingSet, context: UnitContext, readFromSeq: number): Promise<UnitFolds> {
    const { claim, unit, targets } = context;
    const existing: (ExistingEntries | null)[] = [];
    for (const target of targets) existing.push(await existingEntries(context, target, working));
    const restored = await restoreInherited(context.checkpoints, claim.record, working);
    const digest = new ContentDigest(unit.partitions.length, readFromSeq, restored?.content ?? null);
    const codecs = targets.length === 1 ? [context.codec] : shareDecoding(context.codec, targets.length);
    const [first, ...others] = working.tables.flatMap((aggregates, at): TargetFold[] => {
      const [target, before] = [targets[at], existing[at] ?? null];
      if (!target) return [];
      const fold = new UnitFold({
        ...foldOptions(context, at),
        aggregates,
        codec: codecs[at] ?? context.codec,
        digest: at === 0 ? digest : NO_DIGEST,
        ...(before && { seed: before.seed }),
      });
      const mark = at === 0 ? restored : restored?.otherTargets?.[at - 1];
      if (mark) fold.restore(mark);
      return [{ target, fold, existing: before }];
    });
    if (!first) throw new Error("a run has at least one target");
    return new UnitFolds([first, ...others], { digest, restored, working });
  }

  get all(): readonly TargetFold[] {
    return this.#all;
  }

  /** Hot. */
  take(message: StreamMessage): void {
    this.first.take(message);
    if (this.#others !== null) for (const fold of this.#others) fold.take(message);
  }

  /** Whether states that skipped events have touched must be folded again. */
  get mustRewind(): boolean {
    return this.#all.some(({ fold }) => fold.toSkip.length > 0);
  }

  get hasBadEvents(): boolean {
    return this.#all.some(({ fold }) => fold.badEvents.length > 0);
  }

  /** On their way to the quarantine; each is told of once. */
  takeBadEvents(): { target: UnitTarget; event: BadEvent }[] {
    return this.#all.flatMap(({ target, fold }) => {
      const taken = fold.badEvents;
      fold.badEvents = [];
      return taken.map((event) => ({ target, event }));
    });
  }

  /** With what entries hold whose aggregates had no event in the range, by target. */
  deliveredByPartition(at: number): number[] {
    const { fold, existing } = this.#all[at] ?? { fold: this.first, existing: null };
    const others = existing?.eventsOfOthers(this.working.table(at).all());
    return fold.deliveredByPartition.map((delivered, i) => delivered + (others?.[i] ?? 0));
  }

  tables(): readonly Aggregates[] {
    return this.working.tables;
  }

  /** Makes room where memory nears its limit. */
  async relieve(): Promise<void> {
    const before = this.working.tables;
    await this.working.relieve(this.first.counts.delivered);
    if (this.working.tables === before) return;
    for (const [at, table] of this.working.tables.entries()) {
      const { fold } = this.#all[at] ?? {};
      if (fold) fold.aggregates = table;
    }
  }

  marks(): FoldMark & Pick<CheckpointMeta, "otherTargets"> {
    const mark = markOf(this.first);
    return this.#others === null ? mark : { ...mark, otherTargets: this.#others.map(markOf) };
  }

  /** What of the unit is not durable yet; `entriesWritten` by target. */
  live(entriesWritten: readonly number[]): LiveFigures {
    const byTarget = this.#all.map(({ fold: { counts } }, at) => ({
      applied: counts.applied,
      quarantined: counts.quarantined,
      entriesWritten: entriesWritten[at] ?? 0,
    }));
    return {
      applied: this.first.counts.applied,
      quarantined: byTarget.reduce((sum, { quarantined }) => sum + quarantined, 0),
      entriesWritten: byTarget.reduce((sum, each) => sum + each.entriesWritten, 0),
      ...(this.#others !== null && { byTarget }),
    };
  }

  /** Their states are gone then. */
  close(): void {
    this.working.close();
  }
}

function markOf({ counts, deliveredByPartition, firstParkedSeq, parkedAggregates }: UnitFold): FoldMark {
  return {
    counts: { ...counts },
    deliveredByPartition: [...deliveredByPartition],
    firstParkedSeq,
    parkedAggregates,
  };
}

async function existingEntries(
  context: UnitContext,
  { plan, projection }: UnitTarget,
  working: WorkingSet,
): Promise<ExistingEntries | null> {
  const { client, run, unit, partitionOfKey } = context;
  if (!run.settings.continueFromEntries) return null;
  return readExistingEntries({
    ...{ client, plan, projection, partitionOfKey, working },
    partitions: unit.partitions.length,
  });
}

function foldOptions(context: UnitContext, at: number): Omit<UnitFoldOptions, "aggregates" | "digest" | "codec"> {
  const { claim, run, unit, filter, partitionOf, targets } = context;
  const { projection, careful } = targets[at] ?? targets[0];
  const { timeBasis, fromTimeMs, toTimeMs, continueFromEntries, skipErrors } = run.settings;
  const byEventTime = timeBasis === "event";
  const { badSequences } = at === 0 ? claim.record : (claim.record.otherTargets[at - 1] ?? { badSequences: [] });
  return {
    projection,
    filter,
    partitionOf,
    careful,
    skipErrors,
    takesNameless: unit.partitions.includes(0),
    // A run that goes on from entries takes all that they lack: leaving out what is older would leave a hole.
    fromTimeMs: byEventTime && !continueFromEntries ? fromTimeMs : null,
    toTimeMs: byEventTime ? toTimeMs : null,
    badSequences: new Set(badSequences),
    partitions: unit.partitions.length,
  };
}
