import {
  type CompiledProjection,
  type DecodedEvent,
  type DomainCodec,
  entryKey,
  errorMessage,
  isMalformed,
  type MalformedEvent,
  type SequenceRange,
  type StreamMessage,
} from "@cim-replay/core";
import type { EntryFacts } from "./entry-facts.ts";
import type { EntryTable } from "./entry-table.ts";
import { ContentChains, type ContentDigest } from "./content-chain.ts";
import type { Discrepancies } from "./discrepancies.ts";
import { newAggregate, type SeenAggregate } from "./seen-aggregate.ts";
import { isSelective, type Terms } from "./terms.ts";

/** An event outside a quarantine that should be in one. */
export interface UnkeptEvent {
  readonly seq: number;
  readonly aggregate: SeenAggregate | null;
  readonly reason: string;
}

const MAX_UNKEPT = 1_000;

export interface StreamFoldOptions {
  readonly domain: string;
  readonly codec: DomainCodec;
  /** Null: the whole domain. */
  readonly aggregateId: string | null;
  /** Whose messages are digested, and counted as the partitions'. */
  readonly range: SequenceRange;
  readonly partitions: number;
  readonly partitionOf: (routeKey: string) => number;
  readonly digest: boolean;
  /** Null: nothing is folded. */
  readonly projection: CompiledProjection | null;
  readonly projectionSha256: string | null;
  readonly entries: EntryTable;
  readonly termsOf: (run: string | null) => Terms;
  /** Of aggregates without an entry. */
  readonly defaultTerms: Terms;
  /** Whether events may have gone from the stream's front that such an entry holds: its state is then not known. */
  readonly mayLack?: (entry: EntryFacts | null) => boolean;
  readonly found: Discrepancies;
}

/** Takes a stream's messages, in order, and feeds digests, exact counts and the refold with them. Pure of I/O. */
export class StreamFold {
  foreign = 0;
  unkeptTotal = 0;
  readonly unkept: UnkeptEvent[] = [];
  readonly #options: StreamFoldOptions;
  readonly #byRouteKey = new Map<string, SeenAggregate>();
  readonly #named = new Map<string, SeenAggregate>();
  readonly #chains: ContentChains;

  constructor(options: StreamFoldOptions) {
    this.#options = options;
    this.#chains = new ContentChains(options.partitions);
  }

  get aggregates(): Iterable<SeenAggregate> {
    return this.#byRouteKey.values();
  }

  /** By the entry's key. */
  get(key: string): SeenAggregate | undefined {
    return this.#named.get(key);
  }

  /** Events that the run which is verified should have taken into account. */
  dueEvents(aggregate: SeenAggregate): number {
    if (aggregate.terms !== this.#options.defaultTerms) return aggregate.dueOtherwise;
    return aggregate.events + aggregate.missed;
  }

  /** Whether a run that the ledger knows should have taken this event into account, or put it away. */
  isDue(seq: number, aggregate: SeenAggregate | null): boolean {
    const terms = aggregate?.terms ?? this.#options.defaultTerms;
    return terms.isKnown && seq >= terms.fromSeq && seq <= terms.toSeq && !terms.leftOut.has(seq);
  }

  /** Call once, after the last message. */
  contentByPartition(): ContentDigest[] {
    return this.#chains.end();
  }

  take(message: StreamMessage): void {
    const { codec } = this.#options;
    const routeKey = codec.route(message.subject);
    if (routeKey === undefined) {
      this.foreign += 1;
      return;
    }
    const event = routeKey === null ? codec.decode(message, null) : null;
    if (event !== null && isMalformed(event)) {
      this.#takeNameless(message, event.reason);
      return;
    }
    const aggregate = this.#aggregate(routeKey ?? event?.aggregateId ?? "");
    if (!aggregate) return;
    this.#digest(message, aggregate);
    this.#count(message, aggregate, event);
  }

  /** Malformed, and its subject names nobody: such a message belongs to the first partition. */
  #takeNameless(message: StreamMessage, reason: string): void {
    const { range, defaultTerms, digest } = this.#options;
    if (message.seq < range.fromSeq || message.seq > range.toSeq) return;
    if (digest) this.#chains.add(0, message);
    if (defaultTerms.leftOut.has(message.seq) || defaultTerms.filter?.mayTake(message, null) === false) return;
    this.#keepNote(message.seq, null, reason);
  }

  #aggregate(routeKey: string): SeenAggregate | undefined {
    const known = this.#byRouteKey.get(routeKey);
    if (known) return known;
    const { aggregateId, partitionOf, defaultTerms } = this.#options;
    const isElsewhere = aggregateId !== null && routeKey !== aggregateId;
    if (isElsewhere) return undefined;
    // The routing key is a slice that would keep its whole subject in memory.
    const own = Buffer.from(routeKey).toString();
    const aggregate = newAggregate(own, partitionOf(own), defaultTerms);
    this.#byRouteKey.set(own, aggregate);
    return aggregate;
  }

  #digest(message: StreamMessage, aggregate: SeenAggregate): void {
    const { range, digest } = this.#options;
    if (message.seq < range.fromSeq || message.seq > range.toSeq || aggregate.partition < 0) return;
    aggregate.messages += 1;
    if (digest) this.#chains.add(aggregate.partition, message);
  }

  #count(message: StreamMessage, aggregate: SeenAggregate, decoded: DecodedEvent | null): void {
    const { seq } = message;
    const { codec, projection } = this.#options;
    let event: DecodedEvent | MalformedEvent | null = decoded;
    if (aggregate.id === null) {
      event ??= codec.decode(message, aggregate.routeKey);
      if (!isMalformed(event)) this.#name(aggregate, event.aggregateId);
    }
    const { terms } = aggregate;
    if (terms !== this.#options.defaultTerms) this.#countDue(message, aggregate, event);
    if (seq < terms.fromSeq) return;
    if (terms.leftOut.has(seq)) {
      this.#leaveOut(message, aggregate);
      return;
    }
    const isSelected = isSelective(terms);
    if (projection !== null || isSelected) event ??= codec.decode(message, aggregate.routeKey);
    if (event !== null && isMalformed(event)) {
      const isWanted = terms.filter?.mayTake(message, aggregate.routeKey) !== false;
      if (isWanted && seq <= terms.toSeq) this.#keepNote(seq, aggregate, event.reason);
      return;
    }
    if (event !== null && !this.#belongs(seq, event, aggregate)) return;
    if (event !== null && isSelected && !isAskedFor(terms, message, event)) return;
    if (seq > terms.toSeq) aggregate.behind += 1;
    else if (seq > aggregate.upToSeq) this.#missed(seq, aggregate);
    else this.#held(seq, aggregate, event);
  }

  #countDue(message: StreamMessage, aggregate: SeenAggregate, decoded: DecodedEvent | MalformedEvent | null): void {
    const { defaultTerms: terms, codec } = this.#options;
    const { seq } = message;
    if (seq < terms.fromSeq || seq > terms.toSeq || terms.leftOut.has(seq)) return;
    if (isSelective(terms)) {
      const event = decoded ?? codec.decode(message, aggregate.routeKey);
      if (isMalformed(event) || !isAskedFor(terms, message, event)) return;
    } else if (decoded !== null && isMalformed(decoded)) return;
    aggregate.dueOtherwise += 1;
  }

  #missed(seq: number, aggregate: SeenAggregate): void {
    // An entry of an unknown run is as old as it says.
    if (!aggregate.terms.isKnown) {
      aggregate.behind += 1;
      return;
    }
    if (aggregate.missed === 0) aggregate.firstMissedSeq = seq;
    aggregate.missed += 1;
  }

  #held(seq: number, aggregate: SeenAggregate, event: DecodedEvent | null): void {
    aggregate.events += 1;
    aggregate.lastSeq = seq;
    const { projection } = this.#options;
    if (projection === null || event === null || aggregate.entry === null || aggregate.refused !== null) return;
    try {
      aggregate.state ??= projection.initial(event.aggregateId);
      aggregate.state = projection.apply(aggregate.state, event);
    } catch (error) {
      aggregate.refused = { seq, reason: errorMessage(error) };
      aggregate.state = undefined;
    }
  }

  /** Whoever left it out is not simply believed: it must be bad for this reader too. */
  #leaveOut(message: StreamMessage, aggregate: SeenAggregate): void {
    aggregate.leftOut += 1;
    const { codec, found } = this.#options;
    const event = codec.decode(message, aggregate.routeKey);
    if (isMalformed(event)) return;
    const kept = aggregate.terms.leftOut.get(message.seq);
    if (kept?.kind !== "decode" && !this.#accepts(aggregate, event)) return;
    found.add(
      "quarantine",
      `Event ${message.seq} was left out as bad (${kept?.reason}), and nothing is wrong with it.`,
      {
        key: aggregate.key,
        sequence: message.seq,
      },
    );
  }

  /** False also where this cannot be told: without the very projection, or without the state that was before the event. */
  #accepts(aggregate: SeenAggregate, event: DecodedEvent): boolean {
    const { projection, projectionSha256, mayLack } = this.#options;
    const { terms, entry, events } = aggregate;
    if (mayLack?.(entry)) return false;
    if (projection === null || terms.projectionSha256 !== projectionSha256) return false;
    return (entry !== null || events === 0) && !refuses(projection, aggregate, event);
  }

  #name(aggregate: SeenAggregate, id: string): void {
    const key = entryKey(this.#options.domain, id);
    const other = this.#named.get(key);
    if (other) {
      this.#options.found.add(
        "routing",
        `The subject tokens "${other.routeKey}" and "${aggregate.routeKey}" both hold aggregate "${id}": its order is nobody's.`,
        { key },
      );
    }
    aggregate.id = id === aggregate.routeKey ? aggregate.routeKey : id;
    aggregate.key = key;
    this.#named.set(key, aggregate);
    const entry = this.#options.entries.get(key);
    if (!entry) return;
    aggregate.entry = entry;
    aggregate.terms = this.#options.termsOf(entry.stated?.run ?? null);
    aggregate.upToSeq = entry.stated?.lastSeq ?? Number.POSITIVE_INFINITY;
  }

  #belongs(seq: number, event: DecodedEvent, aggregate: SeenAggregate): boolean {
    if (event.aggregateId === aggregate.id) return true;
    this.#options.found.add(
      "routing",
      `The subject token "${aggregate.routeKey}" holds "${aggregate.id}" and, at sequence ${seq}, "${event.aggregateId}".`,
      { key: aggregate.key, sequence: seq },
    );
    return false;
  }

  #keepNote(seq: number, aggregate: SeenAggregate | null, reason: string): void {
    this.unkeptTotal += 1;
    if (this.unkept.length < MAX_UNKEPT) this.unkept.push({ seq, aggregate, reason });
  }
}

function isOutside(terms: Terms, timeMs: number): boolean {
  return timeMs < (terms.fromTimeMs ?? -Infinity) || timeMs > (terms.toTimeMs ?? Infinity);
}

/** By the times and the filter of the run that wrote the entry. */
export function isAskedFor(terms: Terms, message: StreamMessage, event: DecodedEvent): boolean {
  return !isOutside(terms, event.timestampMs) && (terms.filter?.judge(message, event) ?? "taken") === "taken";
}

/** On a copy, because what throws may have changed the state by half. What cannot be copied counts as refused. */
function refuses(projection: CompiledProjection, aggregate: SeenAggregate, event: DecodedEvent): boolean {
  try {
    projection.apply(structuredClone(aggregate.state ?? projection.initial(event.aggregateId)), event);
    return false;
  } catch {
    return true;
  }
}
