import { createHash } from "node:crypto";
import {
  type CompiledProjection,
  compileDomain,
  compileProjection,
  type DecodedEvent,
  domainSettingsSchema,
  isMalformed,
  type StreamMessage,
} from "@cim-replay/core";
import { EntryWriter, ensureBucket, type NatsClient, readStream, streamFacts } from "@cim-replay/nats";
import { builtinProjections } from "@cim-replay/projections";
import { type Aggregate, AggregateTable, ContentDigest, UnitFold } from "@cim-replay/worker";
import { DOMAIN, subjectTemplate } from "../dataset.ts";
import type { OwnFigures, ProbeTask } from "../probe-task.ts";
import { runTask, startClock } from "./run-task.ts";

const MAX_MESSAGES = 10_000;
const MAX_BYTES = 8 * 1024 * 1024;
const NO_PROGRESS_MS = 5_000;

/**
 * The worker's own parts, one after the other over each batch that the worker's own reader gives, so that each can be
 * timed by itself; then the same stream once more as the worker does it, all parts on a message before the next.
 * Processor time, other threads' (the collector's) included.
 */
async function timeStages(client: NatsClient, task: ProbeTask): Promise<OwnFigures> {
  const whole = startClock();
  const read = await timed(() => readAll(client, task, () => undefined));
  const parts = new Parts(task);
  await readAll(client, task, (batch) => parts.take(batch));
  const write = await timed(() => parts.write(client, task));
  const together = await timed(() => readAll(client, task, takeTogether(task)));
  const stageMicros = { read, ...parts.micros, write, together: Math.max(0, together - read) };
  return { ...whole(), stageMicros };
}

class Parts {
  readonly micros = { route: 0, decode: 0, fold: 0, hash: 0 };
  readonly #codec;
  readonly #projection: CompiledProjection;
  readonly #aggregates = new AggregateTable(DOMAIN);
  readonly #digest = new ContentDigest(1, 1, null);

  constructor(task: ProbeTask) {
    this.#codec = codecOf(task);
    this.#projection = projectionOf(task);
  }

  take(batch: readonly StreamMessage[]): void {
    const clock = lapClock();
    const routed = batch.map((message) => this.#route(message));
    this.micros.route += clock();
    const events = batch.map((message, at) => this.#decode(message, routed[at]));
    this.micros.decode += clock();
    for (const [at, event] of events.entries()) this.#fold(event, batch[at], routed[at]);
    this.micros.fold += clock();
    for (const message of batch) this.#digest.add(0, message);
    this.micros.hash += clock();
  }

  #route(message: StreamMessage): Aggregate {
    const { raw } = message;
    const place = raw && this.#codec.locate(raw);
    const known = raw && place && this.#aggregates.find(raw.bytes, place);
    if (known) return known;
    const key = this.#codec.route(message.subject) ?? "";
    return this.#aggregates.get(key) ?? this.#aggregates.add(key, key, 0);
  }

  #decode(message: StreamMessage, aggregate: Aggregate | undefined): DecodedEvent {
    const event = this.#codec.decode(message, aggregate?.routeKey ?? null);
    if (isMalformed(event))
      throw new Error(`Cannot time stages: sequence ${message.seq} is malformed: ${event.reason}`);
    return event;
  }

  #fold(event: DecodedEvent, message: StreamMessage | undefined, aggregate: Aggregate | undefined): void {
    if (!message || !aggregate) return;
    aggregate.state = this.#projection.apply(aggregate.state ?? this.#projection.initial(aggregate.id), event);
    aggregate.events += 1;
    aggregate.lastSeq = message.seq;
  }

  async write(client: NatsClient, { bucket }: ProbeTask): Promise<void> {
    await ensureBucket(client, bucket);
    const writer = new EntryWriter(client, bucket);
    for (const { key, state, lastSeq, events } of this.#aggregates.all()) {
      const value = Buffer.from(this.#projection.encode(state));
      const sha256 = createHash("sha256").update(value).digest("hex");
      const room = writer.put(key, value, { run: "bench", epoch: 1, lastSeq, events, sha256 }, 0);
      if (room) await room;
    }
    await writer.flush();
  }
}

function takeTogether(task: ProbeTask): (batch: readonly StreamMessage[]) => void {
  const fold = new UnitFold({
    aggregates: new AggregateTable(DOMAIN),
    digest: new ContentDigest(1, 1, null),
    codec: codecOf(task),
    projection: projectionOf(task),
    partitionOf: () => 0,
    partitions: 1,
    takesNameless: true,
    fromTimeMs: null,
    toTimeMs: null,
    filter: null,
    skipErrors: 0,
    badSequences: new Set(),
    careful: new Set(),
  });
  return (batch) => {
    for (const message of batch) fold.take(message);
  };
}

function codecOf({ stream }: ProbeTask) {
  return compileDomain(DOMAIN, domainSettingsSchema.parse({ stream, subject: subjectTemplate(stream) }));
}

function projectionOf({ projection: name }: ProbeTask): CompiledProjection {
  const projection = builtinProjections.get(name);
  if (!projection) throw new Error(`Cannot time stages: there is no projection ${name}.`);
  return compileProjection(projection);
}

async function readAll(
  client: NatsClient,
  { stream, events }: ProbeTask,
  onBatch: (batch: readonly StreamMessage[]) => void,
): Promise<void> {
  const facts = await streamFacts(client, stream);
  if (!facts) throw new Error(`Cannot time stages: there is no stream ${stream}.`);
  const batches = readStream(client, {
    stream,
    created: facts.created,
    range: { fromSeq: 1, toSeq: events },
    filterSubjects: [],
    maxMessages: MAX_MESSAGES,
    maxBytes: MAX_BYTES,
    noProgressMs: NO_PROGRESS_MS,
    signal: new AbortController().signal,
  });
  for await (const batch of batches) onBatch(batch);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const clock = startClock();
  await work();
  return clock().cpuMicros;
}

/** Processor time since the last call. */
function lapClock(): () => number {
  let last = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(last);
    last = process.cpuUsage();
    return user + system;
  };
}

await runTask(timeStages);
