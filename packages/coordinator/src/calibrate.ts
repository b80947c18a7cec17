import {
  type CompiledProjection,
  type DomainCodec,
  isMalformed,
  type StepCosts,
  type StreamMessage,
} from "@cim-replay/core";
import { type NatsClient, readStream, type StreamFacts } from "@cim-replay/nats";

const SAMPLE_MESSAGES = 3_000;
const SAMPLE_MS = 150;
/** Server time for a message and reader, measured; a client cannot see it. */
const SERVER_READ_MICROS = 3.5;
/** Where a sample is too small to say anything. */
const TYPICAL: StepCosts = { serverRead: SERVER_READ_MICROS, clientRead: 1.5, fold: 4 };
/** Fewer of them in a batch say nothing. */
const LEAST_EVENTS = 32;
const EVENTS_BETWEEN_CLOCKS = 16;
const SIZED_STATES = 200;

export interface Calibration {
  readonly costs: StepCosts;
  readonly sampled: number;
  /** Mean size of an entry's value by projection, of some of the sampled states: long runs' are larger. Empty without a sample. */
  readonly entryBytes: readonly number[];
  /** Of the sampled events, how many lie on different sides of the requested times by their own and by the server's clock. */
  readonly timesApart: number;
}

interface SampleOptions {
  readonly client: NatsClient;
  readonly stream: StreamFacts;
  /** Where to begin, where the stream reaches back that far. */
  readonly fromSeq: number;
  readonly filterSubjects: readonly string[];
  readonly codec: DomainCodec;
  /** Each is folded, as the run will. */
  readonly projections: readonly CompiledProjection[];
  readonly isOutside: (timeMs: number) => boolean;
}

/**
 * Reads and folds a few thousand messages, to know what an event costs here. Never fails: what is wrong with the stream or
 * with an event is for others to say, and without a sample the usual costs do.
 */
export async function calibrate(options: SampleOptions): Promise<Calibration> {
  try {
    return await sample(options);
  } catch {
    return { costs: TYPICAL, sampled: 0, timesApart: 0, entryBytes: [] };
  }
}

async function sample(options: SampleOptions): Promise<Calibration> {
  const { name, created, firstSeq, lastSeq } = options.stream;
  const fromSeq = Math.max(options.fromSeq, firstSeq);
  const messages = readStream(options.client, {
    stream: name,
    created,
    range: { fromSeq, toSeq: Math.min(lastSeq, fromSeq + SAMPLE_MESSAGES * 4) },
    filterSubjects: options.filterSubjects,
    maxMessages: SAMPLE_MESSAGES,
    maxBytes: 8 * 1024 * 1024,
    noProgressMs: 5_000,
    signal: AbortSignal.timeout(30_000),
  });
  const fold = new SampleFold(options);
  const startedAt = performance.now();
  for await (const batch of messages) {
    fold.take(batch, startedAt + SAMPLE_MS);
    if (fold.sampled >= SAMPLE_MESSAGES || performance.now() > startedAt + SAMPLE_MS) break;
  }
  const { sampled, timesApart, fastestMicros } = fold;
  // The sample runs on cold code: its fastest batch is nearest to what a long run costs. Reading cannot be told from
  // waiting here, so that what is known of it is taken.
  const costs = Number.isFinite(fastestMicros) ? { ...TYPICAL, fold: fastestMicros } : TYPICAL;
  return { costs, sampled, timesApart, entryBytes: fold.entryBytes() };
}

class SampleFold {
  sampled = 0;
  timesApart = 0;
  fastestMicros = Number.POSITIVE_INFINITY;
  readonly #options: SampleOptions;
  readonly #folds: readonly { readonly projection: CompiledProjection; readonly states: Map<string, unknown> }[];

  constructor(options: SampleOptions) {
    this.#options = options;
    this.#folds = options.projections.map((projection) => ({ projection, states: new Map() }));
  }

  entryBytes(): number[] {
    return this.#folds.map(({ projection, states }) => meanBytes(projection, states));
  }

  take(batch: readonly StreamMessage[], deadline: number): void {
    const { codec, isOutside } = this.#options;
    const startedAt = performance.now();
    let events = 0;
    for (const message of batch) {
      const key = codec.route(message.subject);
      if (key === undefined) continue;
      const event = codec.decode(message, key);
      if (isMalformed(event)) continue;
      events += 1;
      if (isOutside(event.timestampMs) !== isOutside(message.receivedAtMs)) this.timesApart += 1;
      for (const { projection, states } of this.#folds) foldInto(states, projection, event);
      // A slow projection takes a second for what others do in a millisecond.
      if (events % EVENTS_BETWEEN_CLOCKS === 0 && performance.now() > deadline) break;
    }
    this.sampled += events;
    if (events < LEAST_EVENTS) return;
    this.fastestMicros = Math.min(this.fastestMicros, ((performance.now() - startedAt) * 1000) / events);
  }
}

function meanBytes(projection: CompiledProjection, states: ReadonlyMap<string, unknown>): number {
  let bytes = 0;
  let encoded = 0;
  for (const state of states.values()) {
    if (encoded >= SIZED_STATES) break;
    try {
      bytes += Buffer.byteLength(projection.encode(state));
      encoded += 1;
    } catch {
      // The run itself will say so.
    }
  }
  return encoded > 0 ? bytes / encoded : 0;
}

function foldInto(
  states: Map<string, unknown>,
  projection: CompiledProjection,
  event: Parameters<CompiledProjection["apply"]>[1],
): void {
  try {
    const state = states.get(event.aggregateId) ?? projection.initial(event.aggregateId);
    states.set(event.aggregateId, projection.apply(state, event));
  } catch {
    // The run itself meets this event and keeps it in the quarantine.
  }
}
