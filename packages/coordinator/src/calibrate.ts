import { type CompiledProjection, type DomainCodec, isMalformed, type StepCosts } from "@cim-replay/core";
import { type NatsClient, readStream } from "@cim-replay/nats";

const SAMPLE_MESSAGES = 4_000;
const SAMPLE_MS = 250;
/** Server time for a message and reader, measured; a client cannot see it. */
const SERVER_READ_MICROS = 3.5;
/** Where a sample is too small to say anything. */
const TYPICAL: StepCosts = { serverRead: SERVER_READ_MICROS, clientRead: 3.5, fold: 4 };
const PIECE_EVENTS = 250;

export interface Calibration {
  readonly costs: StepCosts;
  readonly sampled: number;
  /** Of the sampled events, how many lie on different sides of the requested times by their own and by the server's clock. */
  readonly timesApart: number;
}

/** Reads and folds the first few thousand messages, to know what an event costs here. Errors of events are not its matter. */
export async function calibrate(options: {
  client: NatsClient;
  stream: { name: string; created: string };
  range: { fromSeq: number; toSeq: number };
  filterSubjects: readonly string[];
  codec: DomainCodec;
  projection: CompiledProjection;
  isOutside: (timeMs: number) => boolean;
}): Promise<Calibration> {
  const { stream, range } = options;
  const states = new Map<string, unknown>();
  const deadline = performance.now() + SAMPLE_MS;
  let read = 0;
  let sampled = 0;
  let timesApart = 0;
  let foldMs = 0;
  let fastestFold = Number.POSITIVE_INFINITY;
  const startedAt = performance.now();
  const messages = readStream(options.client, {
    stream: stream.name,
    created: stream.created,
    range: { fromSeq: range.fromSeq, toSeq: Math.min(range.toSeq, range.fromSeq + SAMPLE_MESSAGES * 4) },
    filterSubjects: options.filterSubjects,
    maxMessages: SAMPLE_MESSAGES,
    maxBytes: 8 * 1024 * 1024,
    noProgressMs: 5_000,
    signal: AbortSignal.timeout(30_000),
  });
  for await (const batch of messages) {
    const batchAt = performance.now();
    let pieceAt = batchAt;
    for (const message of batch) {
      read += 1;
      const key = options.codec.route(message.subject);
      if (key === undefined) continue;
      const event = options.codec.decode(message, key);
      if (isMalformed(event)) continue;
      sampled += 1;
      if (options.isOutside(event.timestampMs) !== options.isOutside(message.receivedAtMs)) timesApart += 1;
      foldInto(states, options.projection, event);
      if (sampled % PIECE_EVENTS === 0) {
        const now = performance.now();
        fastestFold = Math.min(fastestFold, ((now - pieceAt) * 1000) / PIECE_EVENTS);
        pieceAt = now;
        if (now - batchAt > SAMPLE_MS) break;
      }
    }
    foldMs += performance.now() - batchAt;
    if (sampled >= SAMPLE_MESSAGES || performance.now() > deadline) break;
  }
  if (!Number.isFinite(fastestFold)) return { costs: TYPICAL, sampled, timesApart };
  const clientRead = ((performance.now() - startedAt - foldMs) * 1000) / read;
  // The sample runs on cold code and includes waiting: its fastest piece is nearest to what a long run costs, and what
  // is known of reading bounds that from above.
  return {
    costs: {
      serverRead: SERVER_READ_MICROS,
      clientRead: Math.min(clientRead, TYPICAL.clientRead),
      fold: fastestFold,
    },
    sampled,
    timesApart,
  };
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
