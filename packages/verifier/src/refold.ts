import { setImmediate as turn } from "node:timers/promises";
import { hash } from "node:crypto";
import { type CompiledProjection, errorMessage } from "@cim-replay/core";
import type { Check, Discrepancies } from "./discrepancies.ts";
import type { Expired } from "./expired.ts";
import type { SeenAggregate } from "./seen-aggregate.ts";

const TURN_EVERY_MS = 100;

export interface RefoldInput {
  /** Each with the state that the refold came to; it is taken away here, so that memory falls as this goes on. */
  readonly aggregates: Iterable<SeenAggregate>;
  readonly projection: CompiledProjection;
  readonly projectionSha256: string;
  readonly expired: Expired;
  readonly signal: AbortSignal;
}

/** An entry whose value is not what folding its events gives. */
export interface Mismatch {
  readonly aggregate: SeenAggregate;
  readonly key: string;
  /** The whole value, as canonical JSON. */
  readonly expectedSha256: string;
  readonly foundSha256: string;
}

export interface Refolded {
  readonly compared: number;
  /** Written with another projection than this one, so that nothing follows from a difference. */
  readonly otherProjection: number;
  /** Of unknown origin, with events that cannot be folded: nobody knows what their writer did with them. */
  readonly unfoldable: number;
  /** Events of theirs have gone from the stream's front. */
  readonly expired: number;
  readonly mismatches: readonly Mismatch[];
}

/** Encodes what the refold came to and compares it with the entries, byte for byte by SHA-256. */
export async function compareValues(input: RefoldInput, found: Discrepancies): Promise<Refolded> {
  const mismatches: Mismatch[] = [];
  const tally = { compared: 0, otherProjection: 0, unfoldable: 0 };
  const { expired } = input;
  let turnedAt = performance.now();
  for (const aggregate of input.aggregates) {
    // A million values take seconds, in which leases must be renewed, and a person may think better of it.
    if (performance.now() - turnedAt > TURN_EVERY_MS) {
      await turn();
      input.signal.throwIfAborted();
      turnedAt = performance.now();
    }
    const { entry, key, terms, refused } = aggregate;
    const { state } = aggregate;
    aggregate.state = undefined;
    if (entry === null || key === null || (aggregate.events === 0 && refused === null)) continue;
    if (expired.has(key)) continue;
    if (terms.projectionSha256 !== null && terms.projectionSha256 !== input.projectionSha256)
      tally.otherProjection += 1;
    else if (refused !== null) {
      if (terms.isKnown) reportRefused(aggregate, refused, found);
      else tally.unfoldable += 1;
    } else {
      tally.compared += 1;
      const expectedSha256 = encodedSha256(input.projection, state, aggregate, found);
      if (expectedSha256 !== null && expectedSha256 !== entry.canonicalSha256) {
        mismatches.push({ aggregate, key, expectedSha256, foundSha256: entry.sha256 });
      }
    }
  }
  return { ...tally, expired: expired.size, mismatches };
}

/** `unsearched`: of how many differing entries nobody looked for the event since which they differ. */
export function refoldCheck(refolded: Refolded | string, found: Discrepancies, unsearched = 0): Check {
  if (typeof refolded === "string") {
    return found.check({ kinds: ["value"], compared: false, why: refolded, evidence: {} });
  }
  const { compared, otherProjection, unfoldable, expired, mismatches } = refolded;
  const why = [
    otherProjection > 0 ? `${otherProjection} entries were written with another projection.` : null,
    unfoldable > 0 ? `${unfoldable} entries of unknown origin have events that cannot be folded.` : null,
    unsearched > 0
      ? `For ${unsearched} of the entries that differ, the event since which they do was not searched: \`verify-aggregate\` does that for one.`
      : null,
    expired > 0 ? `${expired} entries have events before the stream's first sequence and cannot be refolded.` : null,
  ].filter((reason) => reason !== null);
  return found.check({
    kinds: ["value"],
    compared: compared > 0 || otherProjection + unfoldable + expired === 0,
    why: why.length > 0 ? why.join(" ") : null,
    evidence: {
      values: compared,
      differ: mismatches.length,
      otherProjection,
      unfoldable,
      ...(expired > 0 && { expired }),
    },
  });
}

function encodedSha256(
  projection: CompiledProjection,
  state: unknown,
  { key, lastSeq }: SeenAggregate,
  found: Discrepancies,
): string | null {
  try {
    return hash("sha256", projection.encode(state));
  } catch (error) {
    found.add("value", `Entry ${key} cannot be what the projection gives, which has no value: ${errorMessage(error)}`, {
      ...{ key, sequence: lastSeq },
    });
    return null;
  }
}

function reportRefused(
  { key, entry }: SeenAggregate,
  { seq, reason }: { seq: number; reason: string },
  found: Discrepancies,
): void {
  found.add(
    "value",
    `Entry ${key} should hold event ${seq}, which the projection refuses (${reason}), and no quarantine has it.`,
    {
      ...{ key, sequence: seq, found: entry?.sha256 ?? null },
    },
  );
}
