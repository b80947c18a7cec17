import { type CompiledProjection, type DomainCodec, isMalformed, type StreamMessage } from "@cim-replay/core";
import { getEntry, type NatsClient, readSequential } from "@cim-replay/nats";
import type { Discrepancies } from "./discrepancies.ts";
import { type Difference, firstDifference, pathText } from "./first-difference.ts";
import { PartingSearch } from "./parting-search.ts";
import type { Mismatch } from "./refold.ts";
import type { SeenAggregate } from "./seen-aggregate.ts";
import { isAskedFor } from "./stream-fold.ts";

/** Each costs a reading of its aggregate's events, and a value for each event. */
const MAX_EXPLAINED = 20;
const MAX_EVENTS = 20_000;

export interface PartingOptions {
  readonly client: NatsClient;
  readonly bucket: string;
  readonly stream: { readonly name: string; readonly created: string };
  readonly codec: DomainCodec;
  readonly projection: CompiledProjection;
  readonly signal: AbortSignal;
}

/**
 * Names each entry whose value is not what its events give; for the first of them where in the value they differ, and from
 * which event on, by folding that aggregate again event by event.
 */
export async function reportMismatches(
  options: PartingOptions,
  mismatches: readonly Mismatch[],
  found: Discrepancies,
): Promise<void> {
  for (const [at, mismatch] of mismatches.entries()) {
    const { key, aggregate, expectedSha256, foundSha256 } = mismatch;
    const parting = at < MAX_EXPLAINED ? await explain(options, mismatch) : null;
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
}

interface Parting {
  readonly difference: Difference;
  readonly sequence: number | null;
  readonly text: string;
}

/** Null where the value is gone by now, or has too many events to be folded twice. */
async function explain(options: PartingOptions, { key, aggregate }: Mismatch): Promise<Parting | null> {
  if (aggregate.events > MAX_EVENTS) return null;
  const entry = await getEntry(options.client, options.bucket, key);
  if (!entry || entry.deleted || entry.revision !== aggregate.entry?.revision) return null;
  let expected: string | null = null;
  for await (const { text } of foldEventByEvent(options, aggregate)) expected = text;
  if (expected === null) return null;
  const text = Buffer.from(entry.value).toString("utf8");
  const found = parse(text);
  if (found === undefined) return whole(expected, text, "what is found is no JSON.");
  const difference = firstDifference(JSON.parse(expected), found);
  if (!difference) return whole(expected, text, "it is the same value in other bytes.");
  const search = new PartingSearch(difference, text);
  for await (const value of foldEventByEvent(options, aggregate)) search.take(value.seq, value.text);
  return { difference, ...search.result() };
}

/** The value after each event that the entry must hold, one at a time. */
async function* foldEventByEvent(
  options: PartingOptions,
  aggregate: SeenAggregate,
): AsyncGenerator<{ seq: number; text: string }> {
  const { client, stream, codec, projection, signal } = options;
  const read = {
    ...{ stream: stream.name, created: stream.created, signal },
    range: { fromSeq: aggregate.terms.fromSeq, toSeq: aggregate.lastSeq },
    filterSubjects: codec.aggregateSubjects(aggregate.routeKey) ?? codec.subjects,
  };
  let state: unknown;
  for await (const batch of readSequential(client, read)) {
    for (const message of batch) {
      const event = eventOf(message, codec, aggregate);
      if (!event) continue;
      state = projection.apply(state ?? projection.initial(event.aggregateId), event);
      yield { seq: message.seq, text: projection.encode(state) };
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
  return { difference: { path: [], expected, found }, sequence: null, text };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
