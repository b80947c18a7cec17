import { randomBytes } from "node:crypto";
import {
  type CompiledProjection,
  compileProjection,
  type DomainSettings,
  domainSettingsSchema,
  type Log,
  type Plan,
  type Projection,
  type RunRecord,
  type RunSettings,
  silentLog,
  targetsOf,
} from "@cim-replay/core";
import {
  type CertifyRun,
  driveRun,
  type HeldRun,
  planReplay,
  type ReplayContext,
  startRun,
} from "@cim-replay/coordinator";
import { connectNats, Ledger, type NatsClient, readEntries } from "@cim-replay/nats";
import { QUEUE_DEFAULTS, type QueueOptions, UnitQueue } from "@cim-replay/queue";
import { type ReplayWorker, startWorker } from "@cim-replay/worker";

/** A stream of its own, a queue of its own, a bucket of its own, and coordinator and workers in this process. */
export interface Stage {
  readonly ctx: ReplayContext;
  readonly client: NatsClient;
  readonly stream: string;
  readonly bucket: string;
  readonly domainSettings: DomainSettings;
  settings(changes?: Partial<RunSettings>): RunSettings;
  publish(events: readonly StagedEvent[]): Promise<void>;
  addWorkers(count: number): Promise<ReplayWorker[]>;
  plan(changes?: Partial<RunSettings>): Promise<Plan>;
  start(changes?: Partial<RunSettings>): Promise<HeldRun>;
  drive(held: HeldRun, signal?: AbortSignal, certify?: CertifyRun): Promise<RunRecord>;
  run(changes?: Partial<RunSettings>): Promise<RunRecord>;
  entries(bucket?: string): Promise<Map<string, string>>;
  close(): Promise<void>;
}

/** Of events, for tests of what must hold with each. */
export const SOURCES = ["direct", "shuffle"] as const;

export interface StagedEvent {
  readonly id: string;
  readonly type: string;
  readonly payload: unknown;
  /** Bytes to publish instead of a whole envelope. */
  readonly raw?: Uint8Array;
  readonly timestamp?: string;
}

export async function openStage(options: {
  natsUrl: string;
  redisUrl: string;
  projection: Projection<never>;
  /** Which runs may name beside it, in their settings' `otherTargets`. */
  otherProjections?: readonly Projection<never>[];
  /** Of its runs, where they ask for none. */
  source?: RunSettings["source"];
  reader?: RunSettings["reader"];
  log?: Log;
}): Promise<Stage> {
  const name = `T${randomBytes(5).toString("hex")}`;
  const queueOptions: QueueOptions = { ...QUEUE_DEFAULTS, redisUrl: options.redisUrl, prefix: `test-${name}` };
  const client = await connectNats({ url: options.natsUrl, name });
  const queue = await UnitQueue.open(queueOptions);
  const ledger = await Ledger.open(client, { create: true });
  if (!ledger) throw new Error("no ledger");
  const log = options.log ?? silentLog;
  const ctx: ReplayContext = { client, ledger, queue, log };
  const projection: CompiledProjection = compileProjection(options.projection as Projection);
  const others = (options.otherProjections ?? []).map((each) => compileProjection(each as Projection));
  const compiled = (ref: { readonly name: string }) => others.find(({ name }) => name === ref.name) ?? projection;
  const stream = name;
  const bucket = `B${name}`;
  const domainSettings = domainSettingsSchema.parse({
    stream,
    subject: `${name}.{domain}.{aggregate_id}.{event_type}`,
  });
  await client.jsm.streams.add({ name: stream, subjects: [`${name}.>`] });
  const workers: { worker: ReplayWorker; client: NatsClient }[] = [];
  let published = 0;

  const settings = (changes: Partial<RunSettings> = {}): RunSettings => ({
    domain: "shop",
    domainSettings,
    aggregateId: null,
    continueFromEntries: false,
    fromSeq: null,
    toSeq: null,
    fromTimeMs: null,
    toTimeMs: null,
    timeBasis: "event",
    filter: null,
    target: bucket,
    projection: { name: projection.name, source: "builtin", path: null, sha256: "test" },
    otherTargets: [],
    parallel: 4,
    source: options.source ?? "auto",
    units: null,
    batchSize: 1000,
    prefetch: 10_000,
    bufferSize: 100_000,
    memoryLimitBytes: null,
    bufferMode: "memory",
    gcInterval: null,
    reader: options.reader ?? "own",
    maxRate: null,
    maxBytesRate: null,
    adaptiveRate: false,
    checkpointInterval: 100_000,
    skipErrors: 0,
    prune: false,
    certify: "counts",
    ...changes,
  });

  const stage: Stage = {
    ctx,
    client,
    stream,
    bucket,
    domainSettings,
    settings,
    async publish(events) {
      const acks = events.map((event) => {
        published += 1;
        const envelope = {
          event_id: `${name}-${published}`,
          aggregate_id: event.id,
          event_type: event.type,
          payload: event.payload,
          timestamp: event.timestamp ?? new Date(1_700_000_000_000 + published * 1000).toISOString(),
        };
        return client.js.publish(`${name}.shop.${event.id}.${event.type}`, event.raw ?? JSON.stringify(envelope));
      });
      await Promise.all(acks);
    },
    async addWorkers(count) {
      const added: ReplayWorker[] = [];
      for (let i = 0; i < count; i++) {
        const own = await connectNats({ url: options.natsUrl, name: `${name}-w` });
        const workerId = `${name}-w${workers.length}`;
        const worker = startWorker({
          client: own,
          queue: queueOptions,
          workerId,
          concurrency: 1,
          log,
          loadProjection: async (ref) => compiled(ref),
        });
        await worker.ready();
        workers.push({ worker, client: own });
        added.push(worker);
      }
      return added;
    },
    plan: (changes) => {
      const of = settings(changes);
      const projections = targetsOf(of).map((target) => compiled(target.projection));
      return planReplay(client, of, projections, `r${randomBytes(6).toString("hex")}`);
    },
    async start(changes) {
      return startRun(ctx, "test", settings(changes), await stage.plan(changes));
    },
    drive: (held, signal = new AbortController().signal, certify?: CertifyRun) =>
      driveRun(ctx, held, {
        pool: null,
        localWorkers: 0,
        checkpointDir: null,
        certify: certify ?? null,
        onProgress: () => undefined,
        signal,
      }),
    async run(changes) {
      return stage.drive(await stage.start(changes));
    },
    async entries(of = bucket) {
      const found = new Map<string, string>();
      for await (const batch of readEntries(client, of, ">")) {
        for (const { key, value } of batch) found.set(key, Buffer.from(value).toString("utf8"));
      }
      return found;
    },
    async close() {
      await Promise.all(workers.map(({ worker }) => worker.stop()));
      await Promise.all(workers.map((worker) => worker.client.close()));
      await queue.close();
      await client.jsm.streams.delete(stream).catch(() => false);
      await client.close();
    },
  };
  return stage;
}
