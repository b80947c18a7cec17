import {
  compileDomain,
  type CompiledProjection,
  type DecodedEvent,
  errorMessage,
  isMalformed,
  type RunSettings,
  type StreamMessage,
} from "@cim-replay/core";
import { type CompiledFilter, compileFilter } from "@cim-replay/filter";
import { type NatsClient, readSequential } from "@cim-replay/nats";
import { requireStream } from "./entries-source.ts";

export interface TryFoldTask {
  readonly client: NatsClient;
  /** Of the run that is thought of; its filter names the aggregates. */
  readonly settings: RunSettings;
  readonly projection: CompiledProjection;
  /** Sequences that must be among the events folded. */
  readonly mustFold: ReadonlySet<number>;
  readonly signal: AbortSignal;
}

export interface TriedFold {
  /** Aggregates whose events can all be folded. */
  readonly folds: ReadonlySet<string>;
  /** The first event of an aggregate that still cannot be taken. */
  readonly fails: ReadonlyMap<string, { readonly seq: number; readonly reason: string }>;
  /** Cannot be decoded and names no aggregate: whose it is, nobody knows. */
  readonly nameless: { readonly seq: number; readonly reason: string } | null;
  /** Those of `mustFold` that were. */
  readonly folded: ReadonlySet<number>;
}

/** Folds as a run with these settings would, in memory: whether it would succeed is known before anything is written. */
export async function tryFold(task: TryFoldTask): Promise<TriedFold> {
  const { client, settings, signal } = task;
  const stream = await requireStream(client, settings.domainSettings.stream);
  const range = {
    fromSeq: Math.max(stream.firstSeq || 1, settings.fromSeq ?? 0),
    toSeq: Math.min(stream.lastSeq, settings.toSeq ?? stream.lastSeq),
  };
  const fold = new TrialFold(task);
  if (range.fromSeq > range.toSeq) return fold;
  const read = { stream: stream.name, created: stream.created, range, filterSubjects: [], signal };
  for await (const batch of readSequential(client, read)) {
    for (const message of batch) fold.take(message);
  }
  return fold;
}

class TrialFold implements TriedFold {
  readonly fails = new Map<string, { seq: number; reason: string }>();
  readonly folded = new Set<number>();
  nameless: TriedFold["nameless"] = null;
  readonly #task: TryFoldTask;
  readonly #codec: ReturnType<typeof compileDomain>;
  readonly #filter: CompiledFilter | null;
  readonly #states = new Map<string, unknown>();

  constructor(task: TryFoldTask) {
    this.#task = task;
    this.#codec = compileDomain(task.settings.domain, task.settings.domainSettings);
    this.#filter = task.settings.filter ? compileFilter(task.settings.filter.filter) : null;
  }

  get folds(): ReadonlySet<string> {
    return new Set([...this.#states.keys()].filter((id) => !this.fails.has(id)));
  }

  take(message: StreamMessage): void {
    const routeKey = this.#codec.route(message.subject);
    if (routeKey === undefined) return;
    const event = this.#codec.decode(message, routeKey);
    if (!isMalformed(event)) {
      if (this.#isAskedFor(message, event)) this.#fold(event);
    } else if (this.#filter?.mayTake(message, routeKey) !== false) {
      const what = { seq: message.seq, reason: event.reason };
      if (routeKey === null) this.nameless ??= what;
      else this.#fail(routeKey, what);
    }
  }

  #fold(event: DecodedEvent): void {
    const { projection, mustFold } = this.#task;
    const { aggregateId: id, streamSequence: seq } = event;
    if (this.fails.has(id)) return;
    try {
      this.#states.set(id, projection.apply(this.#states.get(id) ?? projection.initial(id), event));
      if (mustFold.has(seq)) this.folded.add(seq);
    } catch (error) {
      this.#fail(id, { seq, reason: errorMessage(error) });
    }
  }

  #fail(id: string, what: { seq: number; reason: string }): void {
    if (!this.fails.has(id)) this.fails.set(id, what);
    this.#states.delete(id);
  }

  /** By receipt as well as by its own time: each message knows both. */
  #isAskedFor(message: StreamMessage, event: DecodedEvent): boolean {
    const { timeBasis, fromTimeMs, toTimeMs } = this.#task.settings;
    const timeMs = timeBasis === "event" ? event.timestampMs : message.receivedAtMs;
    if (timeMs < (fromTimeMs ?? -Infinity) || timeMs > (toTimeMs ?? Infinity)) return false;
    return (this.#filter?.judge(message, event) ?? "taken") === "taken";
  }
}
