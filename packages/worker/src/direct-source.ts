import { DeletedSequences, type Plan, SourceChangedError } from "@cim-replay/core";
import { deletedWithin, deletionsSha256, type NatsClient } from "@cim-replay/nats";
import { SequenceAccountant } from "./accountant.ts";
import { readRange } from "./read-range.ts";
import type { UnitContext } from "./unit-context.ts";
import type { SourceStart, UnitSource } from "./unit-source.ts";

/** The unit reads the range by itself, and with its own messages all others'. */
export class DirectSource implements UnitSource {
  readonly #context: UnitContext;
  readonly #accountant: SequenceAccountant;
  /** What the server filtered out is not to be told from what is deleted. */
  readonly #isUnfiltered: boolean;

  constructor(context: UnitContext, deleted: DeletedSequences, { fromSeq, deliveredBySlice }: SourceStart) {
    const { stream, slices, read } = context.plan;
    this.#context = context;
    this.#isUnfiltered = read.filterSubjects.length === 0;
    this.#accountant = new SequenceAccountant({ stream: stream.name, slices, deleted, fromSeq, deliveredBySlice });
  }

  get deliveredBySlice(): readonly number[] {
    return this.#accountant.deliveredBySlice;
  }

  read(fromSeq: number) {
    const { range, read } = this.#context.plan;
    return readRange(this.#context, { fromSeq, toSeq: range.toSeq }, read.filterSubjects);
  }

  delivered(seq: number): void {
    if (this.#isUnfiltered) this.#accountant.delivered(seq);
  }

  close(): number {
    if (!this.#isUnfiltered) return 0;
    const { range, deleted } = this.#context.plan;
    this.#accountant.ended(range.toSeq);
    this.#accountant.assertSlicesClose();
    return deleted.count;
  }
}

/** The deletions that the plan knows of; anything else that is missing was deleted since. */
export async function pinnedDeletions(client: NatsClient, plan: Plan): Promise<DeletedSequences> {
  if (plan.deleted.count === 0 || plan.read.filterSubjects.length > 0) return new DeletedSequences([]);
  const deleted = await deletedWithin(client, plan.stream.name, plan.range);
  const sha256 = deletionsSha256(deleted);
  if (sha256 === plan.deleted.sha256) return deleted;
  throw new SourceChangedError(
    `Cannot account for ${plan.stream.name}: ${deleted.count} sequences are deleted, the plan knew of ${plan.deleted.count}. ` +
      "Messages were deleted under the run; start a new one.",
  );
}
