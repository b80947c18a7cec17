import { setTimeout as sleep } from "node:timers/promises";
import { ConflictingWriterError, entryKey, parseEntryKey, ReplayError, SegmentLostError } from "@cim-replay/core";
import { NoRespondersError, RequestError } from "nats";
import type { NatsClient } from "./connect.ts";
import { EXPECTED_REVISION_HEADER } from "./publish-cas.ts";
import { isStreamNotFound, withRetries } from "./publish-retry.ts";
import { type Outgoing, PublishWindow } from "./publish-window.ts";
import { ensureStream } from "./stream-ensure.ts";
import { subjectCounts } from "./subject-index.ts";

const STREAM = "CIM_REPLAY_SEGMENTS";
const SUBJECTS = "_CIM_REPLAY.segment.>";
const WINDOW = { maxPending: 64, maxPendingBytes: 8 * 1024 * 1024 };
/** Runs remove their own when they end; what a dead one left goes by itself. */
const MAX_AGE_NANOS = 7 * 24 * 3_600 * 1_000_000_000;
/** A replica may be a moment behind what its leader has acknowledged. */
const LOOKS_FOR_MISSING = 15;
const BETWEEN_LOOKS_MS = 200;

/** Of one attempt at one slice. */
export interface SegmentOrigin {
  readonly runId: string;
  readonly slice: number;
  readonly epoch: number;
}

/**
 * Segments in one stream, each on a subject that names run, slice, unit, epoch and number. Nobody else than the one owner of
 * a slice's epoch writes there, each subject once; readers ask for the epoch that the ledger calls done, so that what an
 * older owner wrote is never mixed with it.
 */
export class SegmentStore {
  readonly #client: NatsClient;

  private constructor(client: NatsClient) {
    this.#client = client;
  }

  /** Null where there is no such stream and `create` is false. */
  static async open(client: NatsClient, { create }: { create: boolean }): Promise<SegmentStore | null> {
    const config = {
      name: STREAM,
      subjects: [SUBJECTS],
      allow_direct: true,
      max_age: MAX_AGE_NANOS,
    };
    return (await ensureStream(client, config, create)) ? new SegmentStore(client) : null;
  }

  writer(origin: SegmentOrigin): SegmentWriter {
    return new SegmentWriter(this.#client, origin);
  }

  /** Throws SegmentLostError where it is not there. The bytes are the caller's. */
  async read(origin: SegmentOrigin, unit: string, index: number, signal: AbortSignal): Promise<Uint8Array> {
    const subject = subjectOf(origin, unit, index);
    for (let looks = 1; ; looks++) {
      signal.throwIfAborted();
      const found = await withRetries(this.#client, `read segment ${subject}`, () => this.#look(subject));
      if (found) return found;
      if (looks === LOOKS_FOR_MISSING)
        throw new SegmentLostError(lostText(origin, unit, index, "is not there any more"));
      await sleep(BETWEEN_LOOKS_MS);
    }
  }

  /** What attempts before this one have left. Never what a later one has stored: its owner may only seem to be the last. */
  async removeOlder({ runId, slice, epoch }: SegmentOrigin): Promise<void> {
    for (let older = 1; older < epoch; older++) {
      const filter = `${subjectOfRun(runId)}.${slice}.*.${older}.>`;
      await this.#purge(`remove segments of slice ${slice} of run ${runId}`, filter);
    }
  }

  async removeRun(runId: string): Promise<void> {
    await this.#purge(`remove segments of run ${runId}`, `${subjectOfRun(runId)}.>`);
  }

  /** That have segments here. */
  async runIds(): Promise<string[]> {
    const subjects = await withRetries(this.#client, "list segments", () =>
      subjectCounts(this.#client, STREAM, SUBJECTS),
    );
    return [...new Set([...subjects.keys()].map(runOf))].filter((run) => run !== null);
  }

  async #purge(what: string, filter: string): Promise<void> {
    await withRetries(this.#client, what, () => this.#client.jsm.streams.purge(STREAM, { filter }));
  }

  async #look(subject: string): Promise<Uint8Array | null> {
    try {
      return (await this.#client.jsm.direct.getMessage(STREAM, { last_by_subj: subject }))?.data ?? null;
    } catch (error) {
      if (isUnanswered(error) && (await this.#isGone())) return null;
      throw error;
    }
  }

  /** A stream that is not there answers as little as a server that is not. */
  async #isGone(): Promise<boolean> {
    try {
      await this.#client.jsm.streams.info(STREAM);
      return false;
    } catch (error) {
      if (isStreamNotFound(error)) return true;
      throw error;
    }
  }
}

/** Stores the segments of one attempt at a slice, several at once, each of them once however often its answer is lost. */
export class SegmentWriter {
  readonly #origin: SegmentOrigin;
  readonly #window: PublishWindow<Outgoing>;

  constructor(client: NatsClient, origin: SegmentOrigin) {
    this.#origin = origin;
    const what = `store segments of slice ${origin.slice} of run ${origin.runId}`;
    this.#window = new PublishWindow<Outgoing>(
      client,
      {
        what,
        onStored: () => "settled",
        onRefused: ({ sends, subject }, ack) => {
          // It was stored when it was sent before, and the answer was lost.
          if (ack.kind === "wrong-revision" && sends > 1) return "settled";
          if (ack.kind === "wrong-revision")
            throw new ConflictingWriterError(`Cannot ${what}: somebody else wrote to ${subject}.`);
          throw new ReplayError(`Cannot ${what}: ${ack.words}. Give JetStream more room, or run with --source direct.`);
        },
        resolve: async () => "send-again",
      },
      WINDOW,
    );
  }

  /** Undefined while there is room, else a promise to wait for before the next. The bytes must not be changed. */
  put(unit: string, index: number, payload: Uint8Array): Promise<void> | undefined {
    return this.#window.send({ subject: subjectOf(this.#origin, unit, index), headers: ONCE, payload, sends: 0 });
  }

  /** Waits until all are stored. */
  async flush(): Promise<void> {
    await this.#window.drain();
  }

  /** Nothing more is sent. */
  abandon(reason: Error): void {
    this.#window.fail(reason);
  }
}

/** What a person reads of a segment that cannot be used; `what` says why. */
export function lostText({ runId, slice }: SegmentOrigin, unit: string, index: number, what: string): string {
  return (
    `Cannot fold unit ${unit} of run ${runId}: segment ${index} of slice ${slice} ${what} (stream ${STREAM}). ` +
    `\`event-replay --resume --run ${runId}\` has it packed again.`
  );
}

const ONCE = Buffer.from(`NATS/1.0\r\n${EXPECTED_REVISION_HEADER}: 0\r\n\r\n`, "latin1");

function subjectOfRun(runId: string): string {
  return `_CIM_REPLAY.${entryKey("segment", runId)}`;
}

function subjectOf({ runId, slice, epoch }: SegmentOrigin, unit: string, index: number): string {
  return `${subjectOfRun(runId)}.${slice}.${unit}.${epoch}.${index}`;
}

function runOf(subject: string): string | null {
  const [, key] = /^_CIM_REPLAY\.(segment\.[^.]+)\./.exec(subject) ?? [];
  return (key && parseEntryKey(key)?.aggregateId) ?? null;
}

function isUnanswered(error: unknown): boolean {
  if (error instanceof NoRespondersError) return true;
  return error instanceof RequestError && error.isNoResponders();
}
