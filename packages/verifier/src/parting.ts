import { setImmediate as turn } from "node:timers/promises";
import { type CompiledProjection, type DomainCodec, isMalformed, type StreamMessage } from "@cim-replay/core";
import { getEntry, type NatsClient, readSequential } from "@cim-replay/nats";
import type { Discrepancies } from "./discrepancies.ts";
import { type Difference, firstDifference, pathText } from "./first-difference.ts";
import { PartingSearch } from "./parting-search.ts";
import type { Mismatch } from "./refold.ts";
import type { SeenAggregate } from "./seen-aggregate.ts";
import { isAskedFor } from "./stream-fold.ts";

/** Each costs two readings of its aggregate's events, and a value for each event: with large states, a second and more. */
const MAX_EXPLAINED = 20;
const MAX_EVENTS = 20_000;
const MAX_MS = 10_000;
const MAX_MS_EACH = 2_000;
const TURN_EVERY_MS = 100;

export interface PartingOptions {
  readonly client: NatsClient;
  readonly bucket: string;
  readonly stream: { readonly name: string; readonly created: string };
  readonly codec: DomainCodec;
  readonly projection: CompiledProjection;
  readonly signal: AbortSignal;
}

/**
 * Names each entry whose value is not what its events give; for the first of them, as far as ten seconds reach, where in the
 * value they differ, and from which event on, by folding that aggregate again event by event. Returns for how many the event
 * was not searched.
 */
export async function reportMismatches(
  options: PartingOptions,
  mismatches: readonly Mismatch[],
  found: Discrepancies,
): Promise<number> {
  const deadline = performance.now() + MAX_MS;
  let unsearched = 0;
  for (const [at, mismatch] of mismatches.entries()) {
    const { key, aggregate, expectedSha256, foundSha256 } = mismatch;
    const until = mismatches.length === 1 ? deadline : Math.min(deadline, performance.now() + MAX_MS_EACH);
    const isInTime = at < MAX_EXPLAINED && performance.now() < deadline;
    const parting = isInTime ? await explain(options, mismatch, until) : null;
    if (!parting?.isSearched) unsearched += 1;
    if (parting) {
      const { difference, sequence, text } = parting;
      const where = `Entry ${key} differs at ${pathText(difference.path)}: ${text}`;
      found.add("value", where, { key, sequence, expected: difference.expected, found: difference.found });
      continue;
    }
    found.add("value", `Entry ${key} is not what its ${aggregate.events} events give.`, {
      ...{ key, sequence: aggregate.lastSeq, expected: expectedSha256, found: foundSha256 },
    });
  }
  return unsearched;
}

interface Parting {
  readonly difference: Difference;
  readonly sequence: number | null;
  readonly text: string;
  /** False where time ran out before the event was found. */
  readonly isSearched: boolean;
}

/** Null where the value is gone by now, has too many events to be folded twice, or takes too long to be folded once. */
async function explain(options: PartingOptions, { key, aggregate }: Mismatch, until: number): Promise<Parting | null> {
  if (aggregate.events > MAX_EVENTS) return null;
  const entry = await getEntry(options.client, options.bucket, key);
  if (!entry || entry.deleted || entry.revision !== aggregate.entry?.revision) return null;
  let last: unknown;
  for await (const { state } of foldEventByEvent(options, aggregate)) {
    if (performance.now() > until) return null;
    last = state;
  }
  if (last === undefined) return null;
  const expected = options.projection.encode(last);
  const text = Buffer.from(entry.value).toString("utf8");
  const found = parse(text);
  if (found === undefined) return whole(expected, text, "what is found is no JSON.");
  const difference = firstDifference(JSON.parse(expected), found);
  if (!difference) return whole(expected, text, "it is the same value in other bytes.");
  const search = new PartingSearch(difference, text);
  for await (const { seq, state } of foldEventByEvent(options, aggregate)) {
    if (performance.now() > until) return unsearchedAt(difference);
    search.take(seq, options.projection.encode(state));
  }
  return { difference, ...search.result(), isSearched: true };
}

/** The state after each event that the entry must hold, one at a time: it is the fold's own, and changes with the next. */
async function* foldEventByEvent(
  options: PartingOptions,
  aggregate: SeenAggregate,
): AsyncGenerator<{ seq: number; state: unknown }> {
  const { client, stream, codec, projection, signal } = options;
  const read = {
    ...{ stream: stream.name, created: stream.created, signal },
    range: { fromSeq: aggregate.terms.fromSeq, toSeq: aggregate.lastSeq },
    filterSubjects: codec.aggregateSubjects(aggregate.routeKey) ?? codec.subjects,
  };
  let state: unknown;
  let turnedAt = performance.now();
  for await (const batch of readSequential(client, read)) {
    for (const message of batch) {
      const event = eventOf(message, codec, aggregate);
      if (!event) continue;
      state = projection.apply(state ?? projection.initial(event.aggregateId), event);
      yield { seq: message.seq, state };
      if (performance.now() - turnedAt < TURN_EVERY_MS) continue;
      await turn();
      signal.throwIfAborted();
      turnedAt = performance.now();
    }
  }
}

/** The event, where it is one of those that the entry must hold. */
function eventOf(message: StreamMessage, codec: DomainCodec, { routeKey, id, terms }: SeenAggregate) {
  const key = codec.route(message.subject);
  if (key === undefined || (key !== null && key !== routeKey) || terms.leftOut.has(message.seq)) return null;
  const event = codec.decode(message, key);
  if (isMalformed(event) || event.aggregateId !== id) return null;
  return isAskedFor(terms, message, event) ? event : null;
}

function whole(expected: string, found: string, text: string): Parting {
  return { difference: { path: [], expected, found }, sequence: null, text, isSearched: true };
}

function unsearchedAt(difference: Difference): Parting {
  const { expected, found } = difference;
  const text = `${expected ?? "nothing"} was expected, ${found ?? "nothing"} is found.`;
  return { difference, sequence: null, text, isSearched: false };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
