import {
  type CompiledProjection,
  type DecodedEvent,
  type DomainCodec,
  emptyCounts,
  errorMessage,
  isMalformed,
  type StreamMessage,
  type UnitCounts,
} from "@cim-replay/core";
import type { CompiledFilter } from "@cim-replay/filter";
import { type Aggregate, type Aggregates, assertSameId } from "./aggregate-table.ts";
import type { FoldMark } from "./checkpoint-codec.ts";
import type { ContentDigest } from "./content-digest.ts";
import { copyOf } from "./packed-chunk.ts";
import { RepeatedIds } from "./repeated-ids.ts";

const ELSEWHERE = -1;

/** An event that could not be taken, on its way to the quarantine. */
export interface BadEvent {
  readonly message: StreamMessage;
  readonly aggregateId: string | null;
  readonly kind: "decode" | "evolve";
  readonly reason: string;
}

export interface UnitFoldOptions {
  /** Empty, or as a checkpoint left them. */
  readonly aggregates: Aggregates;
  readonly codec: DomainCodec;
  readonly projection: CompiledProjection;
  /** Partition of a routing key, as its position in the unit's list; -1 where it is another unit's. */
  readonly partitionOf: (routeKey: string) => number;
  /** Takes the events that have no aggregate, so that exactly one unit does. */
  readonly takesNameless: boolean;
  readonly fromTimeMs: number | null;
  readonly toTimeMs: number | null;
  /** Null: every event is asked for. */
  readonly filter: CompiledFilter | null;
  /** How many bad events may be skipped; those beyond park their aggregates. */
  readonly skipErrors: number;
  readonly badSequences: ReadonlySet<number>;
  /**
   * Ids of aggregates that had an event refused in an earlier pass. Where one is, others are likely: their states are
   * copied before each event, so that the next refusal needs no new pass. Grows here.
   */
  readonly careful: Set<string>;
  /** How many the unit has. */
  readonly partitions: number;
  readonly digest: Pick<ContentDigest, "add">;
  /** Gives an aggregate what its entry already holds, in a run that goes on from entries; returns how many events. */
  readonly seed?: (aggregate: Aggregate) => number;
}

/**
 * Routes, decodes and folds a unit's messages, in order, one at a time. Pure of I/O: what must be kept of bad events
 * waits in `badEvents` for the caller.
 */
export class UnitFold {
  /** Another one, with the same in it, where memory has no room for this. */
  aggregates: Aggregates;
  counts: UnitCounts = emptyCounts();
  deliveredByPartition: number[];
  badEvents: BadEvent[] = [];
  /** Sequences whose event `evolve` threw on, to be skipped: the states they may have half changed must be folded again. */
  readonly toSkip: number[] = [];
  firstParkedSeq: number | null = null;
  parkedAggregates = 0;
  lastEvent: DecodedEvent | null = null;

  /** Never given to `evolve`: those that were found bad in an earlier pass. */
  readonly badSequences: ReadonlySet<number>;

  /** Not the aggregates, which may be others by now. */
  readonly #options: Omit<UnitFoldOptions, "aggregates">;
  readonly #repeatedIds = new RepeatedIds();

  constructor({ aggregates, ...options }: UnitFoldOptions) {
    this.#options = options;
    this.aggregates = aggregates;
    this.badSequences = options.badSequences;
    this.deliveredByPartition = new Array<number>(options.partitions).fill(0);
  }

  /** Goes on from a checkpoint, whose states are in the table already. */
  restore(meta: FoldMark): void {
    this.counts = { ...meta.counts };
    this.deliveredByPartition = [...meta.deliveredByPartition];
    this.firstParkedSeq = meta.firstParkedSeq;
    this.parkedAggregates = meta.parkedAggregates;
  }

  take(message: StreamMessage): void {
    this.counts.delivered += 1;
    const known = this.#known(message);
    if (known) this.#takeRouted(message, known.routeKey, known);
    else this.#takeUnknown(message);
  }

  /** Only puts the message to its partition's digest again: it lies before the checkpoint, in the same block. */
  rehash(message: StreamMessage): void {
    const partition = this.#known(message)?.partition ?? this.#partitionOf(message);
    if (partition >= 0) this.#options.digest.add(partition, message);
  }

  #partitionOf(message: StreamMessage): number {
    const { codec, takesNameless, partitionOf } = this.#options;
    const routeKey = codec.route(message.subject);
    if (routeKey === undefined) return ELSEWHERE;
    if (routeKey !== null) return partitionOf(routeKey);
    const event = codec.decode(message, null);
    if (!isMalformed(event)) return partitionOf(event.aggregateId);
    return takesNameless ? 0 : ELSEWHERE;
  }

  /** The usual case, without making texts of subjects. */
  #known({ raw }: StreamMessage): Aggregate | undefined {
    if (raw === undefined) return undefined;
    const place = this.#options.codec.locate(raw);
    return place && this.aggregates.find(raw.bytes, place);
  }

  #takeUnknown(message: StreamMessage): void {
    const routeKey = this.#options.codec.route(message.subject);
    if (routeKey === undefined) this.counts.foreign += 1;
    else if (routeKey === null) this.#takeByEnvelope(message);
    else this.#takeRouted(message, routeKey, this.aggregates.get(routeKey));
  }

  #takeRouted(message: StreamMessage, routeKey: string, known: Aggregate | undefined): void {
    const partition = known ? known.partition : this.#options.partitionOf(routeKey);
    if (partition < 0) {
      this.counts.elsewhere += 1;
      return;
    }
    this.#delivered(partition, message);
    if (this.#isKnownBad(message)) return;
    const event = this.#options.codec.decode(message, routeKey);
    if (isMalformed(event)) this.#malformed(message, event.reason, routeKey, partition);
    else this.#event(message, event, known ?? this.#add(routeKey, event.aggregateId, partition));
  }

  /** Where subjects hold no id, the event must be decoded before it is known whose it is. */
  #takeByEnvelope(message: StreamMessage): void {
    const event = this.#options.codec.decode(message, null);
    if (isMalformed(event)) {
      if (!this.#options.takesNameless) {
        this.counts.elsewhere += 1;
        return;
      }
      this.#delivered(0, message);
      if (!this.#isKnownBad(message)) this.#malformed(message, event.reason, null, 0);
      return;
    }
    const known = this.aggregates.get(event.aggregateId);
    const partition = known ? known.partition : this.#options.partitionOf(event.aggregateId);
    if (partition < 0) {
      this.counts.elsewhere += 1;
      return;
    }
    this.#delivered(partition, message);
    if (this.#isKnownBad(message)) return;
    this.#event(message, event, known ?? this.#add(event.aggregateId, event.aggregateId, partition));
  }

  #event(message: StreamMessage, event: DecodedEvent, aggregate: Aggregate): void {
    // A parked one may have its id from the subject alone, where its first event was malformed.
    if (!aggregate.parked) assertSameId(aggregate, event.aggregateId, message.seq);
    if (message.seq <= aggregate.appliedUpToSeq) {
      this.counts.alreadyApplied += 1;
      // Counted with the entry that holds it.
      this.#countDelivered(aggregate.partition, -1);
      return;
    }
    if (this.#isFilteredByTime(message, event) || this.#isFilteredOut(message, event)) {
      this.counts.filtered += 1;
      return;
    }
    if (aggregate.parked) {
      this.counts.parked += 1;
      return;
    }
    const { projection, careful } = this.#options;
    const copy = careful.size > 0 && careful.has(aggregate.id) ? copyOf(aggregate.state) : null;
    try {
      aggregate.state ??= projection.initial(aggregate.id);
      aggregate.state = projection.apply(aggregate.state, event);
    } catch (error) {
      if (copy) aggregate.state = copy.state;
      this.#refused(message, aggregate, errorMessage(error), copy !== null);
      return;
    }
    this.#checkChain(event, aggregate);
    aggregate.events += 1;
    aggregate.lastSeq = message.seq;
    this.counts.applied += 1;
    this.lastEvent = event;
    this.aggregates.markChanged(aggregate);
  }

  #add(routeKey: string, id: string, partition: number): Aggregate {
    // A routing key is a slice that would keep its whole subject in memory; an equal id is a text of its own.
    const aggregate = this.aggregates.add(routeKey === id ? id : routeKey, id, partition);
    // Also without an event folded: checkpoints introduce aggregates in the table's order.
    this.aggregates.markChanged(aggregate);
    this.#countDelivered(partition, this.#options.seed?.(aggregate) ?? 0);
    return aggregate;
  }

  #delivered(partition: number, message: StreamMessage): void {
    this.#countDelivered(partition);
    this.#options.digest.add(partition, message);
  }

  #countDelivered(partition: number, events = 1): void {
    this.deliveredByPartition[partition] = (this.deliveredByPartition[partition] ?? 0) + events;
  }

  #isKnownBad(message: StreamMessage): boolean {
    if (this.#options.badSequences.size === 0 || !this.#options.badSequences.has(message.seq)) return false;
    this.counts.quarantined += 1;
    return true;
  }

  #malformed(message: StreamMessage, reason: string, routeKey: string | null, partition: number): void {
    if (this.#options.filter?.mayTake(message, routeKey) === false) {
      this.counts.filtered += 1;
      return;
    }
    this.badEvents.push({ message, aggregateId: routeKey, kind: "decode", reason });
    this.counts.quarantined += 1;
    if (this.#maySkip()) return;
    if (routeKey === null) this.firstParkedSeq ??= message.seq;
    else this.#park(message.seq, this.aggregates.get(routeKey) ?? this.#add(routeKey, routeKey, partition));
  }

  #refused(message: StreamMessage, aggregate: Aggregate, reason: string, isStateWhole: boolean): void {
    this.badEvents.push({ message, aggregateId: aggregate.id, kind: "evolve", reason });
    this.counts.quarantined += 1;
    if (this.#maySkip()) {
      if (isStateWhole) return;
      this.toSkip.push(message.seq);
      this.#options.careful.add(aggregate.id);
    }
    this.#park(message.seq, aggregate);
  }

  #maySkip(): boolean {
    return this.counts.quarantined <= this.#options.skipErrors;
  }

  #park(seq: number, aggregate: Aggregate): void {
    if (aggregate.parked) return;
    aggregate.parked = true;
    this.parkedAggregates += 1;
    this.firstParkedSeq ??= seq;
    this.aggregates.markChanged(aggregate);
  }

  #isFilteredOut(message: StreamMessage, event: DecodedEvent): boolean {
    const { filter } = this.#options;
    if (filter === null) return false;
    const verdict = filter.judge(message, event);
    if (verdict === "undecided") this.counts.undecided += 1;
    return verdict !== "taken";
  }

  #isFilteredByTime(message: StreamMessage, event: DecodedEvent): boolean {
    const { fromTimeMs, toTimeMs } = this.#options;
    if (fromTimeMs === null && toTimeMs === null) return false;
    const from = fromTimeMs ?? Number.NEGATIVE_INFINITY;
    const to = toTimeMs ?? Number.POSITIVE_INFINITY;
    const outside = event.timestampMs < from || event.timestampMs > to;
    const outsideByServer = message.receivedAtMs < from || message.receivedAtMs > to;
    if (outside !== outsideByServer) this.counts.timesApart += 1;
    return outside;
  }

  /** Oddities of the producer: reported, and no failure. */
  #checkChain(event: DecodedEvent, aggregate: Aggregate): void {
    const { counts } = this;
    if (event.eventId !== null && this.#repeatedIds.seen(event.eventId)) counts.repeatedIds += 1;
    // The events between were left out by request: gaps are what was asked for.
    if (this.#options.filter !== null) return;
    // What the event before it was, the entry does not say.
    const isFirstSinceEntry = aggregate.appliedUpToSeq > 0 && aggregate.lastSeq === aggregate.appliedUpToSeq;
    if (event.cid !== null || event.previousCid !== null) {
      if (!isFirstSinceEntry && event.previousCid !== aggregate.lastCid) counts.tornChains += 1;
      aggregate.lastCid = event.cid;
    }
    const { sequence } = event;
    if (sequence === null) return;
    const last = aggregate.lastEnvelopeSequence;
    if (last !== null && sequence <= last) counts.sequenceFalls += 1;
    else if (last !== null && sequence > last + 1) counts.sequenceGaps += 1;
    aggregate.lastEnvelopeSequence = sequence;
  }
}
