import {
  compileDomain,
  type CompiledProjection,
  type DecodedEvent,
  type DomainCodec,
  type DomainSettings,
  entryKey,
  errorMessage,
  isMalformed,
  ReplayError,
  type SequenceRange,
  type StreamMessage,
  UsageError,
} from "@cim-replay/core";
import { lastMatchingSeq, type NatsClient, readSequential, seqAtTime, type StreamFacts } from "@cim-replay/nats";
import { diffValues, parseExact, type PathChange } from "./diff-value.ts";
import { requireStream } from "./entries-source.ts";
import type { AsOf } from "./scene.ts";

export interface StateAtTask {
  readonly client: NatsClient;
  readonly domain: string;
  readonly domainSettings: DomainSettings;
  readonly aggregateId: string;
  readonly projection: CompiledProjection;
  /** A stream sequence or a moment, itself included. */
  readonly at: { readonly seq: number } | AsOf;
  /** Whether to say what each event changed; costs a value an event. */
  readonly history: boolean;
  readonly signal: AbortSignal;
}

/** One event and what it did to the value; no changes: it left it as it was. */
export interface EventChange {
  readonly seq: number;
  readonly time: string;
  readonly type: string;
  /** `left` is what was before, `right` what came after; undefined: nothing stood there. */
  readonly changes: readonly PathChange[];
}

export interface StateAt {
  /** Of the aggregate's entry. */
  readonly key: string;
  readonly stream: Pick<StreamFacts, "name" | "firstSeq" | "lastSeq">;
  /** What was read; `toSeq < fromSeq`: nothing was there yet. */
  readonly range: SequenceRange;
  readonly events: number;
  /** The last event that is in the value; null: there is none. */
  readonly last: { readonly seq: number; readonly time: string; readonly type: string } | null;
  /** As an entry would hold it, numbers that no double holds as BigInts; undefined: the aggregate had not begun. */
  readonly value: unknown;
  /** Oldest first; empty where it was not asked for. */
  readonly history: readonly EventChange[];
  /** Messages that cannot be decoded and name no aggregate: whose they are, nobody knows. */
  readonly nameless: number;
}

/**
 * Folds one aggregate's events up to a sequence or a moment, in stream order. Only reads. Throws UsageError where there is
 * no such stream, it does not reach that sequence, or has no such aggregate, and ReplayError where an event up to then cannot be decoded or folded.
 */
export async function stateAt(task: StateAtTask): Promise<StateAt> {
  const { client, domain, domainSettings, aggregateId, at, signal } = task;
  const stream = await requireStream(client, domainSettings.stream);
  const codec = compileDomain(domain, domainSettings);
  const range = { fromSeq: stream.firstSeq || 1, toSeq: await lastSeqAt(task, stream) };
  const fold = new LifeFold(task, codec, "seq" in at || at.basis === "server" ? null : at.timeMs);
  const filterSubjects = codec.aggregateSubjects(aggregateId) ?? codec.subjects;
  const read = { stream: stream.name, created: stream.created, range, filterSubjects, signal };
  for await (const batch of readSequential(client, read)) {
    for (const message of batch) fold.take(message);
  }
  if (!fold.hasBegun) await requireAnyEvent(task, codec);
  return { key: entryKey(domain, aggregateId), stream, range, ...fold.result() };
}

async function lastSeqAt({ client, aggregateId, at }: StateAtTask, stream: StreamFacts): Promise<number> {
  if (!("seq" in at)) {
    if (at.basis === "event") return stream.lastSeq;
    return (await seqAtTime(client, stream.name, at.timeMs, "last-at-or-before")) ?? 0;
  }
  if (at.seq <= stream.lastSeq && at.seq >= stream.firstSeq) return at.seq;
  throw new UsageError(
    `Cannot tell the state of ${aggregateId} at sequence ${at.seq}: ${stream.name} has sequences ${stream.firstSeq} to ${stream.lastSeq}. Give one of them.`,
  );
}

/** An aggregate that began later is told from a mistyped id, where subjects hold ids. */
async function requireAnyEvent({ client, domain, domainSettings, aggregateId }: StateAtTask, codec: DomainCodec) {
  const subjects = codec.idInSubject ? codec.aggregateSubjects(aggregateId) : null;
  if (subjects === null) return;
  const { stream } = domainSettings;
  const last = await Promise.all(subjects.map((subject) => lastMatchingSeq(client, stream, subject)));
  if (last.some((seq) => seq !== null)) return;
  throw new UsageError(
    `Cannot tell the state of ${aggregateId} of ${domain}: ${stream} holds no event on ${subjects.join(" or ")}, at any time. Check the name.`,
  );
}

/** The fold of one aggregate's life, event by event. Pure of I/O. */
class LifeFold {
  readonly #task: StateAtTask;
  readonly #codec: DomainCodec;
  /** By the events' own times; null: whatever is read counts. */
  readonly #toTimeMs: number | null;
  readonly #history: EventChange[] = [];
  #state: unknown;
  #before = encoded("null");
  #events = 0;
  #nameless = 0;
  #last: StateAt["last"] = null;

  constructor(task: StateAtTask, codec: DomainCodec, toTimeMs: number | null) {
    this.#task = task;
    this.#codec = codec;
    this.#toTimeMs = toTimeMs;
  }

  get hasBegun(): boolean {
    return this.#last !== null;
  }

  take(message: StreamMessage): void {
    const { aggregateId } = this.#task;
    const routeKey = this.#codec.route(message.subject);
    if (routeKey === undefined || (routeKey !== null && routeKey !== aggregateId)) return;
    const event = this.#codec.decode(message, routeKey);
    if (isMalformed(event)) {
      if (routeKey !== null) throw this.#refusal(message.seq, event.reason);
      this.#nameless += 1;
      return;
    }
    if (event.aggregateId !== aggregateId || event.timestampMs > (this.#toTimeMs ?? Infinity)) return;
    this.#apply(event);
  }

  result(): Pick<StateAt, "events" | "last" | "value" | "history" | "nameless"> {
    const value = this.#last === null ? undefined : parseExact(this.#encode(this.#last.seq));
    return {
      ...{ events: this.#events, last: this.#last, value, history: this.#history, nameless: this.#nameless },
    };
  }

  #apply(event: DecodedEvent): void {
    const { projection, history } = this.#task;
    const { streamSequence: seq, timestamp: time, type } = event;
    try {
      this.#state = projection.apply(this.#state ?? projection.initial(event.aggregateId), event);
    } catch (error) {
      throw this.#refusal(seq, errorMessage(error));
    }
    this.#events += 1;
    this.#last = { seq, time, type };
    if (!history) return;
    const after = this.#encode(seq);
    this.#history.push({ seq, time, type, changes: diffValues(this.#before, after) });
    this.#before = after;
  }

  #encode(seq: number): Buffer {
    try {
      return encoded(this.#task.projection.encode(this.#state));
    } catch (error) {
      throw this.#refusal(seq, errorMessage(error));
    }
  }

  /** A replay parks the aggregate here or leaves the event out: which of the two is not for this one to choose. */
  #refusal(seq: number, reason: string): ReplayError {
    const { aggregateId, domain, projection } = this.#task;
    return new ReplayError(
      `Cannot tell the state of ${aggregateId} of ${domain}: event ${seq} cannot be taken by ${projection.name} (${reason}). ` +
        `Ask for --seq ${Math.max(1, seq - 1)}, the state before it, or mend the projection.`,
    );
  }
}

function encoded(text: string): Buffer {
  return Buffer.from(text, "utf8");
}
