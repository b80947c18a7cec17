import { type CompiledProjection, errorMessage, type Log, type ProjectionRef, ReplayError } from "@cim-replay/core";
import {
  CheckpointStore,
  Ledger,
  type LiveReport,
  type NatsClient,
  onControl,
  PermissionDeniedError,
  publishLive,
  QuarantineStore,
  SegmentStore,
} from "@cim-replay/nats";
import { consumeUnits, QueueDeniedError, type QueueOptions, type UnitJob } from "@cim-replay/queue";
import { Profiler } from "./profiler.ts";
import { ReadingThread, type ReadingThreadOptions } from "./reading-thread.ts";
import type { UnitServices } from "./open-attempt.ts";
import { runUnit, type UnitAttempt, WorkerStoppingError } from "./run-unit.ts";

const REPORT_EVERY_MS = 250;

export interface WorkerOptions {
  readonly client: NatsClient;
  readonly queue: QueueOptions;
  readonly workerId: string;
  readonly concurrency: number;
  /** Absent: units read by themselves. */
  readonly reading?: Omit<ReadingThreadOptions, "client">;
  readonly log: Log;
  loadProjection(ref: ProjectionRef): Promise<CompiledProjection>;
}

export interface ReplayWorker {
  ready(): Promise<void>;
  /** Rejects when this login may not keep the books or use the queue: it can neither work nor say so there. Never resolves. */
  readonly unfit: Promise<never>;
  /** Checkpoints and gives back what is at work, then leaves the queue. */
  stop(): Promise<void>;
  readonly active: number;
  snapshot(): LiveReport[];
}

/** Takes units from the queue until it is stopped. Holds nothing that another worker could not rebuild from the ledger. */
export function startWorker(options: WorkerOptions): ReplayWorker {
  const stopping = new AbortController();
  const attempts = new Map<string, UnitAttempt>();
  const profiler = new Profiler({
    ...options,
    attemptsOf: (runId) => [...attempts].filter(([name]) => name.startsWith(`${runId}/`)).map(([, attempt]) => attempt),
  });
  const reading = options.reading ? new ReadingThread({ ...options.reading, client: options.client }) : null;
  // Opened before the first job comes, where there is a ledger already; a failure is met again by the job that needs them.
  let services: Promise<UnitServices> | null = null;
  const open = () => {
    services ??= openServices(options, reading).catch((error: unknown) => {
      services = null;
      throw error;
    });
    return services;
  };
  const unfit = Promise.withResolvers<never>();
  unfit.promise.catch(() => undefined);
  const leaveIfUnfit = (error: unknown) => {
    if (error instanceof PermissionDeniedError || error instanceof QueueDeniedError) unfit.reject(error);
  };
  open().catch(leaveIfUnfit);

  async function handle(job: UnitJob, lockSignal: AbortSignal): Promise<void> {
    try {
      await handleUnit(job, lockSignal);
    } catch (error) {
      leaveIfUnfit(error);
      throw error;
    }
  }

  async function handleUnit(job: UnitJob, lockSignal: AbortSignal): Promise<void> {
    const name = `${job.runId}/${job.unit}`;
    const opened = await open();
    const unsubscribe = onControl(options.client, job.runId, (message) => {
      const attempt = attempts.get(name);
      if (!attempt) return;
      if (message.kind === "profile") profiler.begin({ runId: job.runId, ...message });
      else if (message.kind === "profile-end") profiler.end(message.profileId);
      else attempt.context.checkpointRequested = true;
    });
    try {
      await runUnit(opened, job, AbortSignal.any([stopping.signal, lockSignal]), (attempt) => {
        if (attempt) attempts.set(name, attempt);
        report(options.client, options.workerId, attempts, name);
      });
    } finally {
      const attempt = attempts.get(name);
      attempts.delete(name);
      unsubscribe();
      await profiler.leaving(job.runId, attempt);
    }
  }

  const consumer = consumeUnits(options.queue, {
    workerId: options.workerId,
    concurrency: options.concurrency,
    handle,
    onError: (error) => {
      options.log.warn({ error: errorMessage(error) }, "the queue reports a problem");
      leaveIfUnfit(error);
    },
  });
  const timer = setInterval(() => {
    for (const name of attempts.keys()) report(options.client, options.workerId, attempts, name);
  }, REPORT_EVERY_MS);

  return {
    ready: () => consumer.ready(),
    unfit: unfit.promise,
    async stop() {
      stopping.abort(new WorkerStoppingError("The worker is stopping."));
      await consumer.close();
      clearInterval(timer);
      await reading?.close();
    },
    get active() {
      return attempts.size;
    },
    snapshot: () => [...attempts].map(([name, attempt]) => liveReport(options.workerId, name, attempt)),
  };
}

async function openServices(options: WorkerOptions, reading: ReadingThread | null): Promise<UnitServices> {
  const { client, workerId, log } = options;
  const ledger = await Ledger.open(client);
  if (!ledger) {
    throw new ReplayError(
      "Cannot work: this NATS has no ledger (bucket CIM_REPLAY). Does the worker use the coordinator's NATS_URL?",
    );
  }
  const checkpoints = await CheckpointStore.open(client, { create: true });
  const quarantine = await QuarantineStore.open(client, { create: true });
  if (!quarantine)
    throw new ReplayError("Cannot work: the quarantine stream cannot be made. Check JetStream's limits.");
  // Opened anew by each attempt: between two of them, somebody may have removed the stream.
  const segments = () => openSegments(client);
  return {
    ...{ client, ledger, checkpoints, quarantine, segments, workerId, log },
    loadProjection: options.loadProjection,
    readThread: (plan, run) => reading?.for(plan, run) ?? null,
  };
}

async function openSegments(client: NatsClient): Promise<SegmentStore> {
  const segments = await SegmentStore.open(client, { create: true });
  if (segments) return segments;
  throw new ReplayError("Cannot work: the stream of segments cannot be made. Check JetStream's limits.");
}

function report(client: NatsClient, workerId: string, attempts: ReadonlyMap<string, UnitAttempt>, name: string): void {
  const attempt = attempts.get(name);
  if (attempt) publishLive(client, liveReport(workerId, name, attempt));
}

function liveReport(workerId: string, name: string, attempt: UnitAttempt): LiveReport {
  const { context, pass, entriesWritten } = attempt;
  const live = pass?.live(entriesWritten);
  const [runId = "", unit = ""] = name.split("/");
  const counts = pass?.counts;
  return {
    workerId,
    runId,
    unit,
    epoch: context.claim.record.epoch,
    readSeq: Math.max(0, pass?.readSeq ?? 0),
    delivered: counts?.delivered ?? 0,
    applied: live?.applied ?? 0,
    quarantined: live?.quarantined ?? 0,
    entriesWritten: live?.entriesWritten ?? 0,
    lastEventAtMs: pass?.lastEventAtMs ?? null,
    memoryBytes: process.memoryUsage.rss(),
    inFlightBytes: context.gauge.heldBytes,
    stageMicros: {
      fetch: context.stages.fetch * 1000,
      fold: context.stages.fold * 1000,
      checkpoint: context.stages.checkpoint * 1000,
      write: context.stages.write * 1000,
    },
    recoveries: context.recoveries,
  };
}
