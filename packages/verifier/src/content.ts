import type { Plan, UnitRecord } from "@cim-replay/core";
import type { ContentDigest } from "./content-chain.ts";
import type { Check, Discrepancies } from "./discrepancies.ts";

/** The digests that the workers recorded of what they were handed, by partition of the plan; null where there is none. */
export function recordedContent(plan: Plan, units: readonly UnitRecord[]): (ContentDigest | null)[] {
  return byPartition(plan, units, (unit, at) => unit.contentByPartition[at] ?? null);
}

export function byPartition<T>(
  plan: Plan,
  units: readonly UnitRecord[],
  of: (unit: UnitRecord, at: number) => T | null,
): (T | null)[] {
  const values = plan.partitions.map((): T | null => null);
  for (const planned of plan.units) {
    const unit = units.find(({ id }) => id === planned.id);
    if (!unit) continue;
    for (const [at, partition] of planned.partitions.entries()) values[partition] = of(unit, at);
  }
  return values;
}

/** Was each worker handed what the stream holds, byte for byte and in order? `read` is null where nothing was read. */
export function checkContent(
  recorded: readonly (ContentDigest | null)[],
  read: readonly ContentDigest[] | null,
  found: Discrepancies,
  whyNotRead = "This level does not read the stream.",
): Check {
  let compared = 0;
  for (const [partition, digest] of recorded.entries()) {
    const own = read?.[partition];
    if (!own || !digest) continue;
    compared += 1;
    if (own.sha256 === digest.sha256 && own.events === digest.events) continue;
    const differ = own.events === digest.events ? "its bytes or their order differ" : "their number differs";
    found.add(
      "content",
      `Partition ${partition}: the worker was handed other messages than the stream holds, ${differ}.`,
      {
        partition,
        expected: `${own.events} messages, ${own.sha256}`,
        found: `${digest.events} messages, ${digest.sha256}`,
      },
    );
  }
  const lacking = recorded.length - compared;
  return found.check({
    kinds: ["content"],
    compared: compared > 0,
    why: !read
      ? whyNotRead
      : lacking === 0 && recorded.length > 0
        ? null
        : recorded.length === 0
          ? "No run is verified: nobody recorded what it was handed."
          : `The record holds no digest of ${lacking} partitions.`,
    evidence: { partitions: compared, messages: read?.reduce((sum, { events }) => sum + events, 0) ?? 0 },
  });
}
